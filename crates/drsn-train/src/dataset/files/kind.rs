//! Which files are read, by the lists of the crates that read them.

use std::{io, path::Path};

use drsn_bundle::{files, input::ImageFormat};
use drsn_recording::RecordingFormat;

/// Bytes from the start of a file that show its format.
const MARK_BYTES: u64 = 520;

/// What the files of a data set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Images,
    Recordings,
}

impl FileKind {
    /// Whether a file is one of this kind: by the ending of its name, or else by its first bytes.
    pub(super) fn reads(self, path: &Path) -> io::Result<bool> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let by_name = match self {
            Self::Images => extension.and_then(ImageFormat::from_extension).is_some(),
            Self::Recordings => RecordingFormat::from_path(path).is_some(),
        };
        Ok(by_name || self.recognizes(&files::read_start(path, MARK_BYTES)?))
    }

    /// Whether the first bytes are those of a file of this kind.
    fn recognizes(self, start: &[u8]) -> bool {
        match self {
            Self::Images => ImageFormat::of(start).is_some(),
            Self::Recordings => RecordingFormat::of_unnamed(start).is_some(),
        }
    }
}
