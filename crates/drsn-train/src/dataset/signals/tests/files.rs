//! Which files are found, and how they are recognised.

use super::*;

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
    assert_eq!(data.notes[0].to_string(), "1 file was left out: 1 without an ending: b/NOTES");
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

/// A variable of a MAT file of version 4.
fn mat(name: &str, period: u32) -> Vec<u8> {
    let header = [0, 100, 1, 0, name.len() as u32 + 1].map(u32::to_le_bytes);
    let values = (0..100).flat_map(|n| f64::from(n % period).to_le_bytes());
    [&header.concat()[..], name.as_bytes(), &[0]].concat().into_iter().chain(values).collect()
}

/// Regression: the preset `bearing`, which asks for `DE_time`, refused the files of others without
/// a word of the presets that ask for nothing.
#[test]
fn files_without_the_variable_of_the_recipe_are_refused_with_a_preset_that_names_none() {
    let folder = folder(&[("a/x.mat", mat("gs", 7)), ("b/y.mat", mat("gs", 5))]);
    let wanted = SignalConfig { variable: Some("DE_time".to_owned()), ..config() };
    let error = open_folder(folder.path(), &wanted).unwrap_err().to_string();
    let cure = "choose one with --set data.variable=NAME, or a preset that names none, such as \
                --preset vibration";
    assert!(error.contains("gs") && error.ends_with(cure), "{error}");
}
