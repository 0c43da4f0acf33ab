//! Windows in tables with one window a row, and its label in a column.

use drsn_recording::{ColumnUse, Limits, RecordingError, RowFile};

use super::{
    collector::{Collector, Keys},
    names::{GROUPS, LABELS, SPLITS},
    sources::SourceFile,
    unreadable, unusable,
};
use crate::{
    dataset::{DatasetError, Note},
    recipe::{Axis, WindowConfig},
};

/// Limits of a table: 64 GiB of text.
const LIMITS: Limits = Limits::new(64 << 30, 1 << 32);

/// Places of the values that are read beside the samples of a row.
const LABEL: usize = 0;
const GROUP: usize = 1;
const SPLIT: usize = 2;

/// What the columns of a table are.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    uses: Vec<ColumnUse>,
    has_groups: bool,
    has_splits: bool,
    /// Whether the first column has no name and is left out.
    leaves_index_out: bool,
}

/// Reads the windows of a table.
pub(super) fn read(
    config: &WindowConfig,
    file: &SourceFile,
    collector: &mut Collector<'_>,
) -> Result<(), DatasetError> {
    let unusable = |reason: String| unusable(&file.path, reason);
    let unreadable = |error: RecordingError| unreadable(&file.path, &error);
    let mut table = RowFile::open(&file.path, &names(config), &LIMITS).map_err(unreadable)?;
    let columns = Columns::of(table.header(), table.columns(), config).map_err(unusable)?;
    let channels = config.channels.unwrap_or(1);
    let interleaved = is_interleaved(config, channels).map_err(unusable)?;
    if columns.has_splits && file.subset.is_some() {
        let reason = "it has a column for the split, and its name says one: remove one of them";
        return Err(unusable(reason.to_owned()));
    }
    collector.begin(&file.path, &file.name, channels)?;
    tell(&table, &columns, file, collector);
    let (mut row, mut window) = (Vec::new(), vec![0.0; channels * config.window]);
    let mut texts = [const { String::new() }; 3];
    loop {
        let line = match table.next_row(&columns.uses, &mut row, &mut texts) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => {
                let line = line_of(&error).ok_or_else(|| unreadable(error))?;
                collector.bad(line.0, &line.1)?;
                continue;
            }
        };
        if interleaved {
            for (place, &sample) in row.iter().enumerate() {
                window[place % channels * config.window + place / channels] = sample;
            }
        } else {
            window.copy_from_slice(&row);
        }
        let mut place = |text: &str| collector.values.place_text(text).map_err(unreadable);
        let keys = Keys {
            label: place(&texts[LABEL])?,
            group: columns.has_groups.then(|| place(&texts[GROUP])).transpose()?,
            split: columns.has_splits.then(|| place(&texts[SPLIT])).transpose()?,
            subset: file.subset,
        };
        collector.add(line, &window, keys)?;
    }
    table.finish().map_err(unreadable)
}

/// The line of a row that is wrong, and what is wrong with it; the error if the file is.
fn line_of(error: &RecordingError) -> Option<(u64, String)> {
    if let RecordingError::Ragged { line, found, expected } = error {
        return Some((*line, format!("it has {found} columns, and {expected} were expected")));
    }
    if let RecordingError::NotNumeric { line, column, cell } = error {
        return Some((*line, format!("column {column}: \"{cell}\" is not a finite number")));
    }
    None
}

/// The names that show that the first line of a table names its columns.
fn names(config: &WindowConfig) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (given, usual) in
        [(&config.labels, LABELS), (&config.groups, GROUPS), (&config.splits, SPLITS)]
    {
        match given {
            Some(given) if is_position(given) => {}
            Some(given) => names.push(given),
            None => names.extend(usual),
        }
    }
    names.extend(config.skip_columns.iter().map(String::as_str).filter(|name| !is_position(name)));
    names
}

/// Whether a text may be a position instead of a name.
fn is_position(text: &str) -> bool {
    text == "first" || text == "last" || text.parse::<usize>().is_ok()
}

/// Whether the samples of the channels alternate in a row.
fn is_interleaved(config: &WindowConfig, channels: usize) -> Result<bool, String> {
    match config.axes.as_deref() {
        _ if channels == 1 => Ok(false),
        Some(axes) if Axis::parse(axes)? == [Axis::Inputs, Axis::Channels, Axis::Samples] => {
            Ok(false)
        }
        Some(axes) if Axis::parse(axes)? == [Axis::Inputs, Axis::Samples, Axis::Channels] => {
            Ok(true)
        }
        _ => Err(format!(
            "its rows hold {channels} channels: set data.axes to ncl if the samples of a channel \
             follow each other, or to nlc if the channels of a sample do"
        )),
    }
}

/// Tells what was left out or assumed.
fn tell(table: &RowFile, columns: &Columns, file: &SourceFile, collector: &mut Collector<'_>) {
    if table.is_header_assumed() {
        let text = "the first line was taken for the names of the columns";
        collector.note(Note::new(text, [&file.name[..]]));
    }
    if columns.leaves_index_out {
        let text = "the first column has no name and was left out";
        collector.note(Note::new(text, [&file.name[..]]));
    }
}

