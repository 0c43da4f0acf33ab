//! Files written by other tools, and real bearing records, are read to the same numbers as by
//! `SciPy` and NumPy.
//!
//! `tests/recordings/make.py` writes the files and `expected.json`.

#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::{
    fs,
    path::{Path, PathBuf},
};

use drsn_recording::{ChannelId, Limits, Recording, RecordingFormat, Selection};
use ndarray::Axis;
use serde::Deserialize;

const LIMITS: Limits = Limits::new(64 << 20, 8 << 20);

/// What `scipy.io.loadmat` returns: name, length, sum, and sum of `x[i] * (i mod 97)`, all in 64
/// bits.
const CWRU: [(&str, &str, usize, f64, f64); 5] = [
    ("48k_Drive_End_IR014_0_174.mat", "X173_DE_time", 63_788, 2_397.219, 114_397.10),
    ("normal_0_97.mat", "X097_DE_time", 243_938, 3_063.425, 146_910.32),
    ("12k_Drive_End_B007_0_118.mat", "X118_DE_time", 122_571, 1_545.259, 72_718.74),
    ("12k_Drive_End_OR021@6_3_237.mat", "X237_DE_time", 121_991, 433.067, 22_450.39),
    ("12k_Drive_End_IR021_2_211.mat", "X211_DE_time", 121_846, 417.747, 18_315.21),
];

/// The expected result for one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    file: String,
    /// The variable to select.
    variable: Option<String>,
    channels: Option<Vec<Vec<f64>>>,
    names: Option<Vec<Option<String>>>,
    sample_rate_hz: Option<f64>,
    /// What is said of an audio file.
    notice: Option<String>,
    /// The message, if the file is rejected.
    error: Option<String>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// Regression: the name was told, and remembered by models; by it, the first of the columns that
/// have it is read, which is another one.
#[test]
fn a_column_whose_name_others_have_too_has_no_name() {
    let row = |n: u32| format!("{}.5,{}.5,{}.5\n", n * n % 7, n % 5, n % 3);
    let table: String = (0..99).map(row).collect();
    let table = format!("x,y,y\n{table}");
    let names = |channels: &[usize]| -> Vec<Option<String>> {
        let channel = channels.iter().map(|&n| ChannelId::Index(n)).collect();
        let selection = Selection { channel, ..Selection::default() };
        let limits = Limits::new(1 << 20, 1 << 20);
        let read = Recording::read(RecordingFormat::Csv, table.as_bytes(), &selection, &limits);
        read.unwrap().names
    };
    assert_eq!(names(&[2]), [None]);
    assert_eq!(names(&[]), [Some("x".to_owned()), None, None]);
}

#[test]
fn files_of_other_tools_are_read_to_the_same_numbers() {
    let expected: Vec<Expected> =
        serde_json::from_slice(&fs::read(folder().join("expected.json")).unwrap()).unwrap();
    for case in expected {
        let selection = Selection { variable: case.variable, ..Selection::default() };
        let read = Recording::open(&folder().join(&case.file), &selection, &LIMITS);
        let file = case.file;
        match (read, case.error) {
            (Ok(recording), None) => {
                let found: Vec<Vec<f32>> =
                    recording.samples.rows().into_iter().map(|row| row.to_vec()).collect();
                let channels: Vec<Vec<f32>> = case
                    .channels
                    .unwrap()
                    .iter()
                    .map(|samples| samples.iter().map(|&x| x as f32).collect())
                    .collect();
                assert_eq!(found, channels, "{file}");
                assert_eq!(recording.sample_rate_hz, case.sample_rate_hz, "{file}");
                assert_eq!(recording.names, case.names.unwrap(), "{file}");
                let said = recording.notices.first().map(|notice| &notice.message);
                assert_eq!(said, case.notice.as_ref(), "{file}");
            }
            (Err(error), Some(expected)) => assert_eq!(error.to_string(), expected, "{file}"),
            (Ok(_), Some(error)) => panic!("{file} was read instead of being rejected: {error}"),
            (Err(error), None) => panic!("{file} was rejected: {error}"),
        }
    }
}

