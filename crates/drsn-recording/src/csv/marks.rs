//! Numbers that programs write in place of values that are missing, such as -9999.

use crate::{Notice, NoticeCode};

const MARKS: [f32; 10] =
    [-999.0, -999.25, -999.9, -9999.0, -9999.9, -99999.0, 9999.0, 9999.9, 99999.0, 999_999.0];
/// How many times larger than all other samples of its channel a mark is.
const TIMES: f32 = 20.0;

/// Tells of samples that seem to be marks: they are read as they are.
pub(super) fn notice(channels: &[Vec<f32>]) -> Option<Notice> {
    channels.iter().find_map(|channel| {
        let (least, greatest) = channel
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &value| (a.min(value), b.max(value)));
        let mark = [least, greatest].into_iter().find(|value| MARKS.contains(value))?;
        let others = || channel.iter().filter(|&&value| value.total_cmp(&mark).is_ne());
        let largest = others().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let count = channel.len() - others().count();
        (count < channel.len() && TIMES * largest < mark.abs()).then(|| {
            let samples = if count == 1 { "a sample is" } else { "samples are" };
            NoticeCode::MissingValues.because(format!(
                "{samples} {mark}, far beyond all others, as programs write it for values that are missing ({count} in a channel); \
                 they were read as they are"
            ))
        })
    })
}
