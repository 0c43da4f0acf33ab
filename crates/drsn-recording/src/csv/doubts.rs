//! Tests of tables that can be understood in two ways: they are read as their own tools read them,
//! and otherwise told or refused.

use super::{
    read,
    tests::{LIMITS, table, told},
};
use crate::{ChannelId, Selection};

/// What can be understood in two ways is refused, or told.
#[test]
fn what_can_be_understood_in_two_ways_is_not_read_in_silence() {
    for (text, message) in [
        ("t;x\n0;0.5\n1;1,25\n", "decimal points and numbers with commas, such as 1,25"),
        ("t,x\n0,\"1,234\"\n1,\"5,678\"\n", "may group digits or mark decimals"),
        ("1,05,2,07\n3,11,4,12\n", "its commas seem to separate columns and to mark decimals"),
        ("t\tx\n0\t1.234,5\n", "\"1.234,5\" is not a number"),
        ("two words\nthree more words\n", "skip_lines"),
        ("x\n512\n1,234\n998\n1,050\n", "may group digits or mark decimals"),
        ("1,2,\n3,4,\n5,6,7\n", "line 1, column 3: \"\" is not a number"),
    ] {
        let error = told(text.as_bytes()).unwrap_err();
        assert!(error.contains(message), "{text:?}: {error}");
    }
    let codes = |text: &str| told(text.as_bytes()).map(|(_, codes)| codes);
    assert_eq!(codes("0\n12\n-3\n"), Ok(vec!["header_assumed"]));
    assert_eq!(codes("1,oops\n3,4\n5,6\n"), Ok(vec!["header_assumed"]));
    // A column that advances evenly is time or a number, whatever it is called.
    let rows = |row: fn(usize) -> String| (0..40).map(row).collect::<Vec<_>>().join("\n");
    let time = rows(|n| format!("{:.6} {}", n as f64 / 48e3, (n * n) % 7));
    assert_eq!(
        told(time.as_bytes()).map(|(channels, codes)| (channels.len(), codes)),
        Ok((1, vec!["columns_skipped"]))
    );
    let number = rows(|n| format!("{},{}", n + 1, (n * n) % 7));
    assert_eq!(
        told(number.as_bytes()).map(|(channels, codes)| (channels.len(), codes)),
        Ok((1, vec!["commas_assumed", "columns_skipped"]))
    );
    let flat = rows(|n| format!("{},{}", 5 + n / 39, (n * n) % 7));
    assert_eq!(
        told(flat.as_bytes()).map(|(channels, codes)| (channels.len(), codes)),
        Ok((2, vec!["commas_assumed"]))
    );
}

/// Each was read otherwise than pandas does, in silence.
#[test]
fn what_pandas_reads_otherwise_is_read_as_it_does_or_told() {
    let x = |name: &str, notices: &[&'static str]| {
        Ok((vec![(name.to_owned(), vec![0.5, -1.25, 2.0])], notices.to_vec()))
    };
    let named = |name: &str, samples: [f32; 3]| (name.to_owned(), samples.to_vec());
    let two = Ok((vec![named("q\"uote", [9.0, 8.0, 9.0]), named("x", [0.5, -1.25, 2.0])], vec![]));
    for (text, expected) in [
        // Lines with different ends: the first row was taken for a part of the comment above it.
        ("# by a logger\n0.5\r-1.25\r2.0\r\r\r", x("", &[])),
        ("x\r\n# a comment\r0.5\n-1.25\n2.0\n\n\n", x("", &["lines_skipped"])),
        ("0,500000e+00\n-1,250000e+00\n2,000000e+00\n", x("", &[])),
        ("5,000000e-01\n-1,250000e+00\n2,000000e+00\n", x("", &[])),
        ("\"q\"\"x\"\n0.5\n-1.25\n2\n", x("q\"x", &[])),
        // A quote within a cell began a quoted one, so that the names moved by a column.
        (",q\"uote,x\n0,9,0.5\n1,8,-1.25\n2,9,2\n", two),
        ("|x\n0| 0.5\n1|-1.25\n2| 2.0\n", x("x", &[])),
        ("'q x'\n0.5\n-1.25\n2\n", x("q x", &[])),
    ] {
        assert_eq!(told(text.as_bytes()), expected, "{text:?}");
    }
    let codes = |text: &str| told(text.as_bytes()).map(|(_, codes)| codes);
    for text in [
        // Names that are numbers.
        "2020\n0.5\n-1.25\n",
        "3.5\n12\n-3\n",
        "3.5\n0.5000\n-1.2500\n",
        "3.5\n5e-1\n-1e0\n",
        "2020 1\n0.5 3\n0.7 4\n",
        // Too few rows to know a number of the row, or its time.
        "0;0.5\n1;-1.25\n",
        "1\t0.5\n2\t-1.25\n3\t0.5\n",
        "0.000;0.5\n0.001;-1.25\n0.002;2\n",
    ] {
        assert_eq!(codes(text), Ok(vec!["header_assumed"]), "{text:?}");
    }
    // Two names above one column of decimal commas.
    assert_eq!(codes("a,b\n-2,000\n1,050\n3,000\n"), Ok(vec!["commas_assumed"]));
    // A value that is missing is no blank line.
    for text in ["x\n0.5\n\"\"\n", "x\n0.5\n\"\"\n2\n"] {
        assert!(codes(text).unwrap_err().contains("\"\" is not a number"), "{text:?}");
    }
    assert_eq!(codes("x\n\"\"\n0.5\n2\n"), Ok(vec!["lines_skipped"]));
    // Found beneath nothing: a value is missing in the first row, and it is no name.
    assert_eq!(codes("0 \n1 -1.5\n2 0.5\n3 0.7\n"), Ok(vec!["lines_skipped", "header_assumed"]));
    for text in ["4;0.5\n5;-1.25\n", "0.5\n0.25\n", "0.5\n1\n0.25\n", "x,y\n0,0.5\n1,-1.25\n"] {
        assert_eq!(codes(text), Ok(vec![]), "{text:?}");
    }
}

/// Regression: of two columns of one name the first was taken.
#[test]
fn a_name_of_two_columns_chooses_none_of_them() {
    let text = "x,y,x,3,3\n1.5,2.5,3.5,4.5,5.5\n6.5,7.5,8.5,9.5,10.5\n";
    let row = |channel: &str| {
        let channel = vec![ChannelId::from(channel)];
        let selection = Selection { channel, ..Selection::default() };
        let read = read(text.as_bytes(), &selection, &LIMITS).map_err(|e| e.to_string());
        read.map(|recording| recording.samples.row(0).to_vec())
    };
    assert_eq!(row("y"), Ok(vec![2.5, 7.5]));
    assert_eq!(row("2"), Ok(vec![3.5, 8.5]));
    for (name, count) in [("x", "(0, 2)"), ("3", "(3, 4)")] {
        let error = row(name).unwrap_err();
        let begin = format!("it has 2 channels of the name {name}: ");
        assert!(error.starts_with(&begin) && error.contains(count), "{error}");
    }
    // Whoever names none gets them all.
    assert_eq!(table(text).unwrap().len(), 5);
}
