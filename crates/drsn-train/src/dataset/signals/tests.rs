//! Recordings in folders and indexes, valid and invalid.

use std::fs;

use ndarray::Array2;

use super::*;
use crate::dataset::Part;

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

fn ramp(length: usize) -> Vec<u8> {
    wav(&(0..length as i16).collect::<Vec<_>>(), 8000)
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
        sample_rate_hz: None,
        resample: false,
        normalization: NormalizationConfig::ZScore { epsilon: 1e-8 },
        limit: None,
        split: Split::Time { training: 0.5, held_out: 0.25 },
    }
}

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
fn another_rate_is_converted_if_the_recipe_says_so() {
    let folder = folder(&[("a/x.wav", ramp(80)), ("b/y.wav", wav(&[100; 160], 16_000))]);
    let config = SignalConfig { sample_rate_hz: Some(8000.0), resample: true, ..config() };
    let data = open_folder(folder.path(), &config).unwrap();
    assert_eq!(data.training.indices.len(), 14);
}

/// It was once taken as if it had the recipe's rate.
#[test]
fn a_recording_of_unknown_rate_is_not_converted_before_an_index_gives_the_rate() {
    let table = |values: usize| -> Vec<u8> {
        (0..values).flat_map(|value| format!("{value}\n").into_bytes()).collect()
    };
    let folder = folder(&[("a/x.wav", ramp(80)), ("b/y.csv", table(160))]);
    let config = SignalConfig { sample_rate_hz: Some(8000.0), resample: true, ..config() };
    let said = refuse(&folder, &config);
    let cure = "its sample rate is unknown: add it to the index as sample_rate_hz";
    assert!(said.contains("y.csv") && said.ends_with(cure), "{said}");
    let index = folder.path().join("index.csv");
    let lines = "file,label,sample_rate_hz\na/x.wav,a,\nb/y.csv,b,16000\n";
    fs::write(&index, lines).unwrap();
    let data = open(1, &config, folder.path(), Some(&index), false).unwrap();
    assert_eq!(data.training.indices.len(), 14);
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
fn an_index_names_files_labels_groups_and_rates() {
    let table = |rate: u32| {
        format!(
            "file,label,group,sample_rate_hz\nx.wav,worn,0,8000\ny.wav,new,1,{rate}\n\
             z.wav,new,0,\nx.wav,worn,1,\n"
        )
    };
    let wavs = ["x.wav", "y.wav", "z.wav"].map(|name| (name, ramp(80)));
    let folder = folder(&wavs);
    let index = folder.path().join("index.csv");
    let split =
        Split::Group { test: vec!["0".to_owned()], held_out: Vec::new(), held_out_share: 0.5 };
    let config = SignalConfig { split, ..config() };
    let open = || open(1, &config, folder.path(), Some(&index), false);
    fs::write(&index, table(8000)).unwrap();
    let data = open().unwrap();
    assert_eq!(data.classes, ["worn", "new"]);
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (14, 14));
    assert_eq!(data.test.unwrap().indices.len(), 16);
    fs::write(&index, table(9000)).unwrap();
    assert!(open().unwrap_err().to_string().contains("the index says 9000"));
    fs::write(&index, table(8000) + "gone.wav,new,1,\n").unwrap();
    assert!(open().unwrap_err().to_string().contains("gone.wav: it cannot be read"));
}

#[test]
fn folders_named_after_the_subsets_split_by_list() {
    let folder = folder(&[
        ("training/a/x.wav", ramp(40)),
        ("training/b/x.wav", ramp(40)),
        ("held-out/b/x.wav", ramp(20)),
        ("test/a/x.wav", ramp(30)),
    ]);
    let data =
        open_folder(folder.path(), &SignalConfig { split: Split::List, ..config() }).unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    let counts = [&data.training, &data.held_out, &data.test.unwrap()].map(|p| p.indices.len());
    assert_eq!(counts, [14, 3, 3]);
}

#[test]
fn names_that_are_not_utf_8_are_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = folder(&[("a/x.wav", ramp(40)), ("b/x.wav", ramp(40))]);
    let name = std::ffi::OsStr::from_bytes(b"b/\xff.wav");
    fs::write(folder.path().join(name), ramp(40)).unwrap();
    let said = refuse(&folder, &config());
    assert!(said.contains("is not UTF-8"), "{said}");
}

/// Regression: `run.csv.gz` was not found, and would not have been read.
#[test]
fn recordings_that_were_packed_are_found_and_read() {
    use std::io::Write as _;

    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let plain = folder(&[("a/1.wav", ramp(100)), ("b/1.wav", ramp(200))]);
    let same = folder(&[
        ("a/1.wav.gz", packed(&ramp(100))),
        ("a/notes.gz", packed(b"no recording by its name")),
        ("b/1.WAV.GZ", packed(&ramp(200))),
    ]);
    let [plain, same] = [plain, same].map(|folder| open_folder(folder.path(), &config()).unwrap());
    assert_eq!(read_all(&same.training), read_all(&plain.training));
}
