//! Arrays of labelled inputs, as NumPy and `SciPy` write them, and tables with one input a row.
//!
//! `tests/arrays/make.py` writes the files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, io::Write as _, path::PathBuf};

use drsn_recording::{
    ArrayFile, ArrayKind, ColumnUse, Limits, RecordingError, RowFile, Value, Values,
};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

const LIMITS: Limits = Limits::new(1 << 20, 1 << 16);

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/arrays").join(name)
}

fn open(name: &str) -> ArrayFile {
    ArrayFile::open(&path(name), &LIMITS).unwrap()
}

fn place(file: &ArrayFile, name: &str) -> usize {
    file.arrays().iter().position(|array| array.name == name).unwrap()
}

fn numbers(file: &ArrayFile, name: &str) -> Result<Vec<f32>, RecordingError> {
    let mut all = Vec::new();
    file.numbers(place(file, name), |block| {
        all.extend_from_slice(block);
        Ok::<_, RecordingError>(())
    })?;
    Ok(all)
}

fn values(file: &ArrayFile, name: &str) -> Result<Vec<Value>, RecordingError> {
    let mut known = Values::default();
    let places = file.values(place(file, name), &mut known)?;
    Ok(places.into_iter().map(|place| known.get(place).unwrap().clone()).collect())
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::Text((*text).to_owned())).collect()
}

#[test]
fn numbers_come_in_the_order_of_the_file_whatever_their_type() {
    let row_major: Vec<f32> = (0..24).map(|x| x as f32).collect();
    let mut column_major = Vec::new();
    for sample in 0..4 {
        for channel in 0..2 {
            for input in 0..3 {
                column_major.push((input * 8 + channel * 4 + sample) as f32);
            }
        }
    }
    for (name, array, is_column_major) in [
        ("kinds.npz", "X", false),
        ("kinds.npz", "big", false),
        ("packed.npz", "X", false),
        ("X_train.npy", "", false),
        ("kinds.npz", "fortran", true),
        ("plain.mat", "X", true),
        ("packed.mat", "X", true),
    ] {
        let file = open(name);
        let info = &file.arrays()[place(&file, array)];
        assert_eq!((&info.shape[..], info.kind), (&[3, 2, 4][..], ArrayKind::Numbers), "{name}");
        assert_eq!(info.is_column_major, is_column_major, "{name}");
        let expected = if is_column_major { &column_major } else { &row_major };
        assert_eq!(&numbers(&file, array).unwrap(), expected, "{name}, {array}");
    }
    let four = open("four.mat");
    assert_eq!(four.arrays()[place(&four, "X")].shape, [3, 4]);
    assert_eq!(&numbers(&four, "X").unwrap()[..4], [0.0, 8.0, 16.0, 1.0]);
}

#[test]
fn labels_are_exact_numbers_truth_values_or_texts() {
    let number = |numbers: [f64; 3]| numbers.map(Value::Number).to_vec();
    let truths = [true, false, true].map(Value::Truth).to_vec();
    let words = texts(&["new", "worn ß", "new"]);
    for (name, array, expected) in [
        ("kinds.npz", "integers", number([20_240_315_001.0, -3.0, 20_240_315_001.0])),
        ("kinds.npz", "truths", truths.clone()),
        ("kinds.npz", "texts", words.clone()),
        ("kinds.npz", "big_texts", words.clone()),
        ("kinds.npz", "bytes", texts(&["a", "bc", "a"])),
        ("packed.npz", "texts", words.clone()),
        ("plain.mat", "integers", number([7.0, -3.0, 7.0])),
        ("plain.mat", "truths", truths.clone()),
        ("plain.mat", "texts", words.clone()),
        ("plain.mat", "cell", words.clone()),
        ("packed.mat", "integers", number([7.0, -3.0, 7.0])),
        ("packed.mat", "truths", truths),
        ("packed.mat", "texts", words.clone()),
        ("packed.mat", "cell", words),
        ("packed.mat", "mixed", [&[Value::Number(1.0)][..], &texts(&["worn", ""])].concat()),
        ("four.mat", "texts", texts(&["new", "worn", "new"])),
        ("four.mat", "y", number([1.0, 2.0, 1.0])),
    ] {
        let file = open(name);
        assert_eq!(values(&file, array).unwrap(), expected, "{name}, {array}");
    }
    let floats = values(&open("kinds.npz"), "floats").unwrap();
    assert_eq!(floats[1], Value::Number(1.5));
    assert!(matches!(floats[2], Value::Number(number) if number.is_nan()));
}

