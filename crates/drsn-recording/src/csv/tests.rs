//! Tables as people and programs write them.

use ndarray::array;
use proptest::prelude::*;

use super::*;
use crate::{ChannelId, NoticeCode, RateSource};

pub(super) const LIMITS: Limits = Limits::new(100_000, 10_000);

pub(super) fn table(text: &str) -> Result<Vec<(String, Vec<f32>)>, String> {
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
    // With that rounding, fifty rows also fit 25,599 Hz: the mean step decides.
    assert!((rate("timestamp[s]", &fine[..50]).unwrap() - 25_600.0).abs() < 1.0);
}

/// Regression: a column that tells time was ignored where its unit was unknown or its steps were not
/// equal, and the table was classified as if it had the model's rate.
#[test]
fn a_time_column_is_never_ignored() {
    let rounded = ["0.0000", "0.0000", "0.0001", "0.0001", "0.0001"];
    let mut gap: Vec<String> = (0..64).map(|n| format!("{:.3}", f64::from(n) / 100.0)).collect();
    gap.extend((0..64).map(|n| format!("{:.3}", 9.0 + f64::from(n) / 100.0)));
    let gap: Vec<&str> = gap.iter().map(String::as_str).collect();
    let restart: Vec<&str> = gap[..64].iter().chain(&gap[..64]).copied().collect();
    let clock = |rate| Some((rate, RateSource::Clock));
    let stated = |rate| Some((rate, RateSource::Stated));
    let without_unit = |rate| Some((rate, RateSource::ClockWithoutUnit));
    for (name, times, expected, is_uneven) in [
        ("time", &["0", "0.5", "1"][..], without_unit(2.0), false),
        ("time", &["0", "1", "2"], None, false),
        ("time", &["1700000000.00", "1700000000.01", "1700000000.02"], stated(100.0), false),
        ("time [h]", &["0", "0.5", "1"], stated(1.0 / 1800.0), false),
        ("time [s]", &["0", "0.5", "2"], clock(1.0), true),
        ("time [s]", &rounded, clock(40_000.0), true),
        ("Zeit / ms", &gap, clock(100_000.0), true),
        ("Elapsed Time (s)", &restart, clock(100.0), true),
        ("time [s]", &["2", "1", "0"], None, true),
        ("time [s]", &["0"], None, false),
        ("Zeit", &["10:00:00,00", "10:00:00,25", "10:00:00,50"], stated(4.0), false),
        ("date time", &["2024-01-31 23:59:59.9", "2024-02-01 00:00:00.0"], None, true),
        ("time [s]", &["0", "later", "1"], None, true),
    ] {
        let rows: Vec<String> = times.iter().map(|time| format!("{time};1")).collect();
        let text = format!("{name};x\n{}\n", rows.join("\n"));
        let recording = read(text.as_bytes(), &Selection::default(), &LIMITS).unwrap();
        let rate = recording.sample_rate_hz.map(|rate| (rate, recording.rate_source));
        let is_near = match (rate, expected) {
            (Some((rate, source)), Some((hz, from))) => {
                (rate - hz).abs() < 0.01 * hz && source == from
            }
            (rate, expected) => rate == expected,
        };
        assert!(is_near, "{name} {times:?}: {rate:?}");
        let codes: Vec<_> = recording.notices.iter().map(|notice| notice.code).collect();
        let expected = if is_uneven { &[NoticeCode::UnevenClock][..] } else { &[] };
        assert_eq!(codes, expected, "{name} {times:?}: {:?}", recording.notices);
    }
}

#[test]
fn mistakes_are_rejected_with_their_position() {
    for (text, message) in [
        ("a,b\n1,2\n3,x\n", "line 3, column 2: \"x\" is not a number"),
        ("1.5,oops\n3,4\n", "line 1, column 2: \"oops\" is not a number"),
        ("1,2\n3\n", "line 2 has 1 columns, and 2 were expected"),
        ("#\n\n1,2\n3,4,5\n", "line 4 has 3 columns, and 2 were expected"),
        ("1,2\n3,\n", "line 2, column 2: \"\" is not a number"),
        ("a;b\n1;2\n1.234,5;2\n", "line 3, column 1: \"1.234,5\" is not a number"),
        ("a,b\n1,2\nnan,4\n", "sample 1 of channel 0 is not a finite 32-bit number: NaN"),
        ("1,2\n3,1e40\n", "sample 1 of channel 1 is not a finite 32-bit number: inf"),
        (
            "a,b\n",
            "it is not a valid CSV file: its first 1 lines have no rows of numbers (the first one is `a,b`); if the table begins later, give the number of lines before it as skip_lines",
        ),
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
    let wide = format!("{}\n{}\n", "a,".repeat(2_000), "1,".repeat(2_000));
    assert!(table(&wide).unwrap_err().starts_with("it has 2000 channels"));
}

/// Excel saves "Unicode text" so.
/// Names in apostrophes were torn at the separators in them, and the last name was dropped.
#[test]
fn names_in_apostrophes_may_have_separators_in_them() {
    let names = |text| table(text).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("'a,b',c,d\n1.5,2.5,3.5\n2.5,1.5,0.5\n0.5,0.5,1.5\n"), ["a,b", "c", "d"]);
    assert_eq!(names("'time [s]' y\n0.0 2.5\n0.5 1.5\n1.0 0.5\n"), ["y"]);
    assert_eq!(names("y 'Channel A' z\n0.5 2.5 1.0\n1.5 1.5 0.0\n"), ["y", "Channel A", "z"]);
    assert_eq!(names("x',y\n1.5,2.5\n2.5,1.5\n"), ["x'", "y"]);
}

