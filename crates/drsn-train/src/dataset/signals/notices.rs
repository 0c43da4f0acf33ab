//! What the readers assumed or repaired in the recordings, counted by kind.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use drsn_recording::{Notice, NoticeCode};

use crate::dataset::note::Note;

/// The notices of the recordings so far.
#[derive(Debug, Default)]
pub(super) struct Notices {
    kinds: BTreeMap<NoticeCode, Kind>,
}

/// The recordings with one kind of notice.
#[derive(Debug)]
struct Kind {
    files: usize,
    /// The one that was added last: its other parts are not counted again.
    last: PathBuf,
    /// The name of the first one, and its notice.
    example: String,
}

impl Notices {
    /// Adds those of a recording, whose `name` is for messages.
    pub(super) fn add(&mut self, path: &Path, name: &str, notices: &[Notice]) {
        for Notice { code, message } in notices {
            let kind = self.kinds.entry(*code).or_insert_with(|| Kind {
                files: 0,
                last: PathBuf::new(),
                example: format!("{name} ({message})"),
            });
            if kind.last != path {
                kind.files += 1;
                path.clone_into(&mut kind.last);
            }
        }
    }

    /// A note for each kind: how many files have it, and the first of them with its notice.
    pub(super) fn into_notes(self) -> impl Iterator<Item = Note> {
        self.kinds.into_iter().map(|(code, Kind { files, example, .. })| {
            let more = (files > 1).then(|| "…".to_owned());
            let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
            Note::new(format!("notice {code} of {files}"), [example].into_iter().chain(more))
        })
    }
}