impl Columns {
    fn of(header: Option<&[String]>, count: usize, config: &WindowConfig) -> Result<Self, String> {
        let header = header.unwrap_or_default();
        let label = label(header, count, config)?;
        let optional = |given: Option<&String>, usual: &[&str], field: &str| match given {
            Some(given) => position(header, count, given, field).map(Some),
            None => usual_column(header, usual, field),
        };
        let group = optional(config.groups.as_ref(), GROUPS, "groups")?;
        let split = optional(config.splits.as_ref(), SPLITS, "splits")?;
        let mut uses = vec![ColumnUse::Sample; count];
        let leaves_index_out = header.first().is_some_and(String::is_empty) && label != 0;
        if leaves_index_out && let Some(first) = uses.first_mut() {
            *first = ColumnUse::Nothing;
        }
        for name in &config.skip_columns {
            uses[position(header, count, name, "skip_columns")?] = ColumnUse::Nothing;
        }
        for (place, column) in [(LABEL, Some(label)), (GROUP, group), (SPLIT, split)] {
            let Some(column) = column else { continue };
            if matches!(uses[column], ColumnUse::Value(_)) {
                return Err(format!(
                    "column {column} (from 0) cannot be two of label, group and split: correct \
                     data.labels, data.groups or data.splits"
                ));
            }
            uses[column] = ColumnUse::Value(place);
        }
        let (has_groups, has_splits) = (group.is_some(), split.is_some());
        let columns = Self { uses, has_groups, has_splits, leaves_index_out };
        columns.check(header, config)?;
        Ok(columns)
    }

    /// Rejects another number of samples than a window has.
    fn check(&self, header: &[String], config: &WindowConfig) -> Result<(), String> {
        let channels = config.channels.unwrap_or(1);
        let samples = self.uses.iter().filter(|used| **used == ColumnUse::Sample).count();
        let wanted = config.window.saturating_mul(channels);
        if samples == wanted {
            return Ok(());
        }
        let names = if header.is_empty() { String::new() } else { format!(" ({})", shown(header)) };
        Err(format!(
            "its rows have {samples} samples beside the label, but the recipe's windows have \
             {wanted}: set data.window{}, or leave out columns{names} that are no samples by \
             data.skip_columns",
            if channels == 1 { format!(" to {samples}") } else { " and data.channels".to_owned() }
        ))
    }
}

/// The column of the label: never a guess.
fn label(header: &[String], count: usize, config: &WindowConfig) -> Result<usize, String> {
    if let Some(given) = &config.labels {
        return position(header, count, given, "labels");
    }
    if header.is_empty() {
        return Err(
            "its first line does not name the columns, so the recipe must say which one is \
                    the label: set data.labels to \"last\", \"first\" or a number from 0"
                .to_owned(),
        );
    }
    usual_column(header, LABELS, "labels")?.ok_or_else(|| {
        format!(
            "no column has one of the names {}: set data.labels to that of the label, or to \"last\" \
             or \"first\"; the columns are {}",
            LABELS.join(", "),
            shown(header)
        )
    })
}

/// The only column with one of the usual names.
fn usual_column(header: &[String], usual: &[&str], field: &str) -> Result<Option<usize>, String> {
    let is_usual = |name: &&String| usual.iter().any(|usual| usual.eq_ignore_ascii_case(name));
    let found: Vec<&String> = header.iter().filter(is_usual).collect();
    match &found[..] {
        [_, _, ..] => Err(format!(
            "the columns {} may all be meant: name one with data.{field}",
            found.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        )),
        _ => Ok(header.iter().position(|name| is_usual(&name))),
    }
}

/// The column with this name, at this number from 0, or the first or last one.
fn position(header: &[String], count: usize, text: &str, field: &str) -> Result<usize, String> {
    let named = header.iter().position(|name| name == text);
    let named = named.or_else(|| header.iter().position(|name| name.eq_ignore_ascii_case(text)));
    let found = named.or_else(|| match text {
        "first" => Some(0),
        "last" => count.checked_sub(1),
        number => number.parse().ok(),
    });
    found.filter(|&column| column < count).ok_or_else(|| {
        let columns = if header.is_empty() {
            format!("{count} columns without names")
        } else {
            format!("the columns {}", shown(header))
        };
        format!("it has no column \"{text}\" as data.{field} says; it has {columns}")
    })
}

/// The first and last names of a header.
fn shown(header: &[String]) -> String {
    const SHOWN: usize = 6;
    let quoted = |name: &String| format!("\"{name}\"");
    match header {
        [first @ .., last] if header.len() > SHOWN => {
            let first: Vec<String> = first.iter().take(SHOWN - 1).map(quoted).collect();
            format!("{}, …, {}", first.join(", "), quoted(last))
        }
        all => all.iter().map(quoted).collect::<Vec<_>>().join(", "),
    }
}
