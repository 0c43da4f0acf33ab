//! Recordings in folders and indexes, valid and invalid.

mod files;
mod index;
mod notices;
#[path = "../../../../../../tests/support/recordings.rs"]
mod random_recordings;
mod rates;
mod short;
mod splits;

use std::{
    fs,
    sync::atomic::{AtomicI16, Ordering},
};

use drsn_bundle::SignalSource;
use ndarray::Array2;

use super::*;
use crate::{
    dataset::Part,
    recipe::{NormalizationConfig, PaddingConfig},
};

/// A WAV file with one channel of 16 bits.
fn wav(samples: &[i16], rate: u32) -> Vec<u8> {
    let bytes = 2 * samples.len() as u32;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    for sample in samples {
        file.extend(sample.to_le_bytes());
    }
    file
}

/// A recording that no other one equals.
fn ramp(length: usize) -> Vec<u8> {
    static NUMBER: AtomicI16 = AtomicI16::new(0);
    let first = NUMBER.fetch_add(1, Ordering::Relaxed);
    wav(&(first..first + length as i16).collect::<Vec<_>>(), 8000)
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn config() -> SignalConfig {
    SignalConfig {
        window: 10,
        hop: 5,
        test_hop: None,
        channels: Vec::new(),
        variable: None,
        rate_variable: None,
        skip_lines: None,
        sample_rate_hz: None,
        resample: false,
        padding: PaddingConfig::Refuse,
        normalization: NormalizationConfig::ZScore { epsilon: 1e-8 },
        limit: None,
        split: Split::Time { training: 0.5, held_out: 0.25 },
    }
}

const LIST: Split = Split::List { held_out_share: 0.0 };

fn open_folder(folder: &Path, config: &SignalConfig) -> Result<Data, DatasetError> {
    open(1, config, folder, None, false)
}

fn refuse(folder: &tempfile::TempDir, config: &SignalConfig) -> String {
    open_folder(folder.path(), config).unwrap_err().to_string()
}

fn read_all(part: &Part) -> Vec<(usize, Array2<f32>)> {
    let read = |&index: &usize| {
        let mut values = Array2::zeros((1, 10));
        part.source.read(index, 0, values.view_mut().into_dyn()).unwrap();
        (part.source.label(index), values)
    };
    part.indices.iter().map(read).collect()
}

#[test]
fn recordings_in_folders_become_windows_of_three_subsets() {
    let folder =
        folder(&[("worn/10.wav", ramp(80)), ("worn/9.wav", ramp(40)), ("new/a.wav", ramp(40))]);
    let data = open_folder(folder.path(), &config()).unwrap();
    assert_eq!(data.classes, ["new", "worn"]);
    assert_eq!(data.training.indices.len(), 3 + 3 + 7);
    assert_eq!(data.held_out.indices.len(), 1 + 1 + 3);
    assert_eq!(data.test.as_ref().unwrap().indices.len(), 1 + 1 + 2);
    let InputSpec::Signal(spec) = &data.input else { panic!("no signal") };
    assert_eq!((spec.channels, spec.sample_rate_hz), (1, Some(8000.0)));
    let names: Vec<String> =
        data.training.indices.iter().map(|&index| data.training.source.name(index)).collect();
    assert_eq!(names[3], "worn/9.wav, samples 0 to 9");
    assert!(data.description.contains("first 50 % trained on"), "{}", data.description);
}

#[test]
fn a_temporary_file_gives_what_memory_gives() {
    let folder = folder(&[("a/x.wav", ramp(90)), ("b/y.wav", ramp(70))]);
    let read = |max_in_memory| {
        let data = open_within(1, &config(), folder.path(), None, false, max_in_memory).unwrap();
        [read_all(&data.training), read_all(&data.held_out), read_all(&data.test.unwrap())]
    };
    assert_eq!(read(100), read(1 << 20));
}

#[test]
fn a_limit_leaves_windows_out_by_the_seed() {
    let folder = folder(&[("a/x.wav", ramp(900)), ("b/y.wav", ramp(900))]);
    let config = SignalConfig { limit: Some(20), ..config() };
    let indices = |seed| open(seed, &config, folder.path(), None, false).unwrap().training.indices;
    assert_eq!(indices(1).len(), 20);
    assert_eq!(indices(1), indices(1));
    assert_ne!(indices(1), indices(2));
}

#[test]
fn folders_without_two_classes_are_refused() {
    let is_refused = |files: &[(&str, Vec<u8>)], reason: &str| {
        let said = refuse(&folder(files), &config());
        assert!(said.contains(reason), "{said}");
    };
    is_refused(&[("x.wav", ramp(80))], "it has no class");
    is_refused(&[("x.wav", ramp(80))], "data={kind=\"windows\"");
    is_refused(&[("a/x.wav", ramp(80))], "single class \"a\"");
    is_refused(&[("a/x.wav", ramp(80)), ("b/notes.md", Vec::new())], "class \"b\" has no file");
}

#[test]
fn a_bad_file_is_named_or_skipped() {
    let files = [("a/x.wav", ramp(80)), ("a/bad.wav", b"no wave".to_vec()), ("b/y.wav", ramp(80))];
    let good = folder(&files);
    let said = refuse(&good, &config());
    assert!(said.contains("a/bad.wav: it is not a valid WAV file"), "{said}");
    let data = open(1, &config(), good.path(), None, true).unwrap();
    assert!(data.skipped.len() == 1 && data.skipped[0].contains("bad.wav"), "{:?}", data.skipped);
    let nothing_left = folder(&files[1..]);
    let said = open(1, &config(), nothing_left.path(), None, true).unwrap_err().to_string();
    assert!(said.contains("class \"a\" has no input to train on"), "{said}");
}

#[test]
fn short_recordings_other_rates_and_new_matlab_files_are_named() {
    let is_refused = |bytes: Vec<u8>, config: &SignalConfig, reasons: &[&str]| {
        let said = refuse(&folder(&[("a/x.wav", ramp(80)), ("b/y.wav", bytes)]), config);
        assert!(
            reasons.iter().all(|reason| said.contains(reason)) && said.contains("y.wav"),
            "{said}"
        );
    };
    is_refused(ramp(9), &config(), &["its 9 samples are too few for a window of 10"]);
    is_refused(ramp(18), &config(), &["9 of its 18 samples are to train on"]);
    let cure = "train with --set data.sample_rate_hz=8000 --set data.resample=true to resample";
    is_refused(wav(&[0; 80], 16_000), &config(), &["its sample rate is 16000 Hz", cure]);
    let wanted = SignalConfig { sample_rate_hz: Some(8000.0), ..config() };
    let cure = "train with --set data.sample_rate_hz=16000, or --set data.resample=true";
    is_refused(wav(&[0; 80], 16_000), &wanted, &["the recipe's is 8000 Hz", cure]);
    let mut hdf = b"MATLAB 7.3 MAT-file".to_vec();
    hdf.resize(124, b' ');
    hdf.extend([0x00, 0x02, b'I', b'M']);
    hdf.resize(512, 0);
    hdf.extend(b"\x89HDF\r\n\x1a\n");
    hdf.resize(600, 0);
    is_refused(hdf, &config(), &["7.3"]);
}

#[test]
fn too_few_held_out_inputs_are_refused_with_how_to_get_more() {
    let folder = folder(&[("a/x.wav", ramp(80)), ("b/y.wav", ramp(80))]);
    let settings = ["data.window=10", "data.hop=5", "batch=2"];
    let recipe = crate::recipe::preset("paper-1d").unwrap().set(&settings).unwrap();
    let said = Data::open(&recipe, folder.path(), None, false).unwrap_err().to_string();
    let cure = "use longer recordings or more files, or a larger share in data.split";
    let reason = "the split leaves 0 inputs to hold out, but at least 2 are required";
    assert!(said.ends_with(&format!("{reason}: {cure}")), "{said}");
}

#[test]
fn recipes_that_cannot_be_are_refused() {
    let empty = folder(&[]);
    let random = Split::Random { held_out: 0.1, test: 0.1 };
    for (config, reason) in [
        (SignalConfig { split: random, ..config() }, "cannot be split at random"),
        (SignalConfig { hop: 0, ..config() }, "hop must be at least 1"),
        (SignalConfig { window: 0, ..config() }, "window must be at least 1"),
        (SignalConfig { resample: true, ..config() }, "data.resample requires data.sample_rate_hz"),
        (SignalConfig { sample_rate_hz: Some(0.0), ..config() }, "positive"),
    ] {
        let said = refuse(&empty, &config);
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn the_input_remembers_the_channels_that_were_taken() {
    let table = |first: usize| -> Vec<u8> {
        let rows =
            (0..80).map(|row| format!("{},{},{}\n", first + row * row % 7, row % 5, row % 3));
        rows.fold("x,y,z\n".to_owned(), |text, row| text + &row).into_bytes()
    };
    let folder = folder(&[("a/1.csv", table(1)), ("b/2.csv", table(2))]);
    let two = ["2".to_owned(), "x".to_owned()];
    let config = SignalConfig { channels: two.to_vec(), ..config() };
    let data = open_folder(folder.path(), &config).unwrap();
    let InputSpec::Signal(spec) = data.input else { panic!("no signal") };
    let channels = ["z", "x"].map(str::to_owned).to_vec();
    assert_eq!(spec.source, Some(SignalSource { channels, ..SignalSource::default() }));
}

/// Regression: two empty files under two labels were refused although both were to be left out.
#[test]
fn bad_files_with_the_same_contents_are_left_out_whatever_their_labels() {
    let bad = b"no wave".to_vec();
    let (a, b) = (ramp(80), ramp(80));
    let files = |b: Vec<u8>| {
        folder(&[
            ("a/x.wav", a.clone()),
            ("a/1.wav", bad.clone()),
            ("b/1.wav", bad.clone()),
            ("b/y.wav", b),
        ])
    };
    assert!(refuse(&files(b.clone()), &config()).contains("under two labels"));
    let data = open(1, &config(), files(b).path(), None, true).unwrap();
    assert_eq!(data.skipped.len(), 2, "{:?}", data.skipped);
    assert!(data.description.ends_with("2 files are left out because of a fault"));
    let said = open(1, &config(), files(a.clone()).path(), None, true).unwrap_err().to_string();
    assert!(said.contains("under two labels: a/x.wav (a, training) and b/y.wav"), "{said}");
}

/// Regression: one constant window stopped the training, and silence moved the windows behind it.
#[test]
fn constant_windows_are_left_out_and_counted_unless_they_are_the_most_of_a_class() {
    let still = |from: i16| wav(&(0..80).map(|n| n.min(from)).collect::<Vec<_>>(), 8000);
    let files = |y, z| folder(&[("a/x.wav", ramp(80)), ("b/y.wav", y), ("b/z.wav", z)]);
    let open_files = |folder: &tempfile::TempDir| open_folder(folder.path(), &config()).unwrap();
    let data = open_files(&files(still(32), ramp(80)));
    assert_eq!(data.training.indices.len(), 7 + 7 + 7);
    assert_eq!(data.held_out.indices.len(), 3 + 3);
    assert_eq!(data.test.as_ref().unwrap().indices.len(), 2 + 2);
    let last = data.training.indices[7 + 6];
    assert_eq!(data.training.source.name(last), "b/y.wav, samples 30 to 39");
    let told = "5 of 36 windows were left out because a channel is constant";
    assert!(data.description.contains(told), "{}", data.description);
    let place = format!("{told}: b/y.wav (5)");
    assert!(data.notes.iter().any(|note| note.to_string() == place), "{:?}", data.notes);
    // A whole recording.
    let data = open_files(&files(still(0), ramp(80)));
    assert_eq!((data.training.indices.len(), data.skipped.len()), (7 + 7, 0));
    let most = files(still(0), still(32));
    let said = refuse(&most, &config());
    let reason = "in 17 of the 24 windows of the class \"b\"";
    assert!(said.contains(reason) && said.contains("--skip-bad"), "{said}");
    let data = open(1, &config(), most.path(), None, true).unwrap();
    assert_eq!((data.training.indices.len(), data.skipped.len()), (7 + 7, 0));
}