/// Numbers between colons with decimal commas: what stood before the commas was taken for names of rows.
#[test]
fn what_colons_separate_is_not_left_out_in_silence() {
    let rows: Vec<String> = (0..12).map(|row| format!("{row}:-100:{row},49134e+08\n")).collect();
    let text = format!(":x:y\n{}", rows.concat());
    let read = read(text.as_bytes(), &Selection::default(), &LIMITS);
    assert!(read.is_err() || !read.unwrap().notices.is_empty());
}

/// pandas wrote a first sample that was missing as `null`, which was taken as the name of the column.
#[test]
fn a_missing_first_value_is_no_name() {
    for word in ["null", "NULL", "\"null\"", "NA", "-", "#N/A"] {
        let text = format!("{word}\n200.0\n200.5\n201.0\n200.0\n");
        let read =
            Recording::read(RecordingFormat::Csv, text.as_bytes(), &Selection::default(), &LIMITS);
        assert!(read.is_err() || !read.unwrap().notices.is_empty(), "{text}");
    }
}

#[test]
fn a_table_in_utf_16_is_read() {
    let text = "\u{feff}Zeit (ms)\tµ\r\n0\t1,5\r\n1\t2,5\r\n2\t3,5\r\n";
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
        let found = read(&bytes[..], &Selection::default(), &LIMITS).unwrap();
        assert_eq!(found.samples, ndarray::array![[1.5, 2.5, 3.5]]);
        assert_eq!(found.sample_rate_hz, Some(1000.0));
    }
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

pub(super) type Channels = Vec<(String, Vec<f32>)>;

/// The channels and the codes of the notices.
pub(super) fn told(text: &[u8]) -> Result<(Channels, Vec<&'static str>), String> {
    let recording = read(text, &Selection::default(), &LIMITS).map_err(|e| e.to_string())?;
    let names = recording.names.into_iter().map(Option::unwrap_or_default);
    let channels = names.zip(recording.samples.rows()).map(|(name, row)| (name, row.to_vec()));
    Ok((channels.collect(), recording.notices.iter().map(|n| n.code.name()).collect()))
}

