//! What is written, and that it stays within its budget and whole.

use drsn_bundle::{Filter, Geometry, ImageSpec, Normalization, SignalSpec, input::ImageFile};
use drsn_recording::{Limits, WavReader};
use std::{collections::BTreeSet, fs, path::Path};
use tempfile::{TempDir, tempdir};

use super::{formats::Encoded, ring::Written, *};

fn signal(channels: usize, sample_rate_hz: Option<f64>) -> InputSpec {
    InputSpec::Signal(SignalSpec {
        channels,
        window: 4,
        sample_rate_hz,
        normalization: Normalization::None,
        source: None,
        padding: None,
    })
}

fn image(channels: usize) -> ImageSpec {
    ImageSpec {
        channels,
        height: 2,
        width: 3,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
    }
}

fn item(model: &str, values: Vec<f32>) -> Item {
    let labels = ModelLabels { model: model.to_owned(), version: "1".to_owned() };
    let rules = Rules::new(&flags(None));
    Item {
        kept: Kept {
            reasons: rules.reasons(true, false, 0.2).unwrap(),
            request: Some(Uuid::from_u128(7)),
            start: Some(12),
            predicted: "inner, \"worn\"".to_owned(),
            probability: 0.2,
            prediction: RawValue::from_string("{\"label\":\"inner\"}".to_owned()).unwrap(),
            values,
        },
        time: SystemTime::now(),
        input: Arc::new(signal(1, Some(8000.0))),
        metrics: Metrics::new().captures(&labels),
        labels: Arc::new(labels),
    }
}

fn flags(folder: Option<&Path>) -> CaptureFlags {
    CaptureFlags {
        folder: folder.map(Path::to_owned),
        capture_bytes: (1 << 30).try_into().unwrap(),
        capture_below: 0.5,
        capture_share: 0.0,
        capture_per_minute: 60.try_into().unwrap(),
    }
}

fn ring(folder: &TempDir, budget: u64) -> Ring {
    Ring::new(Folder::open(folder.path()).unwrap(), budget)
}

/// The files below a folder, without the lock.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(".drsn-capture.lock") {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// The bytes that the files take in blocks.
fn size(folder: &Path) -> u64 {
    let length = |file| fs::metadata(folder.join(file)).unwrap().len();
    files(folder).into_iter().map(|file| length(file).next_multiple_of(4096)).sum()
}

