//! Structures, cells and version 4 of MATLAB, sample rates in variables, and columns of NumPy: as
//! `SciPy` and NumPy read them.
//!
//! `tests/matlab/make.py` writes the files and `expected.json`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::PathBuf};

use drsn_recording::{Limits, Notice, NoticeCode, Recording, RecordingFormat, Selection};
use serde::Deserialize;

const LIMITS: Limits = Limits::new(1 << 20, 1 << 20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Channels of samples, as the cases refer to them.
    arrays: Vec<Vec<Vec<f64>>>,
    cases: Vec<Case>,
}

/// The expected result for one file and selection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    variable: Option<String>,
    rate_variable: Option<String>,
    /// The position in `arrays` of what is read.
    array: Option<usize>,
    /// The path of the variable that it is read from.
    source: Option<String>,
    sample_rate_hz: Option<f64>,
    /// What is told about it.
    #[serde(default)]
    notices: Vec<String>,
    /// The message, if the file is rejected.
    error: Option<String>,
}

fn file(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/matlab");
    fs::read(folder.join(name)).unwrap()
}

fn selection(variable: Option<&str>, rate_variable: Option<&str>) -> Selection {
    Selection {
        variable: variable.map(str::to_owned),
        rate_variable: rate_variable.map(str::to_owned),
        ..Selection::default()
    }
}

/// By their first bytes too, which are all that tells version 4.
fn read(bytes: &[u8], selection: &Selection) -> Result<Recording, String> {
    let format = RecordingFormat::sniff(&bytes[..bytes.len().min(520)]).ok_or("no format")?;
    Recording::read(format, bytes, selection, &LIMITS).map_err(|error| error.to_string())
}

#[test]
fn files_are_read_to_the_same_numbers() {
    let expected: Expected = serde_json::from_slice(&file("expected.json")).unwrap();
    assert!(expected.cases.len() > 100);
    for case in expected.cases {
        let about = format!("{}: {:?}, {:?}", case.file, case.variable, case.rate_variable);
        let selection = selection(case.variable.as_deref(), case.rate_variable.as_deref());
        let recording = match (read(&file(&case.file), &selection), case.error) {
            (Ok(recording), None) => recording,
            (Err(found), Some(expected)) => {
                assert_eq!(found, expected, "{about}");
                continue;
            }
            (found, expected) => panic!("{about}: {found:?} instead of {expected:?}"),
        };
        let found: Vec<Vec<f64>> = recording
            .samples
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|&x| f64::from(x)).collect())
            .collect();
        let rounded = |x: &f64| f64::from(*x as f32);
        let channels: Vec<Vec<f64>> = expected.arrays[case.array.unwrap()]
            .iter()
            .map(|samples| samples.iter().map(rounded).collect())
            .collect();
        assert_eq!(found, channels, "{about}");
        assert_eq!(recording.variable, case.source, "{about}");
        assert_eq!(recording.sample_rate_hz, case.sample_rate_hz, "{about}");
        let told: Vec<String> =
            recording.notices.into_iter().map(|notice| notice.message).collect();
        assert_eq!(told, case.notices, "{about}");
    }
}

#[test]
fn a_column_of_samples_is_no_surprise_and_several_are_told() {
    let notices = |name: &str| read(&file(name), &Selection::default()).unwrap().notices;
    assert_eq!(notices("column.npy"), []);
    let [Notice { code: NoticeCode::Transposed, .. }] = notices("two_columns.npy")[..] else {
        panic!("{:?}", notices("two_columns.npy"))
    };
}

/// Version 4 has no mark, so that numbers and texts must not be taken for it.
#[test]
fn only_a_possible_first_header_is_that_of_version_4() {
    let is_mat = |bytes: &[u8]| RecordingFormat::sniff(bytes) == Some(RecordingFormat::Mat);
    let good = file("v4_big_endian.mat");
    assert!(is_mat(&good));
    assert!(!is_mat(&good[..good.len() - 1]), "a short file is whole");
    // Each field of the header, to something impossible.
    for (at, byte) in [
        (0, 1),     // the type: too large
        (2, 0),     // little-endian numbers in a big-endian header
        (3, 0x6a),  // 1130 has another digit than zero
        (3, 0x09),  // 1033 has an unknown kind of matrix
        (3, 0x42),  // 1090 has an unknown type of number
        (4, 0x80),  // rows below zero
        (8, 0x80),  // columns below zero
        (15, 2),    // neither real nor complex
        (19, 0),    // no name
        (19, 1),    // an empty name
        (18, 0xff), // a name longer than the file
        (20, 7),    // a name that cannot be printed
        (20, b' '), // a blank name
        (21, b'y'), // a name without an end
    ] {
        let mut bytes = good.clone();
        assert_ne!(bytes[at], byte);
        bytes[at] = byte;
        assert!(!is_mat(&bytes), "byte {at} is {byte}");
    }
    let floats = |values: &[f32]| -> Vec<u8> {
        values.iter().cycle().take(2048).flat_map(|x| x.to_le_bytes()).collect()
    };
    for values in [&[0.0_f32][..], &[0.0, 1.0, 2.0], &[1.0], &[0.0, 0.0, 0.0, 0.0, 1.0]] {
        assert!(!is_mat(&floats(values)), "{values:?}");
    }
    for text in ["0,1,2\n".repeat(200), "t;x\n0;1\n".repeat(100), " ".repeat(600)] {
        assert!(!is_mat(text.as_bytes()), "{text}");
    }
    for zeros in [0, 20, 22, 128, 600] {
        assert!(!is_mat(&vec![0; zeros]), "{zeros}");
    }
}