#[test]
fn what_is_no_array_of_numbers_or_labels_says_what_it_is() {
    let kind = |name, array| {
        let file = open(name);
        file.arrays()[place(&file, array)].kind
    };
    for (name, array, expected) in [
        ("kinds.npz", "objects", "Python objects"),
        ("kinds.npz", "complex", "without real numbers"),
        ("plain.mat", "complex", "complex numbers"),
        ("plain.mat", "structure", "a structure"),
    ] {
        let ArrayKind::Other(what) = kind(name, array) else { panic!("{name}, {array}") };
        assert!(what.contains(expected), "{what}");
    }
    assert_eq!(kind("plain.mat", "texts"), ArrayKind::Texts);
    let error = values(&open("plain.mat"), "wrong").unwrap_err().to_string();
    assert!(error.starts_with("element 2 of the cell wrong is neither"), "{error}");
    assert!(numbers(&open("kinds.npz"), "texts").is_err());
    assert!(numbers(&open("kinds.npz"), "objects").is_err());
}

/// Writes a file with other bytes in it, and reads all that it claims to have.
fn read_all(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    let Ok(file) = ArrayFile::open(&path, &LIMITS) else { return };
    for array in 0..file.arrays().len() {
        let mut count = 0;
        let _ = file.numbers(array, |block| {
            count += block.len();
            Ok::<_, RecordingError>(())
        });
        assert!(count <= 1 << 16, "{count}");
        if let Ok(values) = file.values(array, &mut Values::default()) {
            assert!(values.len() <= 1 << 16);
        }
    }
}

#[test]
fn shapes_that_are_too_large_cost_nothing() {
    for shape in ["(99999999999,)", "(3, 0)", "(1,1,1,1,1,1,1,1,1)", "(4294967295, 4294967295)"] {
        for kind in ["<f4", "<U1000", "<U999999999", "|S0", "|b1", "|O"] {
            let header =
                format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
            let length = (header.len() as u16).to_le_bytes();
            read_all(&[b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), &[0; 40]].concat());
        }
    }
}

proptest! {
    #[test]
    fn no_damage_makes_a_reader_panic(
        name in prop::sample::select(vec!["kinds.npz", "plain.mat", "packed.mat", "four.mat", "X_train.npy"]),
        at in 0.0_f64..1.0,
        byte in any::<u8>(),
        end in 0.0_f64..1.5,
    ) {
        let mut bytes = fs::read(path(name)).unwrap();
        let place = (at * bytes.len() as f64) as usize;
        if let Some(damaged) = bytes.get_mut(place) {
            *damaged = byte;
        }
        bytes.truncate((end * bytes.len() as f64) as usize);
        read_all(&bytes);
    }

    #[test]
    fn no_text_makes_the_reader_of_rows_panic(text in "[0-9a-c,;.\t\"\n# -]{0,80}") {
        let _ = rows(text.as_bytes(), &["a"]);
    }
}

/// All rows of a table without values: its header, and the samples or the error of each.
type Rows = (Option<Vec<String>>, Vec<Result<Vec<f32>, String>>);

