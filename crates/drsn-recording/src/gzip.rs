//! Files that were packed with gzip, such as `run.csv.gz`: unpacked first, within the limits.

use std::{io::Read as _, path::Path};

use flate2::bufread::MultiGzDecoder;

use crate::{Limits, MARK_BYTES, Paced, RecordingError, RecordingFormat, is_time_up};

/// The extension of packed files.
const EXTENSION: &str = "gz";
/// Bytes that are unpacked between two looks at the clock.
const PIECE: u64 = 1 << 20;

/// Whether bytes begin like a file that was packed with gzip.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// A file's name without the ending `.gz`, if it has it.
pub fn unpacked_name(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if ending.eq_ignore_ascii_case(EXTENSION) => stem,
        _ => name,
    }
}

/// The format by the ending of a file's name; of `a.csv.gz` it is that of `a.csv`.
pub(crate) fn format_of(path: &Path) -> Option<RecordingFormat> {
    let name = unpacked_name(path.file_name()?.to_str()?);
    RecordingFormat::from_extension(name.rsplit_once('.')?.1)
}

/// The first bytes of what is in a packed file, as far as these bytes have them: enough to tell its kind.
pub fn beginning(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was unpacked before an error or the end is there.
    let _ = MultiGzDecoder::new(packed).take(MARK_BYTES).read_to_end(&mut bytes);
    bytes
}

/// Unpacks a file, which then has at most [`Limits::max_bytes`].
pub(crate) fn unpack(packed: &[u8], limits: &Limits) -> Result<Vec<u8>, RecordingError> {
    let mut decoder = MultiGzDecoder::new(Paced::new(packed, limits.deadline));
    let mut bytes = Vec::new();
    loop {
        limits.check_time()?;
        let room = limits.max_bytes.saturating_add(1).saturating_sub(bytes.len() as u64);
        let read = (&mut decoder).take(room.min(PIECE)).read_to_end(&mut bytes);
        let read = read.map_err(|error| {
            if is_time_up(&error) {
                return RecordingError::TimeUp;
            }
            RecordingError::Unsupported(
                "it is packed with gzip, and cannot be unpacked: it is damaged or cut short"
                    .to_owned(),
            )
        })?;
        limits.check_bytes(bytes.len() as u64)?;
        if read == 0 {
            return Ok(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_packed_file_says_nothing_of_its_format() {
        assert_eq!(unpacked_name("a.csv.gz"), "a.csv");
        assert_eq!(unpacked_name("a.csv.GZ"), "a.csv");
        assert_eq!(unpacked_name("gz"), "gz");
        assert_eq!(format_of(Path::new("/b/a.wav.gz")), Some(RecordingFormat::Wav));
        assert_eq!(format_of(Path::new("/b/a.tsv")), Some(RecordingFormat::Csv));
        assert_eq!(format_of(Path::new("/b/a.gz")), None);
        assert_eq!(format_of(Path::new("/b.csv/a")), None);
    }
}
