//! The index of a data set: a text table with one line for each file.
//!
//! The first line names the columns, in any order: `file` and `label` are required; `group`,
//! `split` (`training`, `held-out`, `test` or another usual name of these), `sample_rate_hz`,
//! `variable`, `rate_variable`, `channel`, `skip_lines`, `start_s` and `stop_s` are optional; others
//! are told and not used. Columns are separated by commas, semicolons or tabs; a cell may be quoted.
//! Files are relative to the data's folder. Classes are in order of first appearance.

mod cells;
mod row;

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::listing::Listing;
use crate::dataset::{error::DatasetError, note::Note};
use cells::{cells, separator};
use row::{COLUMNS, Classes, columns, entry};

/// Maximum size of an index in bytes: millions of lines.
const MAX_BYTES: u64 = 256 << 20;

/// Reads an index of files in `folder`.
pub(super) fn read(index: &Path, folder: &Path) -> Result<Listing, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: index.to_owned(), source };
    let malformed = |reason| DatasetError::Malformed { path: index.to_owned(), reason };
    let mut bytes = Vec::new();
    let file = File::open(index).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(malformed(format!("it is larger than the limit of {MAX_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|&byte| byte == b'\n').count();
        malformed(format!("line {line} is not UTF-8: save it as UTF-8"))
    })?;
    let listing = parse(&text, folder).map_err(malformed)?;
    Ok(Listing { origin: index.to_owned(), ..listing })
}

/// Parses the text of an index into its classes and files.
fn parse(text: &str, folder: &Path) -> Result<Listing, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let Some((_, header)) = lines.next() else {
        return Err("it is empty: its first line must name the columns file,label".to_owned());
    };
    let separator = separator(header);
    let header = cells(header, separator)?;
    let (places, others) = columns(&header)?;
    let mut classes = Classes::default();
    let mut entries = Vec::new();
    for (number, line) in lines {
        let at_line = |reason: String| format!("line {number}: {reason}");
        let cells = cells(line, separator).map_err(at_line)?;
        if cells.len() != header.len() {
            return Err(at_line(format!(
                "expected {} cells as in the first line, found {}",
                header.len(),
                cells.len()
            )));
        }
        let row = places.map(|place| place.map(|p| cells[p].as_str()).filter(|c| !c.is_empty()));
        entries.push(entry(row, folder, &mut classes).map_err(at_line)?);
    }
    let mut notes = Vec::new();
    if !others.is_empty() {
        let known = COLUMNS.join(", ");
        let text = format!("the index has other columns than {known}, which are not used");
        notes.push(Note::new(text, others));
    }
    Ok(Listing { origin: PathBuf::new(), classes: classes.into_names(), entries, notes })
}

/// Parses an index and checks what the rest of the program relies on.
#[cfg(fuzzing)]
pub(crate) fn assert_index(text: &str) {
    let Ok(Listing { classes, entries, .. }) = parse(text, Path::new("")) else { return };
    let names: std::collections::HashSet<_> = classes.iter().collect();
    assert_eq!(names.len(), classes.len(), "every class is there once");
    assert!(classes.iter().all(|class| !class.is_empty()));
    let used: std::collections::HashSet<_> = entries.iter().map(|entry| entry.class).collect();
    assert!(used.len() == classes.len() && used.iter().all(|&class| class < classes.len()));
    for entry in &entries {
        assert!(!entry.name.is_empty());
        assert!(entry.sample_rate_hz.is_none_or(|rate| rate.is_finite() && rate > 0.0));
    }
    let _ = Listing { classes, entries, ..Listing::default() }.check();
}

#[cfg(test)]
mod tests;
