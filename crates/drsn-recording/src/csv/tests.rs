//! Tables as people and programs write them.

use ndarray::array;
use proptest::prelude::*;

use super::*;
use crate::ChannelId;

const LIMITS: Limits = Limits::new(100_000, 10_000);

fn table(text: &str) -> Result<Vec<(String, Vec<f32>)>, String> {
    let recording = read(text.as_bytes(), &Selection::default(), &LIMITS);
    let Recording { samples, names, .. } = recording.map_err(|e| e.to_string())?;
    let channels = names.into_iter().zip(samples.rows());
    Ok(channels.map(|(name, samples)| (name.unwrap_or_default(), samples.to_vec())).collect())
}

#[test]
fn separators_decimal_commas_and_headers_are_detected() {
    let two = |a: &str, b: &str| {
        Ok(vec![(a.to_owned(), vec![1.5, 2.0]), (b.to_owned(), vec![-3.0, 4e3])])
    };
    for text in [
        "1.5,-3\n2,4e3\n",
        "\u{feff}1.5, -3\r\n2, 4e3\r\n\r\n\r\n",
        "# a comment, with commas\n# another\n1.5;-3\n2;4e3",
        "1,5\t-3\n2\t4000",
        "  1.5   -3\n  2     4e3  \n",
        "\"1,5\";\"-3\"\n\"2\";\"4000,0\"\n",
    ] {
        assert_eq!(table(text), two("", ""), "{text:?}");
    }
    for text in [
        "de,fe\n1.5,-3\n2,4e3",
        "Time [s],de,fe\n0,1.5,-3\n1,2,4e3",
        "de;Zeit (s);fe\n1,5;00:00:01;-3\n2;00:00:02;4000",
        "t(s) de fe\n0 1.5 -3\n1 2 4e3",
        "index,\"de\",fe\n,1.5,-3\n,2,4e3",
        ",de,fe\n0,1.5,-3\n1,2,4e3",
        "de,TIME,fe\n1.5,0,-3\n2,1,4e3",
    ] {
        assert_eq!(table(text), two("de", "fe"), "{text:?}");
    }
    let warm = table("T [degC];vibration\n20,5;1\n");
    assert_eq!(warm.map(|channels| channels.len()), Ok(2), "a temperature is not a time");
    assert_eq!(table("value\n1.5\n2"), Ok(vec![("value".to_owned(), vec![1.5, 2.0])]));
}

/// A table with another rate than the model's used to be classified as if it had the model's.
#[test]
fn a_time_column_with_a_unit_gives_the_sample_rate() {
    let rate = |name: &str, times: &[&str]| {
        let rows: Vec<String> = times.iter().map(|time| format!("{time},1")).collect();
        let text = format!("{name},x\n{}\n", rows.join("\n"));
        let recording = read(text.as_bytes(), &Selection::default(), &LIMITS).unwrap();
        assert_eq!(recording.channels(), 1);
        recording.sample_rate_hz
    };
    assert_eq!(rate("Time [s]", &["0", "0.5", "1"]), Some(2.0));
    assert_eq!(rate("t (ms)", &["7", "8", "9"]), Some(1000.0));
    assert_eq!(rate("T [milliseconds]", &["7", "8", "9"]), Some(1000.0));
    assert_eq!(rate("time [s]", &["0", "0.64", "1.28"]), Some(1.5625));
    let fine: Vec<String> = (0..4900).map(|n| format!("{:.7}", f64::from(n) / 25_600.0)).collect();
    let fine: Vec<&str> = fine.iter().map(String::as_str).collect();
    assert_eq!(rate("timestamp[s]", &fine), Some(25_600.0));
    // With that rounding, fifty rows also fit 25,599 Hz.
    assert_eq!(rate("timestamp[s]", &fine[..50]), None);
    // No unit, another unit, uneven, rounded, backwards, alone or dates: the rate is not known.
    let rounded = ["0.0000", "0.0000", "0.0001", "0.0001", "0.0001"];
    for (name, times) in [
        ("time", &["0", "0.5", "1"][..]),
        ("time [h]", &["0", "0.5", "1"]),
        ("time [s]", &["0", "0.5", "2"]),
        ("time [s]", &rounded),
        ("time [s]", &["2", "1", "0"]),
        ("time [s]", &["0"]),
        ("time [s]", &["0", "00:00:01", "1"]),
    ] {
        assert_eq!(rate(name, times), None, "{name} {times:?}");
    }
}

