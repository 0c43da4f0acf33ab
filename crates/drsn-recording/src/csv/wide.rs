//! Tables that have a line for each channel: MATLAB's `writematrix` and NumPy's `savetxt` write a row
//! vector so.

use ndarray::Array2;

use crate::{NoticeCode, Recording, RecordingError, Selection, limits::check_channels};

/// Most lines that are taken for channels.
const MAX_LINES: usize = 64;

/// Chooses the channels of a table `[columns, lines]` of many columns without names: they are its
/// lines if these are few, and fewer than the columns.
pub(super) fn recording(
    table: Recording,
    selection: &Selection,
) -> Result<Recording, RecordingError> {
    let (columns, lines) = table.samples.dim();
    let (rate, source, mut notices) = (table.sample_rate_hz, table.rate_source, table.notices);
    let samples = if lines <= MAX_LINES && lines < columns {
        let (kind, many) = if lines == 1 { ("line", "channel") } else { ("lines", "channels") };
        notices.push(NoticeCode::Transposed.because(format!(
            "it has {lines} {kind} of {columns} numbers, and was read as {lines} {many} of {columns} samples: the longer axis is time"
        )));
        Array2::from_shape_vec((lines, columns), table.samples.t().iter().copied().collect())
            .unwrap_or_default()
    } else {
        check_channels(columns as u64)?;
        table.samples
    };
    let chosen = Recording::from_array(samples, None, selection)?;
    Ok(Recording { sample_rate_hz: rate, rate_source: source, notices, ..chosen })
}