fn rows(bytes: &[u8], names: &[&str]) -> Result<Rows, RecordingError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, bytes).unwrap();
    let mut table = RowFile::open(&path, names, &LIMITS)?;
    let header = table.header().map(<[String]>::to_vec);
    let is_text = |name: &String| names.contains(&name.as_str());
    let text = header.as_ref().and_then(|header| header.iter().position(is_text));
    let uses: Vec<ColumnUse> = (0..table.columns())
        .map(|column| if Some(column) == text { ColumnUse::Value(0) } else { ColumnUse::Sample })
        .collect();
    let mut all = Vec::new();
    let mut samples = Vec::new();
    loop {
        match table.next_row(&uses, &mut samples, &mut [String::new()]) {
            Ok(None) => break,
            Ok(Some(_)) => all.push(Ok(samples.clone())),
            Err(error @ (RecordingError::Ragged { .. } | RecordingError::NotNumeric { .. })) => {
                all.push(Err(error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    table.finish()?;
    Ok((header, all))
}

#[test]
fn a_first_line_names_the_columns_only_if_it_must() {
    let header = |text: &str, names: &[&str]| rows(text.as_bytes(), names).unwrap().0;
    let names = |line: &str| Some(line.split(',').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(header("0.1,0.2,1.0\n0.3,0.4,0.0\n", &["label"]), None);
    assert_eq!(header("a,b,label\n0.3,0.4,0.0\n", &["label"]), names("a,b,label"));
    assert_eq!(header("a,b,c\n0.3,0.4,0.0\n", &[]), names("a,b,c"));
    assert_eq!(header("0,1,Label\n0.3,0.4,new\n", &["label"]), names("0,1,Label"));
    assert_eq!(header("0,1,2\n0.3,0.4,0.0\n", &[]), names("0,1,2"));
    assert_eq!(header(",0,1,2\n0,0.3,0.4,0.0\n", &[]), names(",0,1,2"));
    assert_eq!(header("a,b\n0,0.3,0.4\n1,2,3\n", &[]), names(",a,b"));
    // A first row with a gap is a row with a mistake, and no header.
    let (none, rows) = rows(b"0.1,NA,1.0\n0.3,0.4,0.0\n", &["label"]).unwrap();
    assert_eq!(none, None);
    assert_eq!(rows[0], Err("line 1, column 2: \"NA\" is not a number".to_owned()));
    assert_eq!(rows[1], Ok(vec![0.3, 0.4, 0.0]));
}

#[test]
fn a_wrong_row_is_told_and_the_next_one_is_read() {
    let text = "sep=;\nx;y;z\n\n0,5;1;2\n# comment\n1;2\n1;2;3;4\n1;nan;3\n1e300;2;3\n4;5;6;\n;;\n";
    let (_, rows) = rows(text.as_bytes(), &[]).unwrap();
    let error = |text: &str| Err(text.to_owned());
    assert_eq!(
        rows,
        [
            Ok(vec![0.5, 1.0, 2.0]),
            error("line 6 has 2 columns, and 3 were expected"),
            error("line 7 has 4 columns, and 3 were expected"),
            error("line 8, column 2: \"nan\" is not a number"),
            error("line 9, column 1: \"1e300\" is not a number"),
            Ok(vec![4.0, 5.0, 6.0]),
        ]
    );
}

#[test]
fn packed_tables_and_long_rows_are_read_and_other_files_are_refused() {
    let row: Vec<String> = (0..20_000).map(|x| format!("{}.5", x % 9)).collect();
    let text = format!("{}\n{}\n", row.join("\t"), row.join("\t"));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let (_, read) = rows(&encoder.finish().unwrap(), &[]).unwrap();
    assert_eq!((read.len(), read[1].as_ref().unwrap().len()), (2, 20_000));
    for (bytes, reason) in [
        (&b""[..], "it is empty"),
        (b"a,b\n", "a row of numbers was expected, and it has \"a,b\""),
        (b"%PDF-1.7\n", "PDF"),
        (&fs::read(path("kinds.npz")).unwrap(), "it is a NPZ file"),
        ("0,5;\"1,234\"\n".as_bytes(), "ok"),
        ("1.5,\"1,234\"\n".as_bytes(), "decimal points and numbers with commas"),
    ] {
        let error = rows(bytes, &[]).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert!(error.contains(reason), "{error}");
    }
}
