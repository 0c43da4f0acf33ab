//! Tables below the lines that scopes and loggers write above them: each is read as it was meant, or
//! the refusal says how many lines to skip, and with so many it is.

use drsn_recording::{Limits, Recording, RecordingFormat, Selection};
use proptest::prelude::*;

const LIMITS: Limits = Limits::new(1 << 22, 100_000);

/// Lines above tables, by scopes, loggers and people; `;` stands for the separator.
const LINES: [&str; 24] = [
    "Model;TDS 2024C",
    "Record Length;2500;Points",
    "Sample Interval;4.0E-05",
    "Trigger Point;1250",
    "Source;CH1;CH2",
    "Vertical Scale;0.5;0.5",
    "Firmware Version;FV:v24.17",
    "Serial Number;00123;;;",
    "Operator;Müller, A.",
    "Date;2024-02-29;Time;23:59:59",
    "Channels;3;x;y;z",
    "Range;-10;10",
    "\"Comment\";\"run 7, after 2 h\"",
    "[Header]",
    "Measurement of a bearing",
    "1. Start the motor, 2. wait, 3. measure",
    "-----------",
    "===;===;===",
    "",
    ";;;",
    "Average of 12.5 mm/s; peak of 30",
    "1;2;3;4;5",
    "Offsets;0.1;0.2;0.3;0.4;0.5;0.6",
    "0.25",
];

fn table(separator: &str, columns: usize, has_names: bool, rows: usize) -> (String, Vec<Vec<f32>>) {
    let value = |row: usize, column: usize| {
        ((row * (7 * column + 3)) as f64 * 0.37).sin() * 9.0 - column as f64 / 8.0
    };
    let mut lines = Vec::new();
    if has_names {
        let names: Vec<String> = (0..columns).map(|column| format!("acc{column}x")).collect();
        lines.push(names.join(separator));
    }
    for row in 0..rows {
        let cells: Vec<String> =
            (0..columns).map(|column| format!("{:.5}", value(row, column))).collect();
        lines.push(cells.join(separator));
    }
    let text = |row, column| format!("{:.5}", value(row, column));
    let channel = |column| {
        (0..rows).map(|row| text(row, column).parse::<f64>().unwrap_or_default() as f32).collect()
    };
    (lines.join("\n"), (0..columns).map(channel).collect())
}

fn read(text: &str, skip_lines: u64) -> Result<Recording, String> {
    let selection = Selection { skip_lines, ..Selection::default() };
    Recording::read(RecordingFormat::Csv, text.as_bytes(), &selection, &LIMITS)
        .map_err(|error| error.to_string())
}

/// The number in `skip_lines=12`.
fn advised(error: &str) -> Option<u64> {
    let (_, rest) = error.split_once("skip_lines=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn rows(recording: &Recording) -> Vec<Vec<f32>> {
    recording.samples.rows().into_iter().map(|row| row.to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_below_other_lines_is_read_or_the_refusal_says_how(
        lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 1..40),
        separator in prop::sample::select(vec![",", ";", "\t"]),
        (columns, has_names, count) in (2_usize..5, any::<bool>(), 40_usize..300),
        repeat in prop_oneof![9 => Just(1_usize), 1 => Just(12_usize)],
    ) {
        let preamble: Vec<String> = lines.iter().map(|line| line.replace(';', separator)).collect();
        let preamble = vec![preamble.join("\n"); repeat].join("\n");
        let (table, channels) = table(separator, columns, has_names, count);
        let text = format!("{preamble}\n{table}\n");
        match read(&text, 0) {
            Ok(found) => {
                prop_assert!(rows(&found) == channels || !found.notices.is_empty(), "{}", text);
            }
            Err(error) => {
                // Above one or two lines, a row with a mistake looks the same: the line is told. Rows
                // above the table must not be lost.
                let Some(lines) = advised(&error) else {
                    let is_row = |line: &&str| line.split(separator).all(|cell| cell.parse::<f64>().is_ok());
                    let is_told = error.starts_with("line ") && preamble.lines().count() < 8;
                    let has_rows = preamble.lines().filter(is_row).count() >= 8;
                    prop_assert!(is_told || has_rows, "{}\n{}", error, text);
                    return Ok(());
                };
                let found = read(&text, lines).map_err(TestCaseError::fail)?;
                // The line above the rows may have as many cells, and be taken for names.
                let is_right = rows(&found) == channels || !found.notices.is_empty();
                prop_assert!(is_right, "{}\n{}", error, text);
            }
        }
    }
}

/// A row with a mistake is no reason to leave out those above it.
#[test]
fn a_mistake_in_a_table_is_told_and_not_skipped() {
    let (text, _) = table(",", 2, true, 100);
    for (at, line) in [(3, "1,2,3"), (50, "1,oops"), (99, "no row")] {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[at] = line;
        let Err(error) = read(&lines.join("\n"), 0) else { unreachable!("it has a mistake") };
        assert!(error.contains(&format!("line {}", at + 1)), "{error}");
        assert_eq!(advised(&error), None, "{error}");
    }
}

#[test]
fn a_text_without_a_table_gets_no_number() {
    let text = "This is a text.\nIt has no table, only 1 or 2 numbers.\n".repeat(500);
    let Err(error) = read(&text, 0) else { unreachable!("it has no table") };
    assert!(error.ends_with("give the number of lines before it as skip_lines"), "{error}");
}