#[test]
fn a_truncated_file_of_version_4_says_so() {
    let bytes = file("v4_f8.mat");
    let read = |length: usize| {
        Recording::read(
            RecordingFormat::Mat,
            &bytes[..length],
            &selection(Some("x"), None),
            &LIMITS,
        )
        .map_err(|error| error.to_string())
    };
    assert_eq!(read(bytes.len()).unwrap().len(), 64);
    let error = read(bytes.len() - 1).unwrap_err();
    assert_eq!(error, "it is not a valid MAT file: it ends within a variable: it was truncated");
    let error = read(40).unwrap_err();
    assert!(error.ends_with("the header of variable 2 is damaged or cut off"), "{error}");
}

/// The parts of a file of version 5, as hostile or unusual writers put them together.
#[path = "support/mat.rs"]
mod parts;

/// A column of ones.
fn numbers(name: &str, count: u32) -> Vec<u8> {
    parts::matrix(6, [count, 1], name, &parts::element(2, &vec![1; count as usize]))
}

#[test]
fn objects_and_functions_beside_a_signal_are_passed_over() {
    use parts::{element, file, matrix, structure};
    let object = matrix(3, [1, 1], "", &element(1, b"class"));
    let function = matrix(16, [1, 1], "", &numbers("", 100));
    // What is in an opaque one is no shape and no name.
    let opaque = element(14, &[element(6, &[17, 0, 0, 0, 0, 0, 0, 0]), vec![0xee; 64]].concat());
    let empty = element(14, b"");
    let fields = ["o", "f", "q", "e", "gs"];
    let values =
        [object, function.clone(), opaque.clone(), empty.clone(), numbers("", 70)].concat();
    let bytes =
        file(&[opaque, function, empty, structure([1, 1], "s", &fields, &values), numbers("", 99)]);
    let recording = read(&bytes, &Selection::default()).unwrap();
    assert_eq!((recording.variable.as_deref(), recording.len()), (Some("s.gs"), 70));
    let error = read(&bytes, &selection(Some("s.f"), None)).unwrap_err();
    assert_eq!(error, "the variable s.f is an object or function, and no array of numbers");
}

/// An array that could be read before structures were searched is still read.
#[test]
fn a_damaged_structure_beside_the_wanted_array_does_not_matter() {
    use parts::{file, structure};
    let damaged = structure([1, 1], "s", &["a", "b"], &[7; 64]);
    let bytes = file(&[damaged, numbers("X097_DE_time", 70)]);
    for (variable, is_read) in
        [(None, true), (Some("DE_time"), true), (Some("X097_DE_time"), true), (Some("b"), false)]
    {
        let read = read(&bytes, &selection(variable, None));
        assert_eq!(read.is_ok(), is_read, "{variable:?}: {read:?}");
    }
    assert!(read(&bytes, &selection(None, Some("fs"))).unwrap_err().contains("a small element"));
}

#[test]
fn a_field_competes_with_variables_by_its_whole_name() {
    use parts::{file, structure};
    let bytes = file(&[
        numbers("X_gs", 70),
        structure([1, 1], "s", &["gs", "logs"], &[numbers("", 71), numbers("", 72)].concat()),
    ]);
    let source = |variable| {
        read(&bytes, &selection(Some(variable), None)).map(|recording| recording.variable.unwrap())
    };
    assert_eq!(source("_gs"), Ok("X_gs".to_owned()));
    assert_eq!(source("s.gs"), Ok("s.gs".to_owned()));
    assert_eq!(source("ogs"), Ok("s.logs".to_owned()), "the ending of a field's name");
    let error = "the variable to read is ambiguous: name one of X_gs, s.gs";
    assert_eq!(source("gs"), Err(error.to_owned()));
    let error = "the variable to read is ambiguous: name one of X_gs, s.gs, s.logs";
    assert_eq!(read(&bytes, &Selection::default()), Err(error.to_owned()));
}

