//! The columns of an index, and what a line says about its file.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    dataset::{files::listing::Entry, subset::Subset},
    recipe::MAX_SKIPPED_LINES,
};

/// The names of the columns.
pub(super) const COLUMNS: [&str; 11] = [
    "file",
    "label",
    "group",
    "split",
    "sample_rate_hz",
    "variable",
    "rate_variable",
    "channel",
    "skip_lines",
    "start_s",
    "stop_s",
];

/// Place of each known column in the header.
pub(super) type Columns = [Option<usize>; COLUMNS.len()];

/// Finds the position of each known column in the header, and the names of the others.
pub(super) fn columns(header: &[String]) -> Result<(Columns, Vec<String>), String> {
    let mut places = [None; COLUMNS.len()];
    let mut others = Vec::new();
    for (place, name) in header.iter().enumerate() {
        let known = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name));
        let Some(column) = known else {
            // A line often ends with a separator.
            others.extend(Some(name.clone()).filter(|name| !name.is_empty()));
            continue;
        };
        if places[column].replace(place).is_some() {
            return Err(format!("duplicate column {name}"));
        }
    }
    match (0..2).find(|&column| places[column].is_none()) {
        None => Ok((places, others)),
        Some(missing) => Err(format!(
            "it has no column {}: its first line must name the columns file,label, and has {}",
            COLUMNS[missing],
            header.join(", ")
        )),
    }
}

/// Classes in order of first appearance.
#[derive(Default)]
pub(super) struct Classes {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Classes {
    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The place of a class, which is added if it is new.
    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.names.len();
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }
}

/// The file of a line; a cell is `None` if it is empty or its column is missing.
pub(super) fn entry(
    row: [Option<&str>; COLUMNS.len()],
    folder: &Path,
    classes: &mut Classes,
) -> Result<Entry, String> {
    let [
        file,
        label,
        group,
        subset,
        rate,
        variable,
        rate_variable,
        channel,
        skip_lines,
        start_s,
        stop_s,
    ] = row;
    let file = file.ok_or("the column file is empty")?;
    let label = label.ok_or_else(|| format!("{file} has no label"))?;
    let class = classes.place(label);
    let entry = Entry {
        path: folder.join(PathBuf::from(file)),
        name: file.to_owned(),
        class,
        group: group.map(str::to_owned),
        subset: subset.map(subset_of).transpose()?,
        sample_rate_hz: rate.map(positive).transpose()?,
        variable: variable.map(str::to_owned),
        rate_variable: rate_variable.map(str::to_owned),
        channel: channel.map(str::to_owned),
        skip_lines: skip_lines.map(lines).transpose()?,
        start_s: start_s.map(|text| seconds("start_s", text)).transpose()?,
        stop_s: stop_s.map(|text| seconds("stop_s", text)).transpose()?,
    };
    let Range { start, end } = entry.extent();
    if start >= end {
        return Err(format!("stop_s must be after start_s, got {start} and {end}"));
    }
    Ok(entry)
}

/// A part of the split.
fn subset_of(text: &str) -> Result<Subset, String> {
    let wrong = || format!("split must be training, held-out or test, got \"{text}\"");
    Subset::from_name(text).ok_or_else(wrong)
}

/// A sample rate.
fn positive(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| format!("sample_rate_hz must be a positive number, got \"{text}\""))
}

/// A number of lines.
fn lines(text: &str) -> Result<usize, String> {
    let lines = text.parse().ok().filter(|&lines| lines <= MAX_SKIPPED_LINES);
    lines.ok_or_else(|| {
        format!("skip_lines must be a whole number from 0 to {MAX_SKIPPED_LINES}, got \"{text}\"")
    })
}

/// A time within a recording.
fn seconds(column: &str, text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
    seconds.ok_or_else(|| format!("{column} must be a number of seconds from 0, got \"{text}\""))
}