#[test]
fn channels_are_selected_by_position_in_every_format() {
    for file in
        ["wide.mat", "tall.mat", "fortran.npy", "wav_pcm_24.wav", "16.aiff", "16.flac", "comma.csv"]
    {
        let open = |channel: Vec<ChannelId>| {
            let selection = Selection { channel, ..Selection::default() };
            Recording::open(&folder().join(file), &selection, &LIMITS)
        };
        let mut both = open(Vec::new()).unwrap();
        let swapped = open(vec![ChannelId::Index(1), ChannelId::Index(0)]).unwrap();
        both.names.reverse();
        both.samples.invert_axis(Axis(0));
        assert_eq!(swapped, both, "{file}");
        let error = open(vec![ChannelId::Index(2)]).unwrap_err().to_string();
        assert!(error.starts_with("it has no channel 2; it has "), "{file}: {error}");
    }
}

#[test]
fn the_first_bytes_of_a_file_precede_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Recording::open(&path, &Selection::default(), &LIMITS).map_err(|error| error.to_string())
    };
    let wav = fs::read(self::folder().join("wav_pcm_16.wav")).unwrap();
    assert_eq!(open("signal.csv", &wav).unwrap().sample_rate_hz, Some(48_000.0));
    assert_eq!(open("signal.TXT", b"1\n2\n").unwrap().len(), 2);
    // Loggers name their files by the time, which is no ending.
    assert_eq!(open("2003.10.22.12.06.24", b"1\n2\n").unwrap().len(), 2);
    for other in [&b"\x00\x01\x02 12"[..], b"{ 1 }", b"no numbers"] {
        assert!(open("signal", other).unwrap_err().starts_with("its format is not recognized"));
    }
    assert!(open("signal", b"{\"a\": 1}").unwrap_err().starts_with("it is a JSON file"));
    // Every other format has a mark, so that a text is a table, whatever it is called.
    for name in ["signal.wav", "signal.npy", "signal.mat", "signal.flac.gz"] {
        assert_eq!(open(name, b"x\n0.5\n1.5\n").unwrap().names, [Some("x".to_owned())], "{name}");
        assert!(open(name, b"no numbers").unwrap_err().contains("not a valid"), "{name}");
    }
}

/// The folder of the bearing records, if it is there.
fn bearing_records() -> Option<PathBuf> {
    let data = std::env::var_os("DRSN_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("cwru");
    if !folder.is_dir() {
        skip::skip(&format!("there are no bearing records: {} is missing", folder.display()));
        return None;
    }
    Some(folder)
}

fn drive_end(path: &Path) -> Recording {
    let selection = Selection { variable: Some("DE_time".to_owned()), ..Selection::default() };
    Recording::open(path, &selection, &LIMITS)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn all_bearing_records_are_read_and_plausible() {
    let Some(folder) = bearing_records() else { return };
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "mat") {
            continue;
        }
        files += 1;
        let recording = drive_end(&path);
        let [Some(name)] = &recording.names[..] else { panic!("not one channel: {recording:?}") };
        assert!(name.ends_with("DE_time"));
        assert!((60_000..500_000).contains(&recording.len()), "{}", recording.len());
        // Accelerations in g; the largest in these records are below 10.
        assert!(recording.samples.iter().all(|x| x.abs() < 10.0), "{}", path.display());
    }
    assert_eq!(files, 46);
}

#[test]
fn bearing_records_have_the_length_and_sums_that_scipy_finds() {
    let Some(folder) = bearing_records() else { return };
    for (file, name, length, sum, weighted) in CWRU {
        let recording = drive_end(&folder.join(file));
        assert_eq!((recording.names[0].as_deref(), recording.len()), (Some(name), length));
        let samples = || recording.samples.iter().map(|&x| f64::from(x));
        let found = samples().sum::<f64>();
        let found_weighted = samples().enumerate().map(|(i, x)| x * (i % 97) as f64).sum::<f64>();
        // Each sample is rounded to 24 bits.
        assert!((found - sum).abs() < 1e-3, "{file}: {found} and {sum}");
        assert!((found_weighted - weighted).abs() < 0.1, "{file}: {found_weighted} and {weighted}");
    }
}
