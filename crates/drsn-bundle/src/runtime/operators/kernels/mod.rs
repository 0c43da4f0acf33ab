//! The operators' loops over rows. A row has the features of one channel of one input.

#![expect(
    clippy::inline_always,
    reason = "vectorized functions inline what they call, or it is compiled for the baseline CPU"
)]

use crate::vectorized;

/// Number of partial sums: in a single one, each addition would wait for the last.
const LANES: usize = 32;

/// Rows of features, and a threshold τ for each of them.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) features: &'a [f32],
    pub(super) thresholds: &'a [f32],
}

/// The features of a shortcut: padded with channels of zeros, and with a stride along the rows.
#[derive(Clone, Copy)]
pub(super) struct Shortcut<'a> {
    pub(super) features: &'a [f32],
    /// Features in a row.
    pub(super) length: usize,
    pub(super) channels: usize,
    /// Channels of zeros before them.
    pub(super) before: usize,
    pub(super) stride: usize,
}

/// Scale and bias of each channel.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a> {
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
}

vectorized! {
    /// The mean magnitude of each row.
    pub(super) fn mean_magnitudes<'a>(features: &'a [f32], means: &'a mut [f32]) {
        let length = length(features, means);
        // Without spatial elements there are no rows.
        means.fill(0.0);
        for (row, mean) in features.chunks_exact(length).zip(means) {
            let (chunks, rest) = row.as_chunks::<LANES>();
            let mut lanes = [0.0_f32; LANES];
            for chunk in chunks {
                for (lane, x) in lanes.iter_mut().zip(chunk) {
                    *lane += x.abs();
                }
            }
            let sum = lanes.iter().sum::<f32>() + rest.iter().map(|x| x.abs()).sum::<f32>();
            *mean = sum / length as f32;
        }
    }
}

vectorized! {
    /// The sum of the shrunk features and the shortcut, and its normalization and activation. Rows
    /// are ordered by input, then channel; `scratch` has the length of one.
    pub(super) fn shrink_and_add<'a>(
        rows: Rows<'a>,
        shortcut: Shortcut<'a>,
        affine: Affine<'a>,
        scratch: &'a mut [f32],
        sum: &'a mut [f32],
        activated: &'a mut [f32],
    ) {
        let length = length(rows.features, rows.thresholds);
        let channels = affine.scale.iter().zip(affine.bias).enumerate().cycle();
        let sources = rows.thresholds.iter().zip(rows.features.chunks_exact(length));
        let targets = sum.chunks_exact_mut(length).zip(activated.chunks_exact_mut(length));
        for (row, (((channel, (scale, bias)), (&threshold, features)), (sum, activated))) in
            channels.zip(sources).zip(targets).enumerate()
        {
            let kept = shortcut.row(row / affine.scale.len(), channel, scratch);
            let numbers = features.iter().zip(kept).zip(sum).zip(activated);
            for (((&x, &kept), sum), activated) in numbers {
                *sum = soft_threshold(x, threshold) + kept;
                let normalized = *sum * scale + bias;
                // NaN stays NaN.
                *activated = if normalized < 0.0 { 0.0 } else { normalized };
            }
        }
    }
}

vectorized! {
    /// The share of each row's features that shrinkage sets to zero, and the mean magnitude that it
    /// leaves.
    pub(super) fn remains<'a>(rows: Rows<'a>, zeroed: &'a mut [f32], after: &'a mut [f32]) {
        let length = length(rows.features, rows.thresholds);
        let features = rows.features.chunks_exact(length);
        zeroed.fill(0.0);
        after.fill(0.0);
        let targets = zeroed.iter_mut().zip(after);
        for ((row, &threshold), (zeroed, after)) in features.zip(rows.thresholds).zip(targets) {
            let (mut zeros, mut sums) = ([0_u32; LANES], [0.0_f32; LANES]);
            let (chunks, rest) = row.as_chunks::<LANES>();
            for chunk in chunks.iter().map(|chunk| &chunk[..]).chain([rest]) {
                for ((zeros, sum), &x) in zeros.iter_mut().zip(&mut sums).zip(chunk) {
                    let shrunk = soft_threshold(x, threshold);
                    *zeros += u32::from(shrunk == 0.0);
                    *sum += shrunk.abs();
                }
            }
            *zeroed = zeros.iter().sum::<u32>() as f32 / length as f32;
            *after = sums.iter().sum::<f32>() / length as f32;
        }
    }
}

impl Shortcut<'_> {
    /// The shortcut of one row, written to `scratch` if it is not stored in this form.
    #[inline(always)]
    fn row<'r>(&'r self, input: usize, channel: usize, scratch: &'r mut [f32]) -> &'r [f32] {
        let row = channel
            .checked_sub(self.before)
            .filter(|&channel| channel < self.channels)
            .and_then(|channel| {
                self.features
                    .get((input * self.channels + channel) * self.length..)?
                    .get(..self.length)
            });
        match row {
            None => scratch.fill(0.0),
            Some(row) if self.stride == 1 => return row,
            Some(row) => every(self.stride, row, scratch),
        }
        scratch
    }
}

/// Every `step`-th number of a row, from its first.
#[inline(always)]
fn every(step: usize, row: &[f32], target: &mut [f32]) {
    if step != 2 {
        for (target, &number) in target.iter_mut().zip(row.iter().step_by(step)) {
            *target = number;
        }
        return;
    }
    // The usual step, which the compiler vectorizes.
    let (pairs, rest) = row.as_chunks();
    for (target, &[number, _]) in target.iter_mut().zip(pairs) {
        *target = number;
    }
    if let (Some(target), &[number]) = (target.get_mut(pairs.len()), rest) {
        *target = number;
    }
}

/// Length of a row, with one of `rows` for each.
#[inline(always)]
fn length(features: &[f32], rows: &[f32]) -> usize {
    (features.len() / rows.len().max(1)).max(1)
}

/// `x − max(min(x, τ), −τ)`: exactly zero within [−τ, τ] (Zhao et al. 2019, section III-B), and NaN
/// if either is.
#[inline(always)]
fn soft_threshold(x: f32, threshold: f32) -> f32 {
    let low = if x < threshold { x } else { threshold };
    let middle = if low > -threshold { low } else { -threshold };
    x - middle
}

#[cfg(test)]
mod tests;
