//! A folder of inputs that were kept one after the other, with their answers.
//!
//! ```text
//! 000001-shift.wav    an input, named by the first reason
//! answers.jsonl       a line for each
//! index.csv           the same for `drsn-train --index`; the labels are for people to fill in
//! ```

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use drsn_bundle::InputSpec;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Item, formats::Encoded};
use crate::observability::clock::rfc3339;

const ANSWERS: &str = "answers.jsonl";
const INDEX: &str = "index.csv";
const COLUMNS: &str = "file,label,group,split,sample_rate_hz,predicted,probability,reasons,time\n";
/// Most inputs of a segment.
const MOST_FILES: usize = 1000;
const DAY: Duration = Duration::from_hours(24);
/// What the name of a file that is being written ends with.
const WRITING: &str = ".writing";
/// What a file takes on a disk is a multiple of this.
const BLOCK: u64 = 4096;
/// Of a hundred inputs, those up to the first number are for training, those up to the second are
/// held out, and the others are for the test.
const SPLIT: (u64, u64) = (60, 80);

/// A line of the answers.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    file: &'a str,
    model: &'a str,
    version: &'a str,
    request_id: Option<String>,
    reasons: Vec<&'static str>,
    /// The window's samples in the signal that was sent, at the model's rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
    prediction: &'a RawValue,
}

/// What a new segment takes: its two tables.
pub(super) const EMPTY: u64 = 2 * BLOCK;

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    name: String,
    answers: Lines,
    index: Lines,
    files: usize,
    begun: SystemTime,
}

/// A text file to which whole lines are appended.
#[derive(Debug)]
struct Lines {
    file: File,
    length: u64,
}

impl Segment {
    /// Creates a segment in a folder that exists.
    ///
    /// # Errors
    /// [`io::Error`], also if there is one of that name.
    pub(super) fn create(folder: &Path, name: &str, begun: SystemTime) -> io::Result<Self> {
        let path = folder.join(name);
        fs::create_dir(&path)?;
        let files = || {
            let mut index = Lines::create(&path.join(INDEX))?;
            index.append(COLUMNS)?;
            Ok((Lines::create(&path.join(ANSWERS))?, index))
        };
        let (answers, index) = files().inspect_err(|_: &io::Error| {
            // Not to leave one each time while the disk is full.
            let _ = fs::remove_dir_all(&path);
        })?;
        Ok(Self { path, name: name.to_owned(), answers, index, files: 0, begun })
    }

    /// Whether another one is to be begun. A model with few inputs begins one a day, too: those of a
    /// busy one make the oldest go.
    pub(super) fn is_full(&self, now: SystemTime) -> bool {
        self.files >= MOST_FILES || now.duration_since(self.begun).is_ok_and(|age| age > DAY)
    }

    /// Writes an input and its answer; returns the bytes that they take.
    ///
    /// # Errors
    /// [`io::Error`]; then the input is not there, or at least not in the index.
    pub(super) fn write(&mut self, item: &Item, encoded: &Encoded) -> io::Result<u64> {
        let number = self.files + 1;
        let Encoded { ending, bytes } = encoded;
        let name = format!("{number:06}-{}.{ending}", item.kept.reasons.first());
        let (path, writing) = (self.path.join(&name), self.path.join(format!(".{name}{WRITING}")));
        fs::write(&writing, bytes).and_then(|()| fs::rename(&writing, &path)).inspect_err(
            |_| {
                // What is left is deleted at the next start.
                let _ = fs::remove_file(&writing);
            },
        )?;
        self.files = number;
        let file = format!("{}/{name}", self.name);
        let time = rfc3339(item.time);
        let line = line(item, &file, &time)?;
        let row = row(item, &file, &time, ending);
        let before = self.answers.length;
        let written = self.answers.append(&line).and_then(|()| self.index.append(&row));
        written.inspect_err(|_| {
            self.answers.shorten_to(before);
            let _ = fs::remove_file(&path);
        })?;
        Ok(on_disk(bytes.len() as u64) + (line.len() + row.len()) as u64)
    }
}

fn line(item: &Item, file: &str, time: &str) -> io::Result<String> {
    let kept = &item.kept;
    let window = match &*item.input {
        InputSpec::Signal(signal) => signal.window,
        InputSpec::Image(_) => 0,
    };
    let line = Line {
        time,
        file,
        model: &item.labels.model,
        version: &item.labels.version,
        request_id: kept.request.map(|id| id.to_string()),
        reasons: kept.reasons.names().collect(),
        start: kept.start,
        end: kept.start.map(|start| start + window),
        prediction: &kept.prediction,
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

/// The line of the index; empty for a picture that is no picture file, which the trainer does not
/// read.
fn row(item: &Item, file: &str, time: &str, ending: &str) -> String {
    let (rate, is_read) = match &*item.input {
        InputSpec::Signal(signal) => (signal.sample_rate_hz, true),
        InputSpec::Image(_) => (None, ending == "png"),
    };
    if !is_read {
        return String::new();
    }
    let kept = &item.kept;
    let group = kept.request.map(|id| id.to_string()).unwrap_or_default();
    let rate = rate.map(|rate| rate.to_string()).unwrap_or_default();
    let predicted = kept.predicted.replace('"', "\"\"").replace(['\n', '\r'], " ");
    let reasons: Vec<&str> = kept.reasons.names().collect();
    format!(
        "{file},,{group},{},{rate},\"{predicted}\",{},{},{time}\n",
        split(item),
        kept.probability,
        reasons.join(" "),
    )
}

/// The part of a training's data: one for all windows of a request within a minute, which are alike.
fn split(item: &Item) -> &'static str {
    let minute = item.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
    let mut hasher = DefaultHasher::new();
    (item.kept.request, minute).hash(&mut hasher);
    match hasher.finish() % 100 {
        part if part < SPLIT.0 => "training",
        part if part < SPLIT.1 => "held-out",
        _ => "test",
    }
}

impl Lines {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::options().append(true).create_new(true).open(path)?, length: 0 })
    }

    /// Appends whole lines, or nothing.
    fn append(&mut self, text: &str) -> io::Result<()> {
        let before = self.length;
        self.file.write_all(text.as_bytes()).inspect_err(|_| self.shorten_to(before))?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Takes back what was appended since.
    fn shorten_to(&mut self, length: u64) {
        // If half a line stays, the next start cuts it off.
        let _ = self.file.set_len(length);
        self.length = length;
    }
}

/// What a file of so many bytes takes on a disk.
pub(super) fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// The bytes that a segment of an earlier start takes. Deletes what was not written completely.
///
/// # Errors
/// [`io::Error`] if it cannot be read or mended.
pub(super) fn mend(segment: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(segment)? {
        let (entry, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if entry.to_string_lossy().ends_with(WRITING) {
            fs::remove_file(&path)?;
            continue;
        }
        if entry == ANSWERS || entry == INDEX {
            end_with_a_line(&path)?;
        }
        bytes += on_disk(fs::metadata(&path)?.len());
    }
    Ok(bytes)
}

/// Cuts off a line that is not whole, because the server was killed or the disk was full.
fn end_with_a_line(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        return Ok(());
    }
    let bytes = fs::read(path)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)
}
