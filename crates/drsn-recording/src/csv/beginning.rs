//! Where a table begins that was refused for the lines above it, so that the refusal says how to read
//! it: for `skip_lines`, every number is tried that can be right.

use std::{borrow::Cow, io::BufRead};

use super::{INSPECTED_LINES, lines::Line, lines::Lines, open, segments::Segments, table::Table};
use crate::{Limits, RecordingError, Selection};

/// Most bytes that are split into cells to find it, again for each number of lines.
const MOST_BYTES: usize = 4 << 20;
/// Most blocks of lines that are looked at after the first ones.
const MOST_BLOCKS: usize = 64;
/// Rows that make a table, if they are less than half of the lines.
const ROWS: usize = 8;
/// Lines above a table that look like its rows, and may be something else: fewer than this one after
/// the other, and than this in all if they are a quarter of those lines.
const RUN_ABOVE: usize = 8;
const ROWS_ABOVE: usize = 16;
/// Lines of text that are above a table, and not in it: it may have names, and a row with a mistake.
const TEXTS: usize = 3;

/// The refusal of the first lines, with the number of lines to skip if there is one.
pub(super) fn advised(
    error: RecordingError,
    first: Vec<Line<'_>>,
    lines: Lines<impl BufRead>,
    limits: &Limits,
) -> RecordingError {
    let failed = if let RecordingError::Ragged { line, .. }
    | RecordingError::NotNumeric { line, .. } = &error
    {
        Some(*line)
    } else if matches!(error, RecordingError::NoTable { .. }) {
        None
    } else {
        return error;
    };
    let may_be_later = failed.is_none() || first.iter().filter(is_text).count() >= TEXTS;
    let skip_lines = match search(&first, 1, failed, limits) {
        None if may_be_later => later(first, lines, limits),
        found => found,
    };
    if limits.check_time().is_err() {
        return RecordingError::TimeUp;
    }
    match (error, skip_lines) {
        (RecordingError::NoTable { reason, .. }, _) => {
            RecordingError::NoTable { reason, skip_lines }
        }
        (error, None) => error,
        (error, Some(_)) => {
            let reason = format!("{error}, and the table seems to begin below it");
            RecordingError::NoTable { reason, skip_lines }
        }
    }
}

/// Whether a line has letters that are no exponents.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "filters of iterators pass it so")]
fn is_text((_, line): &&Line<'_>) -> bool {
    line.contains(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E' | 'd' | 'D'))
}

/// The smallest number of lines, at least `from` of these, after which the others are a table, of
/// which it is clear where it begins. After a line that `failed` as a row, it must have names, or
/// several lines of text above it: then that line is no row with a mistake.
fn search(lines: &[Line<'_>], from: usize, failed: Option<u64>, limits: &Limits) -> Option<u64> {
    let mut left = MOST_BYTES;
    for (index, (number, line)) in lines.iter().enumerate().skip(from) {
        let (above, rest) = lines.split_at_checked(index)?;
        left = left.checked_sub(rest.iter().map(|(_, line)| line.len()).sum())?;
        limits.check_time().ok()?;
        if line.trim().is_empty() || failed.is_some_and(|failed| *number <= failed) {
            continue;
        }
        // The last line may be cut.
        let Ok(table) = open(rest, Segments::None, &Selection::default(), limits, false) else {
            continue;
        };
        let is_table = table.rows() >= ROWS || 2 * table.rows() >= lines.len();
        let is_below = || table.is_named() || above.iter().filter(is_text).count() >= TEXTS;
        let is_table = is_table && table.is_clear() && !is_continued(above, &table);
        if is_table && (failed.is_none() || is_below()) {
            return Some(number - 1);
        }
    }
    None
}

/// Whether the lines above a table have rows of it, which would be lost.
fn is_continued(above: &[Line<'_>], table: &Table) -> bool {
    let (mut run, mut longest, mut rows) = (0, 0, 0);
    for (_, line) in above {
        run = if table.is_row(line) { run + 1 } else { 0 };
        rows += usize::from(run > 0);
        longest = longest.max(run);
    }
    longest >= RUN_ABOVE || rows >= ROWS_ABOVE && 4 * rows >= above.len()
}

/// The same for a table that begins after the first lines. Blocks overlap by half, so that the rows
/// of one are all that the second half of a block has.
fn later(mut block: Vec<Line<'_>>, mut lines: Lines<impl BufRead>, limits: &Limits) -> Option<u64> {
    for _ in 0..MOST_BLOCKS {
        block.drain(..block.len() / 2);
        let before = block.len();
        while block.len() < INSPECTED_LINES
            && let Some((number, line)) = lines.next().ok()?
        {
            block.push((number, Cow::Owned(line.to_owned())));
        }
        if block.len() == before {
            return None;
        }
        let half = block.get(block.len() / 2..).unwrap_or_default();
        // A short table at the end of the file has less than half of the last block.
        let is_last = block.len() < INSPECTED_LINES;
        if is_last || open(half, Segments::None, &Selection::default(), limits, false).is_ok() {
            // A block that begins inside a table has no lines above it to skip.
            let first = block.first().map_or(0, |(number, _)| number - 1);
            return search(&block, 0, None, limits).filter(|&skipped| skipped > first);
        }
    }
    None
}