#[test]
fn a_signal_with_a_whole_rate_is_a_wav_file_with_every_bit() {
    let values = [0.1, -2.5e-7, 3.0e9, 0.0, 5.0, 6.0, 7.0, -8.0];
    let Encoded { ending, bytes } = Encoded::of(&signal(2, Some(48_000.0)), &values);
    assert_eq!(ending, "wav");
    let mut reader = WavReader::new(bytes.as_slice(), &Limits::new(1 << 20, 1 << 20)).unwrap();
    assert_eq!(reader.sample_rate_hz().to_bits(), 48_000_f64.to_bits());
    let channels = reader.next_block(100).unwrap().unwrap();
    assert_eq!(channels.dim(), (2, 4));
    assert!(channels.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert!(reader.notices().is_empty(), "{:?}", reader.notices());
}

#[test]
fn a_signal_without_a_whole_rate_is_an_npy_file() {
    for rate in [None, Some(25_600.5)] {
        let Encoded { ending, bytes } = Encoded::of(&signal(1, rate), &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((ending, &bytes[..8]), ("npy", b"\x93NUMPY\x01\0".as_slice()));
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!(((10 + header) % 64, bytes.len()), (0, 10 + header + 16));
        assert!(String::from_utf8_lossy(&bytes[10..]).contains("'shape': (1, 4)"));
    }
}

#[test]
fn a_picture_is_a_png_file_that_is_read_as_the_same_numbers() {
    for channels in [1, 3] {
        let spec = image(channels);
        let fine: Vec<f32> = (0..6 * channels).map(|n| n as f32 / 17.3).collect();
        let coarse: Vec<f32> = fine.iter().map(|v| (v * 255.0).round() / 255.0).collect();
        for (values, tolerance) in [(coarse, 0.0), (fine, 1e-5)] {
            let Encoded { ending, bytes } = Encoded::of(&InputSpec::Image(spec.clone()), &values);
            assert_eq!(ending, "png");
            let picture = ImageFile::open(&bytes, 1 << 20).unwrap();
            let read = picture.pixels(&spec, None).unwrap();
            assert!(read.iter().zip(&values).all(|(a, b)| (a - b).abs() <= tolerance), "{read}");
        }
    }
    let outside = Encoded::of(&InputSpec::Image(image(1)), &[1.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(outside.ending, "npy");
}

#[test]
fn an_input_is_a_file_and_a_line_in_both_tables() {
    let folder = tempdir().unwrap();
    let mut ring = ring(&folder, 1 << 20);
    assert_eq!(ring.keep(&item("a", vec![1.0, 2.0, 3.0, 4.0])).unwrap(), Written::Yes);
    let files = files(folder.path());
    let segment = files.first().unwrap().rsplit_once('/').unwrap().0.to_owned();
    let name = segment.rsplit_once('/').unwrap().1;
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.contains(&format!("{segment}/000001-shift.wav")), "{files:?}");
    let text = |file| fs::read_to_string(folder.path().join(&segment).join(file)).unwrap();
    let line: serde_json::Value = serde_json::from_str(&text("answers.jsonl")).unwrap();
    assert_eq!(line["file"], format!("{name}/000001-shift.wav"));
    assert_eq!((&line["start"], &line["end"]), (&12.into(), &16.into()));
    assert_eq!(line["reasons"], serde_json::json!(["shift", "uncertain"]));
    assert_eq!(line["prediction"]["label"], "inner");
    let index = text("index.csv");
    let row = index.lines().nth(1).unwrap();
    let id = Uuid::from_u128(7);
    assert!(row.starts_with(&format!("{name}/000001-shift.wav,,{id},")), "{row}");
    assert!(row.contains(",8000,\"inner, \"\"worn\"\"\",0.2,shift uncertain,20"), "{row}");
}

/// A smoke test that sends the same picture every second filled the folder with it.
#[test]
fn the_same_input_is_kept_once_for_each_model() {
    let folder = tempdir().unwrap();
    let mut ring = ring(&folder, 1 << 20);
    let mut keep = |model| ring.keep(&item(model, vec![1.0; 4])).unwrap();
    assert_eq!([keep("a"), keep("a"), keep("b")], [Written::Yes, Written::Repeated, Written::Yes]);
}

#[test]
fn the_oldest_segments_make_room_and_the_budget_holds_over_restarts() {
    const BUDGET: u64 = 1 << 20;
    let folder = tempdir().unwrap();
    let mut number = 0.0;
    let mut first = None;
    for start in 0..3 {
        let mut ring = ring(&folder, BUDGET);
        for _ in 0..200 {
            number += 1.0;
            let model = if number % 3.0 == 0.0 { "a" } else { "b" };
            ring.keep(&item(model, vec![number, 0.0, 0.0, 0.0])).unwrap();
            if number % 20.0 == 0.0 {
                assert!(size(folder.path()) <= BUDGET, "start {start}");
            }
        }
        let oldest = files(folder.path()).first().cloned();
        assert!(start == 0 || oldest != first, "the oldest are deleted");
        first = oldest;
    }
    assert!(size(folder.path()) > BUDGET / 2, "{}", size(folder.path()));
}

#[test]
fn what_a_killed_server_had_not_written_completely_is_mended() {
    let folder = tempdir().unwrap();
    ring(&folder, 1 << 20).keep(&item("a", vec![1.0; 4])).unwrap();
    let all = files(folder.path());
    let of = |end: &str| folder.path().join(all.iter().find(|f| f.ends_with(end)).unwrap());
    let whole = [fs::read(of("answers.jsonl")).unwrap(), fs::read(of("index.csv")).unwrap()];
    for (table, bytes) in ["answers.jsonl", "index.csv"].into_iter().zip(&whole) {
        fs::write(of(table), [bytes.as_slice(), b"{\"half"].concat()).unwrap();
    }
    fs::write(of("index.csv").with_file_name(".000002-shift.wav.writing"), "RIFF").unwrap();
    let removed = folder.path().join(".removed-20260101T000000.000Z");
    fs::create_dir(&removed).unwrap();
    fs::write(removed.join("000001-shift.wav"), "").unwrap();
    let own = folder.path().join("a/1/by hand");
    fs::create_dir(&own).unwrap();

    ring(&folder, 1 << 20).keep(&item("a", vec![2.0; 4])).unwrap();
    assert_eq!(whole, [fs::read(of("answers.jsonl")).unwrap(), fs::read(of("index.csv")).unwrap()]);
    assert!(!removed.exists() && own.exists());
    assert!(!files(folder.path()).iter().any(|file| file.contains(".writing")));
}

#[test]
fn a_segment_that_somebody_took_away_is_followed_by_another() {
    let folder = tempdir().unwrap();
    let mut ring = ring(&folder, 1 << 20);
    ring.keep(&item("a", vec![1.0; 4])).unwrap();
    fs::remove_dir_all(folder.path().join("a")).unwrap();
    assert_eq!(ring.keep(&item("a", vec![2.0; 4])).unwrap(), Written::Yes);
    assert_eq!(files(folder.path()).len(), 3);
}

/// An empty folder is what is left where a volume was mounted: what is written there fills the disk
/// of the system.
#[test]
fn nothing_is_written_to_another_folder_than_at_the_start() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("captured");
    fs::create_dir(&path).unwrap();
    let mut ring = Ring::new(Folder::open(&path).unwrap(), 1 << 20);
    fs::rename(&path, parent.path().join("away")).unwrap();
    assert_eq!(ring.keep(&item("a", vec![1.0; 4])).unwrap_err().kind(), io::ErrorKind::NotFound);
    fs::create_dir(&path).unwrap();
    fs::write(path.join(".drsn-capture.lock"), "").unwrap();
    let error = ring.keep(&item("a", vec![1.0; 4])).unwrap_err().to_string();
    assert!(error.contains("restart the server"), "{error}");
    assert!(files(&path).is_empty());
    fs::remove_dir_all(&path).unwrap();
    fs::rename(parent.path().join("away"), &path).unwrap();
    assert_eq!(ring.keep(&item("a", vec![1.0; 4])).unwrap(), Written::Yes, "it is back");
}

#[test]
fn a_folder_is_used_by_one_server_at_a_time() {
    let folder = tempdir().unwrap();
    let first = Folder::open(folder.path()).unwrap();
    let error = Folder::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("in use by another server"), "{error}");
    drop(first);
    assert!(Folder::open(folder.path()).is_ok());
    let missing = Folder::open(&folder.path().join("missing")).unwrap_err();
    assert!(missing.to_string().contains("it must exist and be writable"), "{missing}");
}

#[test]
fn an_input_that_is_larger_than_the_budget_is_refused() {
    let folder = tempdir().unwrap();
    let error = ring(&folder, 32).keep(&item("a", vec![1.0; 4])).unwrap_err();
    assert!(error.to_string().contains("larger than --capture-bytes 32"), "{error}");
}
