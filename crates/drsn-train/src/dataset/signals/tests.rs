//! Recordings in folders and indexes, valid and invalid.

use std::{
    fs,
    sync::atomic::{AtomicI16, Ordering},
};

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
        sample_rate_hz: None,
        resample: false,
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
             z.wav,new,0,\nw.wav,worn,1,\n"
        )
    };
    let wavs = ["x.wav", "y.wav", "z.wav", "w.wav"].map(|name| (name, ramp(80)));
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
    let data = open_folder(folder.path(), &SignalConfig { split: LIST, ..config() }).unwrap();
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

/// Regression: a link to nothing beside the recordings ended the training.
#[test]
#[cfg(unix)]
fn what_cannot_be_opened_is_left_out_and_named() {
    let folder = folder(&[("a/1.wav", ramp(100)), ("b/1.wav", ramp(200))]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("a/notes")).unwrap();
    let data = open_folder(folder.path(), &config()).unwrap();
    assert_eq!(data.notes.len(), 1, "{:?}", data.notes);
}

/// Loggers name their files by the time of measurement, which is no ending.
#[test]
fn tables_of_numbers_are_found_whatever_their_names_end_with_and_notes_are_not() {
    let numbers: Vec<u8> = (0..100).flat_map(|n| format!("{}\n", n % 7).into_bytes()).collect();
    let folder = folder(&[
        ("a/2003.10.22.12.06.24", numbers.clone()),
        ("b/2003.10.22.12.09.13", [numbers, b"8\n".to_vec()].concat()),
        ("b/NOTES", b"measured on the 22nd\n".to_vec()),
    ]);
    let data = open_folder(folder.path(), &config()).unwrap();
    assert_eq!(data.notes.len(), 1, "{:?}", data.notes);
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
    let (a, b) = (ramp(100), ramp(200));
    let plain = folder(&[("a/1.wav", a.clone()), ("b/1.wav", b.clone())]);
    let same = folder(&[
        ("a/1.wav.gz", packed(&a)),
        ("a/notes.gz", packed(b"no recording by its name")),
        ("b/1.WAV.GZ", packed(&b)),
    ]);
    let [plain, same] = [plain, same].map(|folder| open_folder(folder.path(), &config()).unwrap());
    assert_eq!(read_all(&same.training), read_all(&plain.training));
}

/// Folders of a split were trained as the classes train, val and test if a single one of them had
/// another name than `training`, `held-out` and `test`.
#[test]
fn usual_names_of_a_split_are_followed_or_refused_but_never_trained_as_classes() {
    let list = SignalConfig { split: LIST, ..config() };
    for names in [
        ["train", "val", "test"],
        ["Training_Set", "dev", "Testing"],
        ["seg_train/seg_train", "seg_valid/seg_valid", "seg_test/seg_test"],
    ] {
        let place = |side: usize, file: &str| format!("{}/{file}", names[side]);
        let files = [
            (place(0, "a/x.wav"), ramp(40)),
            (place(0, "b/y.wav"), ramp(41)),
            (place(1, "a/z.wav"), ramp(20)),
            (place(2, "b/w.wav"), ramp(30)),
        ];
        let files = files.each_ref().map(|(name, bytes)| (name.as_str(), bytes.clone()));
        let folder = folder(&files);
        let data = open_folder(folder.path(), &list).unwrap();
        assert_eq!(data.classes, ["a", "b"], "{names:?}");
        let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
        assert_eq!(parts.map(|part| part.indices.len()), [14, 3, 3]);
        let said = refuse(&folder, &config());
        assert!(
            said.contains(" data by the column split or the name") && said.contains("by=\"list\"}")
        );
    }
}

#[test]
fn names_of_a_split_that_cannot_be_followed_are_refused_by_name() {
    for (folders, reasons) in [
        (&["train", "normal", "worn"][..], ["\"train\" are parts", "\"normal\", \"worn\" beside"]),
        (&["normal", "Test-Data"], ["\"Test-Data\" are parts", "--index"]),
        (&["seg_train", "seg_test", "seg_pred"], ["\"seg_test\", \"seg_train\"", "\"seg_pred\""]),
        (&["val", "test"], ["\"test\", \"val\" look like parts of a split", "rename"]),
        (&["train/train", "train/test"], ["its only folder train", "pass"]),
        (&["train/a", "train/test", "val/a", "val/b"], ["\"test\" are parts", "\"a\", \"b\""]),
    ] {
        let files: Vec<(String, Vec<u8>)> = (30..)
            .zip(folders)
            .map(|(length, name)| (format!("{name}/x.wav"), ramp(length)))
            .collect();
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        for config in [config(), SignalConfig { split: LIST, ..config() }] {
            let said = refuse(&folder(&files), &config);
            assert!(reasons.iter().all(|reason| said.contains(reason)), "{folders:?}: {said}");
        }
    }
}

