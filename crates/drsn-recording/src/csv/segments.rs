//! Lines below the first row that are no rows: the headers of further segments, and what stands below
//! a table.

use super::lines::Line;

/// What a `LabVIEW` Measurement file (`.lvm`) begins with.
const LABVIEW: &str = "LabVIEW Measurement";
/// What the header of a segment begins with, and the line after which the names follow.
const BEGIN: &str = "Channels";
const END: &str = "***End_of_Header***";

/// The headers that `LabVIEW` writes above the first segment of a measurement, and may write above each
/// of the others, as NI's specification of the format describes them. The rows of all segments are one
/// recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Segments {
    /// The file has none.
    None,
    /// Within the header of the file, or of the first segment.
    Beginning { ends: usize },
    /// Within the rows of a segment.
    Rows,
    /// Within the header of the next one.
    Header,
    /// Before the names of its columns.
    Names,
}

impl Segments {
    /// Of a file that begins with these lines, of which those of its headers are made comments.
    pub(super) fn of(first: &mut [Line<'_>]) -> Self {
        let is_labview =
            first.first().is_some_and(|(_, line)| line.trim_start().starts_with(LABVIEW));
        let mut segments = if is_labview { Self::Beginning { ends: 0 } } else { Self::None };
        for (_, line) in first {
            if segments.is_header(line) {
                line.to_mut().insert_str(0, "# ");
            }
        }
        segments
    }

    /// Whether the next line belongs to a header.
    pub(super) fn is_header(&mut self, line: &str) -> bool {
        let is_end = line.starts_with(END);
        let (is_header, next) = match *self {
            Self::None => return false,
            // The header of the file ends first, and then that of its first segment.
            Self::Beginning { ends: 1 } if is_end => (true, Self::Rows),
            Self::Beginning { ends } => {
                (true, Self::Beginning { ends: ends + usize::from(is_end) })
            }
            Self::Rows if line.starts_with(BEGIN) => (true, Self::Header),
            Self::Rows => (false, Self::Rows),
            Self::Header if is_end => (true, Self::Names),
            Self::Header => (true, Self::Header),
            Self::Names => (true, Self::Rows),
        };
        *self = next;
        is_header
    }
}

/// Whether a line that is no row, of this many cells where rows have `columns`, may stand below a
/// table: text without a digit, as the mark of its end is.
pub(super) fn is_footer(line: &str, cells: usize, columns: usize) -> bool {
    let is_mark = || ["eof", "end"].iter().any(|mark| line.trim().eq_ignore_ascii_case(mark));
    !line.bytes().any(|byte| byte.is_ascii_digit()) && (cells != columns || is_mark())
}
