//! What readers assume or repair is counted and told.

use super::*;

/// A WAV file that lacks its last two samples.
fn cut(length: usize) -> Vec<u8> {
    let mut file = ramp(length);
    file.truncate(file.len() - 4);
    file
}

/// Regression: the readers told that files were cut, and the trainer did not pass it on.
#[test]
fn notices_of_readers_are_counted_by_kind_with_an_example() {
    let files = [("a/1.wav", cut(80)), ("a/2.wav", cut(80)), ("b/1.wav", ramp(80))];
    let folder = folder(&files);
    let data = open_folder(folder.path(), &config()).unwrap();
    let [note] = &data.notes[..] else { panic!("{:?}", data.notes) };
    let said = note.to_string();
    assert!(said.starts_with("notice truncated of 2 files: a/1.wav (the file declares"), "{said}");
    assert!(said.ends_with("), …"), "{said}");
    let kept = &data.description;
    assert!(kept.ends_with("; notice truncated of 2 files"), "{kept}");
}

#[test]
fn a_file_with_parts_or_with_several_notices_of_a_kind_is_counted_once() {
    let row = |n: i32| format!("{}.5\n", n * n % 97);
    let rows = |from: i32| (from..from + 40).map(row).collect();
    let [first, second]: [String; 2] = [0, 40].map(rows);
    let table = format!("a scope\nof mine\nx\n{first}\n{second}").into_bytes();
    let folder = folder(&[("x.csv", table), ("y.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    let lines = "file,label,sample_rate_hz,start_s,stop_s\nx.csv,a,8000,0,0.005\n\
                 x.csv,b,8000,0.005,\ny.wav,b,,,\n";
    fs::write(&index, lines).unwrap();
    let data = open(1, &config(), folder.path(), Some(&index), false).unwrap();
    let notes: Vec<&str> = data.notes.iter().map(|note| &*note.text).collect();
    assert_eq!(notes, ["notice lines_skipped of 1 file"]);
}

#[test]
fn files_that_are_left_out_for_a_fault_are_counted_and_their_notices_are_not() {
    let files =
        [("a/1.wav", ramp(80)), ("a/2.wav", cut(8)), ("a/3.wav", vec![]), ("b/1.wav", ramp(80))];
    let data = open(1, &config(), folder(&files).path(), None, true).unwrap();
    assert_eq!(data.skipped.len(), 2, "{:?}", data.skipped);
    let notes: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["2 files are left out because of a fault"]);
    assert!(data.description.ends_with(&notes[0]), "{}", data.description);
}