#[test]
fn mistakes_are_rejected_with_their_position() {
    for (text, message) in [
        ("a,b\n1,2\n3,x\n", "line 3, column 2: \"x\" is not a number"),
        ("1,oops\n3,4\n", "line 1, column 2: \"oops\" is not a number"),
        ("1,2\n3\n", "line 2 has 1 columns, and 2 were expected"),
        ("#\n\n1,2\n3,4,5\n", "line 4 has 3 columns, and 2 were expected"),
        (
            "1,2\n\n3,4\n",
            "it is not a valid CSV file: line 2 is blank, and rows follow it: remove it",
        ),
        ("1,2\n3,\n", "line 2, column 2: \"\" is not a number"),
        ("a;b\n1;2\n1.234,5;2\n", "line 3, column 1: \"1.234,5\" is not a number"),
        ("a,b\n1,2\nnan,4\n", "sample 1 of channel 0 is not a finite 32-bit number: NaN"),
        ("1,2\n3,1e40\n", "sample 1 of channel 1 is not a finite 32-bit number: inf"),
        ("a,b\n", "it is empty: a recording has at least one sample in at least one channel"),
        (
            "time\n1\n2\n",
            "it is empty: a recording has at least one sample in at least one channel",
        ),
        (
            "\u{feff}\r\n\n",
            "it is empty: a recording has at least one sample in at least one channel",
        ),
    ] {
        assert_eq!(table(text), Err(message.to_owned()), "{text:?}");
    }
    let rows = "1,2\n".repeat(5_001);
    assert!(table(&rows).unwrap_err().starts_with("it has 10002 samples"));
    assert!(table(&"1".repeat(70_000)).unwrap_err().contains("line 1 is longer than 65536 bytes"));
    assert!(table(&"1,".repeat(2_000)).unwrap_err().starts_with("it has 2001 channels"));
    let utf16 = read(&b"\xff\xfe1\0"[..], &Selection::default(), &LIMITS).unwrap_err();
    assert!(utf16.to_string().starts_with("it is UTF-16 text"));
}

#[test]
fn channels_are_selected_by_header_or_by_position_without_time() {
    let text = "time,a,b,c\n0,1,2,3\n";
    let select = |channel| Selection { channel, ..Selection::default() };
    let (b, c) = (ChannelId::Name("b".to_owned()), ChannelId::Index(2));
    let recording = read(text.as_bytes(), &select(vec![c, b.clone(), b]), &LIMITS).unwrap();
    assert_eq!(recording.samples, array![[3.0], [2.0], [2.0]]);
    let missing = select(vec![ChannelId::Name("time".to_owned())]);
    let error = read(text.as_bytes(), &missing, &LIMITS).unwrap_err();
    assert_eq!(error.to_string(), "it has no channel \"time\"; it has a, b, c");
}

/// Regression: `channel=1` took the second column of a table whose columns are named 1, 2 and 3.
#[test]
fn a_column_named_by_a_number_is_found_by_its_name() {
    let select =
        |index| Selection { channel: vec![ChannelId::Index(index)], ..Selection::default() };
    let named = |index| read(&b"t,1,2,3\n0,10,20,30\n"[..], &select(index), &LIMITS);
    assert_eq!(named(1).unwrap().samples, array![[10.0]]);
    assert_eq!(named(3).unwrap().samples, array![[30.0]]);
    assert_eq!(named(0).unwrap().samples, array![[10.0]], "a position");
    let error = named(4).unwrap_err().to_string();
    assert_eq!(error, "it has no channel 4; it has 1, 2, 3");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        rows in prop::collection::vec(prop::array::uniform3(-1e30_f32..1e30), 1..60),
        separator in prop::sample::select(vec![",", ";", "\t", "  "]),
        header in any::<bool>(), comma in any::<bool>()
    ) {
        let mut text = if header { ["x", "y", "z"].join(separator) + "\n" } else { String::new() };
        for row in &rows {
            let cells = row.map(|x| format!("{x:e}"));
            let line = cells.join(separator);
            text += &if comma && separator != "," && separator != "  " { line.replace('.', ",") } else { line };
            text += "\r\n";
        }
        let found = table(&text).unwrap();
        prop_assert_eq!(found.len(), 3);
        for (column, (_, samples)) in found.iter().enumerate() {
            let expected: Vec<f32> = rows.iter().map(|row| row[column]).collect();
            prop_assert_eq!(samples, &expected);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[-0-9.,;\t \"#\u{e9}\r\nate]{0,200}") {
        let _ = table(&text);
    }
}