/// Files of loggers, scopes and spreadsheets that public bug reports describe. Each is one signal.
#[test]
fn tables_are_read_as_loggers_scopes_and_spreadsheets_write_them() {
    let x = |name: &str, notices: &[&'static str]| {
        Ok((vec![(name.to_owned(), vec![0.5, -1.25, 2.0])], notices.to_vec()))
    };
    for (text, expected) in [
        ("x\n0.5\n\n-1.25\n\n\n2\n", x("x", &["lines_skipped"])),
        ("x\r0.5\r-1.25\r2\r", x("x", &[])),
        ("x\r\n0.5\r\n-1.25\r\n2\r\n\x1a", x("x", &[])),
        ("x\n0.5\n-1.25\n2\n\0\0\0", x("x", &[])),
        ("x;\n0.5;\n-1.25;\n2;\n", x("x", &[])),
        ("t,x,\n0,0.5,\n1,-1.25,\n2,2,\n", x("x", &[])),
        ("t,x\n0,0.5,\n1,-1.25,\n2,2,\n", x("x", &[])),
        ("sep=;\nx\n0,5\n-1,25\n2,0\n", x("x", &[])),
        ("\"sep=|\"\r\nt|x\r\n0|0.5\r\n1|-1.25\r\n2|2\r\n", x("x", &[])),
        ("Beschleunigung\n0,5\n-1,25\n2,0\n", x("Beschleunigung", &[])),
        ("\"x\"\n\"0.5\"\n\"-1.25\"\n\"2\"\n", x("x", &[])),
        ("t,x\n0,\"0,5\"\n1,\"-1,25\"\n2,\"2,0\"\n", x("x", &[])),
        ("x\n0.5\n\u{2212}1.25\n2\n", x("x", &[])),
        ("Time,Channel A\n(ms),(V)\n\n0,0.5\n1,-1.25\n2,2\n", x("Channel A", &[])),
        ("x-axis,1\nsecond,Volt\n0.1,0.5\n0.2,-1.25\n0.3,2\n", x("1", &[])),
        (
            "Model,A1\nSerial,77\n\nSecond,Value\n0.1,0.5\n0.2,-1.25\n0.3,2\n",
            x("Value", &["lines_skipped"]),
        ),
        ("# t,x\n0.1,0.5\n0.2,-1.25\n0.3,2\n# the end\n", x("x", &[])),
        ("x,label\n0.5,good\n-1.25,good\n2,bad\n", x("x", &["columns_skipped"])),
        ("x,note\n0.5,\n-1.25,\n2,\n", x("x", &["columns_skipped"])),
        ("x;y\n;\n0.5;\n-1.25;\n2;\n;\n", x("x", &["columns_skipped"])),
        (",0\n0,0.5\n1,-1.25\n2,2.0\n", x("0", &[])),
        (",Unnamed: 0,x\n0,0,0.5\n1,1,-1.25\n2,2,2\n", x("x", &[])),
        ("0\n0.5\n-1.25\n2.0\n", x("0", &["header_assumed"])),
        ("\"\",\"x\"\n\"1\",0.5\n\"2\",-1.25\n\"3\",2\n", x("x", &[])),
        ("\"x\"\n\"1\" 0.5\n\"2\" -1.25\n\"3\" 2\n", x("x", &[])),
    ] {
        assert_eq!(told(text.as_bytes()), expected, "{text:?}");
    }
    let without_name = told(b"0,50\n-1,25\n2,05\n");
    assert_eq!(without_name, Ok((vec![(String::new(), vec![0.5, -1.25, 2.05])], vec![])));
    let cp1252 = b"Zeit (\xb5s);x\n0;0,5\n20;-1,25\n40;2\n";
    assert_eq!(told(cp1252), x("x", &[]));
    let text = told(b"0.5,good\n-1.25,good\n2,bad\n").unwrap();
    assert_eq!((text.0.len(), text.1), (1, vec!["columns_skipped"]));
    // Regressions: the digits of an exponent overflowed; a cut time was a step back.
    assert!(told(b"x\n1e-2147483648\n2\n").is_ok());
    let cut_time = told(b"t [s],x\n0.000,1\n0.001,2\n0.002,3\n0.0").unwrap();
    assert_eq!(cut_time.1, ["truncated"]);
    let cut = "t,x,y\n0,0.5,1\n1,-1.25,2\n2,2,1\n3,0.7";
    assert_eq!(told(cut.as_bytes()).unwrap().1, ["truncated"]);
}

#[test]
fn a_table_can_begin_after_lines_that_are_left_out() {
    let text = "x,y\n1,2\nno table yet\nz\n3\n";
    let skip = |skip_lines| Selection { skip_lines, ..Selection::default() };
    let recording = read(text.as_bytes(), &skip(3), &LIMITS).unwrap();
    assert_eq!((recording.samples, recording.names), (array![[3.0]], vec![Some("z".to_owned())]));
    let error = read(text.as_bytes(), &skip(9), &LIMITS).unwrap_err().to_string();
    assert!(error.contains("it has only 5 lines, and skip_lines is 9"), "{error}");
}

#[test]
fn a_rate_above_the_table_is_taken() {
    let rate = |text: &str| {
        let recording = read(text.as_bytes(), &Selection::default(), &LIMITS).unwrap();
        (
            recording.sample_rate_hz,
            recording.notices.iter().map(|n| n.code.name()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(rate("# Sampling rate: 48 kHz\nx\n1\n2\n"), (Some(48e3), vec![]));
    assert_eq!(rate("Delta_X,0.001\nX_Value,x\n0,1\n0.001,2\n").0, Some(1000.0));
    let contradiction = "fs: 100\nt [s],x\n0,1\n0.1,2\n0.2,1\n";
    assert_eq!(rate(contradiction), (Some(10.0), vec!["lines_skipped", "uneven_clock"]));
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

    /// Regression: of noise it was said that its third line had a column too few.
    #[test]
    fn noise_is_called_no_text(bytes in prop::collection::vec(any::<u8>(), 1000..3000)) {
        // With the mark of UTF-16 it is other characters, of which hardly any is a control character.
        prop_assume!(![[0xff, 0xfe], [0xfe, 0xff]].contains(&[bytes[0], bytes[1]]));
        let said = read(&bytes[..], &Selection::default(), &LIMITS).unwrap_err().to_string();
        prop_assert!(said.contains("it is not text, because "), "{}", said);
    }
}

/// Devices frame lines, and loggers fill what they do not use with zeros.
#[test]
fn a_few_control_characters_are_text() {
    for text in ["\u{2}1.5\u{3}\r\n\u{2}2\u{3}\r\n", "1.5\n2\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
        let said = table(text).err().unwrap_or_default();
        assert!(!said.contains("not text"), "{said}");
    }
}
