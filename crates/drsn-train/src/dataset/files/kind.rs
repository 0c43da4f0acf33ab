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
            Self::Recordings => match RecordingFormat::sniff(start) {
                // Documents and programs are ZIP archives as well.
                Some(RecordingFormat::Npz) => starts_with_an_array(start),
                format => format.is_some() || is_table_of_numbers(start),
            },
        }
    }
}

/// Whether a file begins with nothing but numbers, as those of loggers that name their files by the
/// time; a note in words is none.
fn is_table_of_numbers(start: &[u8]) -> bool {
    let is_of_numbers = |byte: &u8| byte.is_ascii_digit() || b"+-.,;eE \t\r\n".contains(byte);
    RecordingFormat::of_text(start).is_some() && start.iter().all(is_of_numbers)
}

/// Whether the first member of a ZIP archive is called like an array of `NumPy`.
fn starts_with_an_array(start: &[u8]) -> bool {
    let name = || {
        let &length = start.get(26..)?.first_chunk()?;
        start.get(30..)?.get(..usize::from(u16::from_le_bytes(length)))
    };
    name().is_some_and(|name| name.ends_with(b".npy"))
}