/// A few hundred bytes of a compressed file are megabytes of names.
#[test]
fn the_names_of_fields_that_are_held_at_once_are_bounded() {
    use parts::{file, structure};
    let names: Vec<String> = (0..600).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let empty = [14_u32.to_le_bytes(), [0; 4]].concat();
    // 19,200 bytes of names, three times in a row and then in each other.
    let flat = structure([1, 1], "", &names, &empty.repeat(600));
    let row =
        structure([1, 3], "s", &["x"], &[flat.clone(), flat.clone(), numbers("", 70)].concat());
    assert_eq!(read(&file(&[row]), &Selection::default()).unwrap().len(), 70);
    let mut nested = flat;
    for depth in 2..5 {
        let values = [nested, empty.repeat(599)].concat();
        nested = structure([1, 1], "s", &names, &values);
        let error = read(&file(&[nested.clone()]), &Selection::default()).unwrap_err();
        let expected = if depth < 4 {
            "it has no array of numbers: it has only empty arrays"
        } else {
            "it is not a valid MAT file: the list of field names of a variable has 19200 bytes, above the \
             limit of 7936"
        };
        assert_eq!(error, expected);
    }
}

/// Regression: of two variables of one name the first was read, and `SciPy` reads the last.
#[test]
fn two_variables_of_one_name_are_refused_whatever_they_are() {
    use parts::{element, file, matrix, structure};
    let text = matrix(4, [1, 2], "x", &element(4, b"a\0b\0"));
    let inner = structure([1, 1], "x", &["gs"], &numbers("", 70));
    let kinds = [numbers("x", 70), numbers("x", 71), text, inner];
    let between = numbers("y", 80);
    for (index, first) in kinds.iter().enumerate() {
        for second in kinds.iter().skip(index) {
            let bytes = file(&[first.clone(), between.clone(), second.clone()]);
            for variable in [None, Some("x"), Some("x.gs"), Some("y")] {
                let error = read(&bytes, &selection(variable, None)).unwrap_err();
                assert!(error.starts_with("it has two variables of the name x,"), "{error}");
            }
        }
    }
    // Those of MATLAB itself have no names.
    let bytes = file(&[numbers("", 9), numbers("", 9), numbers("y", 80)]);
    assert_eq!(read(&bytes, &Selection::default()).unwrap().len(), 80);
    let fields = [numbers("", 70), numbers("", 71), numbers("", 72)].concat();
    let bytes = file(&[structure([1, 1], "s", &["gs", "gs", "a"], &fields)]);
    for (variable, is_read) in [(None, false), (Some("gs"), false), (Some("s.a"), true)] {
        let found = read(&bytes, &selection(variable, None));
        assert_eq!(found.is_ok(), is_read, "{variable:?}: {found:?}");
    }
    let four = [file_of_version_4("x"), file_of_version_4("x")].concat();
    assert!(read(&four, &Selection::default()).unwrap_err().contains("two variables"));
}

/// A file of version 4 with one column of 64 numbers.
fn file_of_version_4(name: &str) -> Vec<u8> {
    let head = [10, 64, 1, 0, name.len() as u32 + 1].map(u32::to_le_bytes).concat();
    [&head, name.as_bytes(), &[0; 1 + 4 * 64]].concat()
}

/// Regression: several columns were told of an array of NumPy, and not of one of MATLAB.
#[test]
fn every_matrix_is_taken_as_an_array_of_the_same_shape_is() {
    use parts::{element, file, matrix, structure};
    let npy = |rows: u32, columns: u32| {
        let header =
            format!("{{'descr': '|u1', 'fortran_order': True, 'shape': ({rows}, {columns})}}");
        let length = (header.len() as u16).to_le_bytes();
        let numbers: Vec<u8> = (0..rows * columns).map(|n| n as u8).collect();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &numbers].concat()
    };
    for (rows, columns) in
        [(90, 1), (1, 90), (90, 2), (2, 90), (90, 64), (90, 65), (64, 90), (2, 1), (3, 2), (1, 1)]
    {
        let numbers: Vec<u8> = (0..rows * columns).map(|n| n as u8).collect();
        let array = |name| matrix(9, [rows, columns], name, &element(2, &numbers));
        let nested = structure([1, 1], "x", &["gs"], &array(""));
        let head = [50, rows, columns, 0, 2].map(u32::to_le_bytes).concat();
        let version_4 = [&head[..], b"x\0", &numbers].concat();
        let expected = read(&npy(rows, columns), &Selection::default());
        for bytes in [file(&[array("x")]), file(&[nested]), version_4] {
            let found = read(&bytes, &Selection::default());
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.samples, expected.samples, "{rows} {columns}");
                    assert_eq!(found.notices, expected.notices, "{rows} {columns}");
                }
                _ => assert_eq!(found.map(|_| ()), expected.clone().map(|_| ())),
            }
        }
    }
    // Of equal axes, MATLAB's columns are channels, and that is told.
    let square = matrix(9, [3, 3], "x", &element(2, &[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    let square = read(&file(&[square]), &Selection::default()).unwrap();
    assert_eq!(square.samples.row(0).to_vec(), [1.0, 2.0, 3.0]);
    assert_eq!(square.notices[0].code, NoticeCode::Transposed);
}
