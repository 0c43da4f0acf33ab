//! Files as loggers, scopes, spreadsheets and libraries write them: the trainer reads of each what the
//! server reads, which `tests/serve/reported.rs` tests with the same files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use drsn_train::{
    dataset::{Data, Part},
    recipe::Recipe,
};
use ndarray::{Array1, Array2, Array3};

use crate::skip;

/// Recordings that need no options.
const RECORDINGS: [&str; 15] = [
    "reference.csv",
    "csv/pandas-default.csv",
    "csv/pandas-resaved.csv",
    "csv/trailing-delimiter.csv",
    "csv/sep-line.csv",
    "csv/cr-only.csv",
    "csv/ctrl-z.csv",
    "csv/unicode-minus.csv",
    "csv/decimal-comma-one-column.csv",
    "csv/units-row-and-blank.csv",
    "csv/scope-preamble.csv",
    "wav/declared-16-bytes-more.wav",
    "wav/odd-byte.wav",
    "npy/column.npy",
    "mat/v4.mat",
];

/// Recordings that need options, as an index gives them.
const INDEX: &str = "\
file,label,split,channel,variable,rate_variable,skip_lines
csv/text-column-beside.csv,a,train,accel,,,
csv/numbered-channels.csv,b,train,1,,,
csv/2003.10.22.12.06.24,a,val,0,,,
mat/struct.mat,b,val,,bearing.gs,sr,
csv/scope-preamble.csv,a,test,,,,5
";

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("DRSN_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("reported");
    if folder.is_dir() {
        return Some(folder);
    }
    skip::skip("there are no reported files: the folder reported of DRSN_TEST_DATA is missing");
    None
}

/// A recipe for this data, of the batches that so few files allow.
fn recipe(data: &str) -> Recipe {
    let recipe = format!(
        r#"
        seed = 1
        epochs = 1
        batch = 2
        shards = 1
        data = {{ {data}, split = {{ by = "list" }} }}
        optimizer = {{ kind = "sgd", learning_rate = 0.1 }}
        schedule = {{ kind = "constant" }}
        [network]
        unit = "cw"
        stem = {{ channels = 4, kernel = 3, stride = 1 }}
        stages = []
        norm_epsilon = 1e-5
        norm_momentum = 0.9
        "#
    );
    toml::from_str(&recipe).unwrap()
}

fn signals(options: &str) -> Recipe {
    recipe(&format!(
        "kind = \"signals\", window = 2048, hop = 2048, sample_rate_hz = 48000, \
         normalization = {{ kind = \"z-score\", epsilon = 1e-8 }}{options}"
    ))
}

fn parts(data: &Data) -> impl Iterator<Item = &Part> {
    [&data.training, &data.held_out].into_iter().chain(&data.test)
}

/// The only window of each recording, with its name, prepared for the network.
fn windows(data: &Data) -> Vec<(String, Array1<f32>)> {
    let read = |part: &Part, index: usize| {
        let mut window = Array2::zeros((1, 2048));
        part.source.read(index, 0, window.view_mut().into_dyn()).unwrap();
        data.input.prepare(window.as_slice_mut().unwrap()).unwrap();
        (part.source.name(index), window.row(0).to_owned())
    };
    parts(data).flat_map(|part| part.indices.iter().map(move |&index| read(part, index))).collect()
}

/// The right samples, prepared in the same way.
fn reference(folder: &Path, data: &Data) -> Array1<f32> {
    let text = fs::read_to_string(folder.join("reference.csv")).unwrap();
    let mut samples: Array1<f32> = text.lines().map(|line| line.parse::<f32>().unwrap()).collect();
    assert_eq!(samples.len(), 2048);
    data.input.prepare(samples.as_slice_mut().unwrap()).unwrap();
    samples
}

/// The files differ in the decimals that they keep, down to three and to 16 bits.
fn assert_reference(folder: &Path, data: &Data) {
    let right = reference(folder, data);
    for (name, window) in windows(data) {
        assert!(name.ends_with("samples 0 to 2047"), "{name}");
        let furthest = (&window - &right).fold(0.0_f32, |furthest, x| furthest.max(x.abs()));
        assert!(furthest < 2e-3, "{name}: {furthest} standard deviations from the reference");
    }
}

/// Copies files to places in a new folder.
fn copied<'a>(
    reported: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (place, file) in files {
        let path = folder.path().join(place).join(file.rsplit('/').next().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, fs::read(reported.join(file)).unwrap()).unwrap();
    }
    folder
}

