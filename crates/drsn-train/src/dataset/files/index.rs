//! The index of a data set: a text table with one line for each file.
//!
//! The first line names the columns, in any order: `file` and `label` are required; `group`,
//! `split` (`training`, `held-out`, `test` or another usual name of these), `sample_rate_hz`,
//! `variable`, `channel`, `start_s` and `stop_s` are optional; others are told and not used. Columns
//! are separated by commas, semicolons or tabs; a cell may be quoted. Files are relative to the
//! data's folder. Classes are in order of first appearance.

use std::{
    collections::HashMap,
    fs::File,
    io::Read as _,
    ops::Range,
    path::{Path, PathBuf},
};

use super::listing::{Entry, Listing};
use crate::dataset::{error::DatasetError, note::Note, subset::Subset};

/// Maximum size of an index in bytes: millions of lines.
const MAX_BYTES: u64 = 256 << 20;

const COLUMNS: [&str; 9] = [
    "file",
    "label",
    "group",
    "split",
    "sample_rate_hz",
    "variable",
    "channel",
    "start_s",
    "stop_s",
];

/// Place of each known column in the header.
type Columns = [Option<usize>; COLUMNS.len()];

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
    Ok(Listing { origin: PathBuf::new(), classes: classes.names, entries, notes })
}

/// Finds the position of each known column in the header, and the names of the others.
fn columns(header: &[String]) -> Result<(Columns, Vec<String>), String> {
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
struct Classes {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Classes {
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

fn entry(
    row: [Option<&str>; COLUMNS.len()],
    folder: &Path,
    classes: &mut Classes,
) -> Result<Entry, String> {
    let [file, label, group, subset, rate, variable, channel, start_s, stop_s] = row;
    let file = file.ok_or("the column file is empty")?;
    let label = label.ok_or_else(|| format!("{file} has no label"))?;
    let class = classes.place(label);
    let wrong_subset =
        |subset| format!("split must be training, held-out or test, got \"{subset}\"");
    let subset =
        subset.map(|name| Subset::from_name(name).ok_or_else(|| wrong_subset(name))).transpose()?;
    let wrong_rate = |rate| format!("sample_rate_hz must be a positive number, got \"{rate}\"");
    let rate = rate.map(|text| {
        let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
        rate.ok_or_else(|| wrong_rate(text))
    });
    let start_s = start_s.map(|text| seconds("start_s", text)).transpose()?;
    let stop_s = stop_s.map(|text| seconds("stop_s", text)).transpose()?;
    let entry = Entry {
        path: folder.join(PathBuf::from(file)),
        name: file.to_owned(),
        class,
        group: group.map(str::to_owned),
        subset,
        sample_rate_hz: rate.transpose()?,
        variable: variable.map(str::to_owned),
        channel: channel.map(str::to_owned),
        start_s,
        stop_s,
    };
    let Range { start, end } = entry.extent();
    if start >= end {
        return Err(format!("stop_s must be after start_s, got {start} and {end}"));
    }
    Ok(entry)
}

/// A time within a recording.
fn seconds(column: &str, text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
    seconds.ok_or_else(|| format!("{column} must be a number of seconds from 0, got \"{text}\""))
}

/// The column separator. No column name contains one.
fn separator(header: &str) -> char {
    ['\t', ';'].into_iter().find(|&separator| header.contains(separator)).unwrap_or(',')
}

/// Splits a line into cells, without quotes and surrounding blanks.
fn cells(line: &str, separator: char) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A doubled quote inside a quoted cell is an escaped quote.
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            c if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if quoted {
        return Err("a quoted cell is not closed".to_owned());
    }
    cells.push(cell);
    Ok(cells.into_iter().map(|cell| cell.trim().to_owned()).collect())
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refuse(text: &str) -> String {
        parse(text, Path::new("data")).unwrap_err()
    }

    #[test]
    fn columns_are_found_by_name_whatever_separates_them() {
        for text in [
            "file,label,group,sample_rate_hz\nb.wav,worn,a,48000\na.wav,new,,\n",
            "\u{feff}group;file;label;sample_rate_hz\r\na;b.wav;worn;48e3\r\n\r\n;a.wav;new;\r\n",
            "label\tfile\tsample_rate_hz\tgroup\nworn\t\"b.wav\"\t48000\ta\nnew\t a.wav\t\t\n",
        ] {
            let Listing { classes, entries, .. } = parse(text, Path::new("data")).unwrap();
            assert_eq!(classes, ["worn", "new"], "{text}");
            assert_eq!(entries[0].group.as_deref(), Some("a"));
            assert_eq!(entries[0].sample_rate_hz, Some(48_000.0));
            assert_eq!((entries[1].path.to_str(), entries[1].class), (Some("data/a.wav"), 1));
            assert_eq!((&entries[1].group, entries[1].sample_rate_hz), (&None, None));
        }
    }

    #[test]
    fn quotes_keep_separators_and_quotes() {
        assert_eq!(cells("\"a,\"\"b\"\"\", c\"d", ',').unwrap(), ["a,\"b\"", "c\"d"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert!(refuse("").contains("empty"));
        assert!(refuse("file,lable\n").contains("no column label: its first line"));
        assert!(refuse("file,lable\n").contains("and has file, lable"));
        assert!(refuse("file,group\n").contains("no column label"));
        assert!(refuse("file,file\n").contains("duplicate column file"));
        assert_eq!(
            refuse("file,label\na.wav\n"),
            "line 2: expected 2 cells as in the first line, found 1"
        );
        assert_eq!(refuse("file,label\n\na.wav,\n"), "line 3: a.wav has no label");
        assert!(refuse("file,label,split\na,b,tset\n").contains("\"tset\""));
        assert!(refuse("file,label,sample_rate_hz\na,b,-1\n").contains("positive"));
        assert!(refuse("file,label\n\"a,b\n").contains("not closed"));
        assert!(refuse("file,label,start_s\na,b,-1\n").contains("start_s must be a number of sec"));
        assert!(refuse("file,label,stop_s\na,b,end\n").contains("got \"end\""));
        assert!(refuse("file,label,start_s,stop_s\na,b,2,2\n").contains("must be after start_s"));
    }

    /// Tables come from spreadsheets, with columns for people.
    #[test]
    fn columns_for_people_are_ignored_and_told() {
        let text =
            "File,Label,Comment,LABEL 2\r\na.wav,new,\"by hand, loud\",x\r\nb.wav,worn,,\r\n";
        let listing = parse(text, Path::new("data")).unwrap();
        assert_eq!(listing.classes, ["new", "worn"]);
        let note = listing.notes[0].to_string();
        assert!(note.ends_with("which are not used: Comment, LABEL 2"), "{note}");
        assert!(parse("file,label\na,b\n", Path::new("")).unwrap().notes.is_empty());
    }

    /// Regression: each line was compared with all labels before it, so that a table whose labels
    /// all differ, as measurements do, took hours.
    #[test]
    fn a_table_whose_labels_all_differ_is_read_about_as_fast_as_another() {
        let table = |labels: usize| {
            let lines = (0..150_000).map(|line| format!("a.wav,{}\n", line % labels));
            let text = lines.fold("file,label\n".to_owned(), |text, line| text + &line);
            let started = std::time::Instant::now();
            let Listing { classes, entries, .. } = parse(&text, Path::new("")).unwrap();
            let listing = Listing { classes, entries, ..Listing::default() };
            listing.check().unwrap();
            started.elapsed()
        };
        let (few, many) = (table(2), table(150_000));
        assert!(many < 20 * few, "{many:?}, and {few:?} with two labels");
    }

    proptest! {
        #[test]
        fn no_text_can_make_it_panic(text in "[a-z,;\t\"\n]{0,60}") {
            let _ = parse(&text, Path::new(""));
            let _ = parse(&format!("file,label\n{text}"), Path::new(""));
        }
    }
}
