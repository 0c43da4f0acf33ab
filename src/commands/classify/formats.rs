//! Answers as lines: a table, comma-separated values or JSON.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    answers::{Answered, Row},
    arguments::Format,
    files::File,
    model::Facts,
};

/// Longest path in the table that the other paths are aligned with, in characters.
const LONGEST: usize = 80;
/// The columns of comma-separated values.
const COLUMNS: &str =
    "file,input,label,probability,windows,shift_alarm,level_alarm,notices,truth,error\n";

/// Writes answers as lines of one format.
#[derive(Debug)]
pub(super) struct Lines {
    format: Format,
    classes: Vec<String>,
    /// Widths of the table's first two columns, in characters.
    widths: [usize; 2],
}

/// A line of JSON. Either predictions or an error is there.
#[derive(Serialize)]
struct JsonLine<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    truth: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Lines {
    /// Lines for these files.
    pub(super) fn new(format: Format, facts: &Facts, files: &[File]) -> Self {
        let length = |file: &File| printable(&file.shown()).chars().count();
        let lengths = files.iter().map(length).filter(|&length| length <= LONGEST);
        let labels = facts.classes.iter().map(|label| printable(label).chars().count());
        let widths = [
            lengths.max().unwrap_or_default().max("file".len()),
            labels.max().unwrap_or_default().max("label".len()),
        ];
        Self { format, classes: facts.classes.clone(), widths }
    }

    /// What comes before the first line.
    pub(super) fn head(&self) -> String {
        match self.format {
            Format::Table => {
                self.row(["file", "label", "probability", "windows", "shift", "level", "notices"])
            }
            Format::Csv => COLUMNS.to_owned(),
            Format::Jsonl => String::new(),
        }
    }

    /// The lines of a file. The table has none for one that failed.
    pub(super) fn of(&self, file: &File, answer: Result<&Answered, &str>) -> String {
        let shown = file.shown();
        let truth = file.truth.and_then(|class| self.classes.get(class)).map(String::as_str);
        match (self.format, answer) {
            (Format::Jsonl, answer) => json(&shown, truth, answer),
            (Format::Table, Ok(answered)) => self.table(&shown, &answered.rows),
            (Format::Table, Err(_)) => String::new(),
            (Format::Csv, Ok(answered)) => csv(&shown, truth, &answered.rows),
            (Format::Csv, Err(error)) => {
                let truth = truth.unwrap_or_default();
                values([&shown, "", "", "", "", "", "", "", truth, error])
            }
        }
    }

    fn table(&self, shown: &str, rows: &[Row]) -> String {
        let name = printable(shown);
        let line = |(index, row): (usize, &Row)| {
            let name = if rows.len() == 1 { name.clone() } else { format!("{name} [{index}]") };
            self.row([
                &name,
                &printable(&row.label),
                &format!("{:.4}", row.probability),
                &row.windows.to_string(),
                alarm(row.shift),
                alarm(row.level),
                &row.notices,
            ])
        };
        rows.iter().enumerate().map(line).collect()
    }

    fn row(&self, [file, label, probability, windows, shift, level, notices]: [&str; 7]) -> String {
        let [first, second] = self.widths;
        let line = format!(
            "{file:first$}  {label:second$}  {probability:>11}  {windows:>7}  {shift:5}  {level:5}  {notices}"
        );
        line.trim_end().to_owned() + "\n"
    }
}

/// An alarm in a table.
fn alarm(alarm: Option<bool>) -> &'static str {
    match alarm {
        Some(true) => "alarm",
        Some(false) => "ok",
        None => "-",
    }
}

fn csv(shown: &str, truth: Option<&str>, rows: &[Row]) -> String {
    let known = |alarm: Option<bool>| alarm.map_or_else(String::new, |alarm| alarm.to_string());
    let line = |(index, row): (usize, &Row)| {
        values([
            shown,
            &index.to_string(),
            &row.label,
            &row.probability.to_string(),
            &row.windows.to_string(),
            &known(row.shift),
            &known(row.level),
            &row.notices,
            truth.unwrap_or_default(),
            "",
        ])
    };
    rows.iter().enumerate().map(line).collect()
}

/// A line of comma-separated values, quoted as RFC 4180 has it.
fn values(values: [&str; 10]) -> String {
    let mut line = values.map(quoted).join(",");
    line.push('\n');
    line
}

fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn json(file: &str, truth: Option<&str>, answer: Result<&Answered, &str>) -> String {
    let text = answer.ok().and_then(|answered| answered.predictions.as_deref());
    let predictions: Option<&RawValue> = text.and_then(|text| serde_json::from_str(text).ok());
    let line = JsonLine { file, truth, predictions, error: answer.err() };
    let mut json = serde_json::to_string(&line).unwrap_or_default();
    json.push('\n');
    json
}

/// Text without what a terminal would take for a command, and on one line.
pub(super) fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(path: &str, truth: Option<usize>) -> File {
        let path = PathBuf::from(path);
        File { path, bytes: 1, is_regular: true, truth, problem: None }
    }

    fn answered(rows: usize) -> Answered {
        let row = Row {
            label: "race, \"outer\"".to_owned(),
            probability: 0.1,
            windows: 3,
            shift: Some(true),
            level: None,
            notices: "truncated rate_assumed".to_owned(),
        };
        Answered { rows: vec![row; rows], predictions: Some("[{\"label\":\"x\"}]".into()) }
    }

    /// The lines of one good file with two inputs and one that failed.
    fn lines(format: Format) -> String {
        let facts = Facts { classes: vec!["race, \"outer\"".to_owned()], takes_images: false };
        let files = [file("a,b.wav", Some(0)), file("line\nbreak.wav", None)];
        let lines = Lines::new(format, &facts, &files);
        let good = lines.of(&files[0], Ok(&answered(2)));
        lines.head() + &good + &lines.of(&files[1], Err("it is \"empty\""))
    }

    #[test]
    fn a_table_is_aligned_and_shows_no_line_breaks_or_commands_of_the_terminal() {
        insta::assert_snapshot!(lines(Format::Table), @r#"
        file             label          probability  windows  shift  level  notices
        a,b.wav [0]      race, "outer"       0.1000        3  alarm  -      truncated rate_assumed
        a,b.wav [1]      race, "outer"       0.1000        3  alarm  -      truncated rate_assumed
        "#);
        assert_eq!(printable("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
    }

    #[test]
    fn values_are_quoted_where_they_need_it() {
        insta::assert_snapshot!(lines(Format::Csv), @r#"
        file,input,label,probability,windows,shift_alarm,level_alarm,notices,truth,error
        "a,b.wav",0,"race, ""outer""",0.1,3,true,,truncated rate_assumed,"race, ""outer""",
        "a,b.wav",1,"race, ""outer""",0.1,3,true,,truncated rate_assumed,"race, ""outer""",
        "line
        break.wav",,,,,,,,,"it is ""empty"""
        "#);
    }

    #[test]
    fn a_line_of_json_has_the_predictions_or_the_error() {
        insta::assert_snapshot!(lines(Format::Jsonl), @r#"
        {"file":"a,b.wav","truth":"race, \"outer\"","predictions":[{"label":"x"}]}
        {"file":"line\nbreak.wav","error":"it is \"empty\""}
        "#);
    }
}