#[test]
fn a_split_below_the_classes_is_followed_or_refused() {
    let places = ["a/train/1.wav", "b/train/2.wav", "a/m1/Validation/3.wav", "b/test/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let folder = folder(&files);
    let list = SignalConfig { split: LIST, ..config() };
    let data = open_folder(folder.path(), &list).unwrap();
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    assert_eq!(parts.map(|part| part.indices.len()), [14, 7, 4]);
    let said = refuse(&folder, &config());
    assert!(said.contains("a/m1/Validation/3.wav is declared as held-out data"), "{said}");
    fs::create_dir_all(folder.path().join("a/train/test")).unwrap();
    fs::write(folder.path().join("a/train/test/5.wav"), ramp(44)).unwrap();
    let said = refuse(&folder, &list);
    assert!(said.contains("a/train/test is for test inputs, but a folder around it"), "{said}");
}

/// Series of measurements are called test1, test2, …
#[test]
fn groups_may_be_called_tests_if_the_recipe_splits_by_them() {
    let places = ["a/test1/1.wav", "a/test2/2.wav", "b/test1/3.wav", "b/test2/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let by = |test: &str| Split::Group {
        test: vec![test.to_owned()],
        held_out: Vec::new(),
        held_out_share: 0.25,
    };
    let open = |files: &[(&str, Vec<u8>)], split| {
        open_folder(folder(files).path(), &SignalConfig { split, ..config() })
    };
    assert!(open(&files, config().split).is_ok());
    assert_eq!(open(&files, by("test2")).unwrap().test.unwrap().indices.len(), 8);
    let places = ["a/train/1.wav", "a/test/2.wav", "b/train/3.wav", "b/test/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    assert_eq!(open(&files, by("test")).unwrap().test.unwrap().indices.len(), 8);
    let said = open(&files, by("train")).unwrap_err().to_string();
    assert!(said.contains("is declared as"), "{said}");
}

#[test]
fn a_split_without_held_out_data_holds_out_a_share_of_the_training_data() {
    let places = ["train/a/1.wav", "train/b/2.wav", "test/a/3.wav", "test/b/4.wav"];
    let files: Vec<_> = (80..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let folder = folder(&files);
    let recipe = |settings: &[&str]| {
        let window = ["data.window=10", "data.hop=5", "batch=2"];
        crate::recipe::preset("paper-1d").unwrap().set(&[&window, settings].concat()).unwrap()
    };
    let open = |settings: &[&str]| Data::open(&recipe(settings), folder.path(), None, false);
    let said = open(&[]).unwrap_err().to_string();
    let cure = "data.split={by=\"list\", held_out_share=0.1}";
    assert!(said.contains(cure), "{said}");
    let said = open(&["data.split={by=\"list\"}"]).unwrap_err().to_string();
    assert!(said.contains("0 inputs to hold out") && said.contains(cure), "{said}");
    let data = open(&["data.split={by=\"list\", held_out_share=0.25}"]).unwrap();
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    assert_eq!(parts.map(|part| part.indices.len()), [22, 6, 16]);
    fs::create_dir_all(folder.path().join("val/a")).unwrap();
    fs::write(folder.path().join("val/a/5.wav"), ramp(60)).unwrap();
    let said = open(&["data.split={by=\"list\", held_out_share=0.25}"]).unwrap_err().to_string();
    assert!(said.contains("must not have a held_out_share"), "{said}");
}

/// A recording that was listed for training and for the test once made the test easy.
#[test]
fn a_file_listed_for_training_and_for_the_test_is_refused_by_name() {
    let folder = folder(&[("x.wav", ramp(80)), ("y.wav", ramp(80)), ("z.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    let list = SignalConfig { split: LIST, ..config() };
    let open = |lines: &str, config: &SignalConfig| {
        fs::write(&index, lines).unwrap();
        open(1, config, folder.path(), Some(&index), false)
    };
    let lines = "file,label,split\nx.wav,a,train\ny.wav,b,train\n./x.wav,a,test\nz.wav,b,val\n";
    let said = open(lines, &list).unwrap_err().to_string();
    assert!(said.contains("x.wav (a, training) and ./x.wav (a, test)"), "{said}");
    let said = open("file,label\nx.wav,a\ny.wav,b\nx.wav,b\n", &config()).unwrap_err();
    assert!(said.to_string().contains("x.wav (a, training) and x.wav (b, training)"), "{said}");
    let data = open("file,label\nx.wav,a\ny.wav,b\nx.wav,a\n", &config()).unwrap();
    let told = "1 file is there more than once, with the same label on one side";
    assert_eq!((data.notes.len(), &*data.notes[0].text), (1, told));
    assert!(data.description.ends_with(told), "{}", data.description);
}

#[test]
fn recordings_are_known_by_their_first_bytes_if_their_names_do_not_say_it() {
    let zip = |member: &str| {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.resize(26, 0);
        bytes.extend((member.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(member.bytes());
        bytes
    };
    let folder = folder(&[
        ("a/x.wav.bak", ramp(40)),
        ("a/y", ramp(40)),
        ("b/z.WAV", ramp(40)),
        ("b/report.docx", zip("[Content_Types].xml")),
        ("b/photo.png", b"\x89PNG\r\n\x1a\n".to_vec()),
    ]);
    let data = open_folder(folder.path(), &config()).unwrap();
    assert_eq!(data.training.indices.len(), 9);
    let told = "2 files were left out: 1 .docx, 1 .png: b/photo.png, b/report.docx";
    assert_eq!(data.notes[0].to_string(), told);
    fs::write(folder.path().join("b/arrays"), zip("DE_time.npy")).unwrap();
    assert!(refuse(&folder, &config()).contains("b/arrays"));
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
    assert_eq!(spec.source, Some(SignalSource { variable: None, channels }));
}

/// A machine that was repaired during a recording: no window is of both conditions.
#[test]
fn an_index_may_list_parts_of_recordings_with_labels_of_their_own() {
    let folder = folder(&[("x.wav", ramp(80)), ("y.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    let open = |lines: &str, split: Split| {
        fs::write(&index, format!("file,label,start_s,stop_s,split\n{lines}")).unwrap();
        open(1, &SignalConfig { split, ..config() }, folder.path(), Some(&index), false)
    };
    // At 8000 Hz, 0.005 s are 40 samples.
    let lines = "x.wav,a,,0.005,train\nx.wav,b,0.005,,test\ny.wav,b,0,0.003,train\n";
    let data = open(lines, LIST).unwrap();
    let windows = |part: &Part| -> Vec<String> {
        part.indices.iter().map(|&index| part.source.name(index)).collect()
    };
    let training = windows(&data.training);
    assert_eq!(training.len(), 7 + 3);
    assert_eq!(training[6], "x.wav, samples 30 to 39");
    let test = data.test.unwrap();
    assert_eq!(
        windows(&test),
        [40, 50, 60, 70].map(|n| format!("x.wav, samples {n} to {}", n + 9))
    );
    let values = &read_all(&test)[0];
    assert_eq!((values.0, values.1[[0, 0]]), (1, values.1[[0, 9]] - 9.0 / 32768.0));
    assert!(data.notes[0].text.contains("on two sides of the split, in parts"));

    let refused = |lines: &str, reason: &str| {
        let said = open(lines, LIST).unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    };
    let pair = "x.wav, 0 s to 0.005 s (a, training) and x.wav, 0.004 s to its end (b, test)";
    refused("x.wav,a,,0.005,train\nx.wav,b,0.004,,test\ny.wav,b,,,train\n", pair);
    refused("x.wav,a,,0.02,train\ny.wav,b,,,train\n", "which lasts 0.01 s");
    refused("x.wav,a,0.01,,train\ny.wav,b,,,train\n", "not within the recording");
    refused("x.wav,a,,0.001,train\ny.wav,b,,,train\n", "8 samples are too few");
    let pair = "in parts that overlap, each of which is divided in time";
    let lines = "x.wav,a,,0.005,\nx.wav,a,0.003,0.008,\ny.wav,b,,,\n";
    assert!(open(lines, config().split).unwrap_err().to_string().contains(pair));
}
