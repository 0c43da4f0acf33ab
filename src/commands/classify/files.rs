//! Finds the files to classify: those that are named, and those in folders.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use drsn_bundle::{
    files::{is_system_name, read_start},
    input::ImageFormat,
};
use drsn_recording::RecordingFormat;

use super::{model::Facts, truth};
use crate::inference::decode::{FileKind, MARK_BYTES};

/// Of the files that are left out, this many are named.
const NAMED: usize = 5;

/// A file to classify.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Its length when it was found; 0 if that is unknown.
    pub(super) bytes: u64,
    /// Whether it can be read a second time: a pipe cannot.
    pub(super) is_regular: bool,
    /// The class whose name one of its folders has, as a position in the model's list.
    pub(super) truth: Option<usize>,
    /// Why it cannot be classified, if that is known already.
    pub(super) problem: Option<String>,
}

impl File {
    /// Its path as text.
    pub(super) fn shown(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn new(path: PathBuf, metadata: &Metadata, truth: Option<usize>) -> Self {
        let is_regular = metadata.is_file();
        let bytes = if is_regular { metadata.len() } else { 0 };
        Self { path, bytes, is_regular, truth, problem: None }
    }

    /// A path that cannot be read.
    fn unread(path: &Path, error: &io::Error) -> Self {
        let problem = Some(format!("cannot read it: {error}"));
        Self { path: path.to_owned(), bytes: 0, is_regular: true, truth: None, problem }
    }
}

/// The files in folders that the model does not read.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    count: usize,
    names: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, path: &Path) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(path.to_string_lossy().into_owned());
        }
    }

    /// Says which files were left out; `None` if none were.
    pub(super) fn sentence(&self) -> Option<String> {
        let more = if self.count > self.names.len() { ", …" } else { "" };
        let names = self.names.join(", ");
        match self.count {
            0 => None,
            1 => Some(format!("1 file was left out: {names}")),
            count => Some(format!("{count} files were left out: {names}{more}")),
        }
    }
}

/// Looks for files.
#[derive(Debug)]
pub(super) struct Search<'a> {
    facts: &'a Facts,
    /// The file that the answers go to, which is not one of the inputs.
    output: Option<PathBuf>,
    pub(super) files: Vec<File>,
    pub(super) left_out: LeftOut,
}

impl<'a> Search<'a> {
    /// A search for files that the model reads. The file `output` is skipped.
    pub(super) fn new(facts: &'a Facts, output: Option<&Path>) -> Self {
        let output = output.and_then(|path| path.canonicalize().ok());
        Self { facts, output, files: Vec::new(), left_out: LeftOut::default() }
    }

    /// Adds a file, or the files below a folder. What cannot be read is added with the reason.
    pub(super) fn add(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path, path, &mut Vec::new()),
            Ok(metadata) => {
                let folder = path.parent().unwrap_or(path);
                let truth = truth::of(folder, folder, &self.facts.classes);
                self.files.push(File::new(path.to_owned(), &metadata, truth));
            }
            Err(error) => self.files.push(File::unread(path, &error)),
        }
    }

    /// Adds the files below `folder`, which is `root` or below it. `above` identifies the folders
    /// on the way, so that a link to one of them is not followed without end.
    fn folder(&mut self, root: &Path, folder: &Path, above: &mut Vec<(u64, u64)>) {
        let read = fs::metadata(folder).and_then(|metadata| {
            let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
            Ok(((metadata.dev(), metadata.ino()), entries))
        });
        let (identity, entries) = match read {
            Ok(read) => read,
            Err(error) => return self.files.push(File::unread(folder, &error)),
        };
        if above.contains(&identity) {
            return;
        }
        above.push(identity);
        let truth = truth::of(root, folder, &self.facts.classes);
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| !is_skipped(path)) {
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => self.folder(root, path, above),
                Ok(metadata) => self.found(path, &metadata, truth),
                Err(_) if !self.is_readable(path) => self.left_out.add(path),
                Err(error) => self.files.push(File::unread(path, &error)),
            }
        }
        above.pop();
    }

    /// Adds a file of a folder if the model reads such files.
    fn found(&mut self, path: &Path, metadata: &Metadata, truth: Option<usize>) {
        if self.output.is_some() && path.canonicalize().ok() == self.output {
            return;
        }
        if metadata.is_file() && self.is_readable(path) {
            self.files.push(File::new(path.to_owned(), metadata, truth));
        } else {
            self.left_out.add(path);
        }
    }

    /// Whether a file is of a kind that the model reads: by the ending of its name, or else by its
    /// first bytes.
    fn is_readable(&self, path: &Path) -> bool {
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let by_content = || {
            let start = read_start(path, MARK_BYTES as u64).ok()?;
            let image = ImageFormat::of(&start).map(FileKind::Image);
            image.or_else(|| RecordingFormat::of_unnamed(&start).map(FileKind::Recording))
        };
        match FileKind::of_name(&name).or_else(by_content) {
            Some(FileKind::Image(_)) => self.facts.takes_images,
            Some(FileKind::Recording(_)) => !self.facts.takes_images,
            None => false,
        }
    }
}

/// Whether a file or folder is hidden or the system's.
fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    is_system_name(&name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn facts() -> Facts {
        Facts { classes: vec!["a".to_owned(), "b".to_owned()], takes_images: false }
    }

    #[test]
    fn folders_are_searched_in_order_without_what_is_hidden_or_of_another_kind() {
        let root = tree(&[
            "b/2.wav",
            "b/1.npy",
            "a/deep/3.MAT",
            "a/plot.png",
            "a/notes.pdf",
            ".git/4.wav",
            "__MACOSX/5.wav",
            "a/.6.wav",
            "out.csv",
        ]);
        let facts = facts();
        let mut search = Search::new(&facts, Some(&root.path().join("out.csv")));
        search.add(root.path());
        let below = |file: &File| file.path.strip_prefix(root.path()).unwrap().to_owned();
        let found: Vec<PathBuf> = search.files.iter().map(below).collect();
        assert_eq!(found, ["a/deep/3.MAT", "b/1.npy", "b/2.wav"].map(PathBuf::from));
        let truths: Vec<Option<usize>> = search.files.iter().map(|file| file.truth).collect();
        assert_eq!(truths, [Some(0), Some(1), Some(1)]);
        let sentence = search.left_out.sentence().unwrap();
        assert!(sentence.starts_with("2 files were left out: "), "{sentence}");
        assert!(sentence.ends_with("a/plot.png"), "{sentence}");
    }

    #[test]
    fn a_named_file_is_tried_whatever_its_name_and_a_missing_one_has_the_reason() {
        let root = tree(&[".hidden"]);
        let facts = facts();
        let mut search = Search::new(&facts, None);
        search.add(&root.path().join(".hidden"));
        search.add(&root.path().join("missing.wav"));
        assert_eq!(search.files[0].problem, None);
        let problem = search.files[1].problem.clone().unwrap();
        assert!(problem.starts_with("cannot read it: No such file"), "{problem}");
    }

    #[test]
    fn a_link_to_a_folder_above_ends_the_search_and_not_the_program() {
        let root = tree(&["a/1.wav"]);
        symlink(root.path(), root.path().join("a/again")).unwrap();
        symlink("nowhere.wav", root.path().join("a/broken.wav")).unwrap();
        let facts = facts();
        let mut search = Search::new(&facts, None);
        search.add(root.path());
        let problems: Vec<bool> = search.files.iter().map(|f| f.problem.is_some()).collect();
        assert_eq!(problems, [false, true]);
    }
}
