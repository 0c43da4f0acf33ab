//! The files that contain the windows, and what each is for if its name says it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use drsn_bundle::files;
use drsn_recording::{RecordingFormat, gzip};

use super::unusable;
use crate::dataset::{DatasetError, Note, files::contents, subset::Subset};

/// Bytes from the start of a file that show its format.
const MARK_BYTES: u64 = 520;

/// A file with windows, or with one array of them.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    /// Its name, for messages.
    pub(super) name: String,
    /// What all its windows are for, if there are several files.
    pub(super) subset: Option<Subset>,
    pub(super) is_npy: bool,
}

/// The files of a data set.
pub(super) struct Sources {
    pub(super) files: Vec<SourceFile>,
    /// Whether they are tables with one window a row, and not arrays.
    pub(super) are_tables: bool,
    pub(super) notes: Vec<Note>,
}

/// What a file can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npy,
    /// NPZ or MAT.
    Arrays,
    Table,
    /// `.txt`, which may be a table or a text about the data.
    Text,
}

impl SourceFile {
    fn new(name: &str, path: &Path, kind: Kind) -> Self {
        let is_npy = kind == Kind::Npy;
        Self { path: path.to_owned(), name: name.to_owned(), subset: None, is_npy }
    }

    /// Its name without endings.
    pub(super) fn stem(&self) -> &str {
        let name = gzip::unpacked_name(&self.name);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// Finds the files: `path` itself, or those in that folder.
pub(super) fn find(path: &Path) -> Result<Sources, DatasetError> {
    if !path.is_dir() {
        let unreadable = |source| DatasetError::Unreadable { path: path.to_owned(), source };
        // A name without a known ending is a table's, unless the first bytes say otherwise.
        let kind = kind(path).map_err(unreadable)?.unwrap_or(Kind::Table);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let files = vec![SourceFile::new(&name, path, kind)];
        let are_tables = matches!(kind, Kind::Table | Kind::Text);
        return Ok(Sources { files, are_tables, notes: Vec::new() });
    }
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    for (name, path) in contents(path)? {
        match kind(&path).ok().flatten() {
            Some(kind) if path.is_file() => found.push((kind, SourceFile::new(&name, &path, kind))),
            _ => left_out.push(name),
        }
    }
    // Beside tables that are called so, a text is about them.
    if found.iter().any(|(kind, _)| *kind != Kind::Text) {
        let (texts, others) = found.into_iter().partition(|(kind, _)| *kind == Kind::Text);
        let texts: Vec<(Kind, SourceFile)> = texts;
        left_out.extend(texts.into_iter().map(|(_, file)| file.name));
        found = others;
    }
    let are_tables = found.iter().all(|(kind, _)| matches!(kind, Kind::Table | Kind::Text));
    let are_npy = found.iter().all(|(kind, _)| *kind == Kind::Npy);
    check_mixture(path, &found)?;
    let mut files: Vec<SourceFile> = found.into_iter().map(|(_, file)| file).collect();
    if files.len() > 1 && !are_npy {
        name_sides(path, &mut files)?;
    }
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        let text =
            format!("{} other files or folders beside the data are not used", left_out.len());
        notes.push(Note::new(text, left_out));
    }
    Ok(Sources { files, are_tables, notes })
}

/// What a file is, by its first bytes or its name; `None` if it is no file with windows.
fn kind(path: &Path) -> std::io::Result<Option<Kind>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let start = files::read_start(path, MARK_BYTES)?;
    let format = RecordingFormat::sniff(&start).or_else(|| RecordingFormat::from_path(path));
    Ok(match format {
        Some(RecordingFormat::Npy) => Some(Kind::Npy),
        Some(RecordingFormat::Npz | RecordingFormat::Mat) => Some(Kind::Arrays),
        Some(RecordingFormat::Csv) => {
            let ending = Path::new(gzip::unpacked_name(name)).extension();
            let is_text = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
            Some(if is_text { Kind::Text } else { Kind::Table })
        }
        Some(RecordingFormat::Wav | RecordingFormat::Aiff | RecordingFormat::Flac) | None => None,
    })
}

/// Rejects a folder without files, or with files of different kinds.
fn check_mixture(folder: &Path, found: &[(Kind, SourceFile)]) -> Result<(), DatasetError> {
    let first = |kinds: &[Kind]| {
        let file = found.iter().find(|(kind, _)| kinds.contains(kind));
        file.map(|(_, file)| file.name.as_str())
    };
    let firsts = [first(&[Kind::Npy]), first(&[Kind::Arrays]), first(&[Kind::Table, Kind::Text])];
    let firsts: Vec<&str> = firsts.into_iter().flatten().collect();
    match &firsts[..] {
        [] => Err(unusable(
            folder,
            "it has no NPZ, MAT, NPY or CSV file: for recordings in folders use data.kind=signals",
        )),
        [_] => Ok(()),
        several => Err(unusable(
            folder,
            format!(
                "it has files of different kinds, such as {}: pass the one with the data by --data, \
                 or put the data into a folder of its own",
                several.join(" and ")
            ),
        )),
    }
}

/// Takes what each of several files is for from its name.
fn name_sides(folder: &Path, files: &mut [SourceFile]) -> Result<(), DatasetError> {
    for file in files.iter_mut() {
        file.subset = Subset::within_name(file.stem());
    }
    let sides: BTreeSet<&str> =
        files.iter().filter_map(|file| file.subset).map(Subset::name).collect();
    let unnamed = files.iter().filter(|file| file.subset.is_none());
    let unnamed: Vec<&str> = unnamed.map(|file| file.name.as_str()).take(5).collect();
    let reason = if sides.is_empty() {
        format!(
            "it has several files, such as {}, and their names do not say which is for training and \
             which for the test: pass one by --data, or call them …_train and …_test",
            unnamed.join(" and ")
        )
    } else if !unnamed.is_empty() {
        format!(
            "by their names, some of its files are parts of a split, and {} are not: put the files \
             of the split into a folder of their own",
            unnamed.join(" and ")
        )
    } else if sides.len() < 2 || !sides.contains(Subset::Training.name()) {
        format!(
            "by their names, all of its files are {} data: call those for training …_train and the \
             others …_val or …_test",
            sides.into_iter().collect::<Vec<_>>().join(" or ")
        )
    } else {
        return Ok(());
    };
    Err(unusable(folder, reason))
}