/// Folders of a split, and of two classes.
const PLACES: [&str; 6] = ["train/a", "train/b", "val/a", "val/b", "test/a", "test/b"];

#[test]
fn every_reported_recording_gives_the_samples_of_the_reference() {
    let Some(reported) = folder() else { return };
    let folder = copied(&reported, PLACES.into_iter().cycle().zip(RECORDINGS));
    let data = Data::open(&signals(""), folder.path(), None, false).unwrap();
    let inputs = parts(&data).map(|part| part.indices.len()).sum::<usize>();
    assert_eq!(inputs, RECORDINGS.len());
    assert_reference(&reported, &data);
    let notes: Vec<&str> = data.notes.iter().map(|note| &*note.text).collect();
    let expected = [
        "notice truncated of 2 files",
        "notice lines_skipped of 1 file",
        "notice rate_assumed of 11 files",
    ];
    assert_eq!(notes, expected, "{:?}", data.notes);
}

#[test]
fn recordings_that_need_options_give_the_samples_of_the_reference_by_an_index() {
    let Some(reported) = folder() else { return };
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index.csv");
    fs::write(&index, INDEX).unwrap();
    let data = Data::open(&signals(""), &reported, Some(&index), false).unwrap();
    assert_eq!(parts(&data).map(|part| part.indices.len()).sum::<usize>(), 5);
    assert_reference(&reported, &data);
    let notes: Vec<&str> = data.notes.iter().map(|note| &*note.text).collect();
    // The text beside, and the times of the scope, whose name is among the lines left out.
    assert_eq!(notes, ["notice columns_skipped of 2 files", "notice rate_assumed of 2 files"]);
}

/// Regression of the server: a table at 12 kHz by its own times was taken as one at 48 kHz.
#[test]
fn a_recording_whose_times_tell_another_rate_is_refused_or_resampled() {
    let Some(reported) = folder() else { return };
    let files = ["csv/units-row-and-blank.csv", "csv/time-column-1.csv", "csv/scope-preamble.csv"];
    let folder =
        copied(&reported, PLACES.into_iter().zip(files).chain([("val/b", "wav/odd-byte.wav")]));
    let open = |options| Data::open(&signals(options), folder.path(), None, false);
    let said = open("").unwrap_err().to_string();
    assert!(said.contains("time-column-1.csv") && said.contains("12000 Hz"), "{said}");
    let slow = windows(&open(", resample = true").unwrap());
    let slow = slow.iter().filter(|(name, _)| name.contains("time-column-1"));
    assert!(slow.count() > 1, "each of its samples becomes four");
}

#[test]
fn every_reported_picture_is_the_seven_that_it_shows() {
    let Some(reported) = folder() else { return };
    let files = ["image/bmp-unused-alpha.bmp", "image/no-end-marker-trailer.jpg"];
    let folder = copied(&reported, PLACES.into_iter().zip(files));
    // Others to hold out, which are not copies of these.
    for place in ["val/a", "val/b"] {
        let mut bytes = fs::read(reported.join(files[0])).unwrap();
        *bytes.last_mut().unwrap() ^= place.len() as u8;
        bytes.push(place.as_bytes()[4]);
        fs::create_dir_all(folder.path().join(place)).unwrap();
        fs::write(folder.path().join(place).join("other.bmp"), bytes).unwrap();
    }
    let seven = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/seven.png");
    fs::create_dir_all(folder.path().join("test/a")).unwrap();
    fs::copy(seven, folder.path().join("test/a/seven.png")).unwrap();
    let images = "kind = \"images\", channels = 1, height = 28, width = 28, \
                  geometry = \"refuse\", filter = \"triangle\"";
    let data = Data::open(&recipe(images), folder.path(), None, false).unwrap();
    let read = |part: &Part, index: usize| {
        let mut pixels = Array3::<f32>::zeros((1, 28, 28));
        part.source.read(index, 0, pixels.view_mut().into_dyn()).unwrap();
        pixels
    };
    let test = data.test.as_ref().unwrap();
    let seven = read(test, test.indices[0]);
    for &index in &data.training.indices {
        let difference = (&read(&data.training, index) - &seven).mapv(f32::abs).mean().unwrap();
        let name = data.training.source.name(index);
        assert!(difference < 0.02, "{name} differs from the seven by {difference} on average");
    }
}
