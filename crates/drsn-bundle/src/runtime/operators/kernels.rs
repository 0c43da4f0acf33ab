//! The operators' loops over rows: a row has the features of one input in one channel.

#![expect(
    clippy::inline_always,
    reason = "what a vectorized function calls must be inlined into it, or it is compiled for the poorest processor"
)]

use crate::vectorized;

/// Sums that a row's magnitudes are spread over: in one, each addition would wait for the last.
const LANES: usize = 32;

/// Rows of features, and a threshold τ for each of them.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) features: &'a [f32],
    pub(super) thresholds: &'a [f32],
}

/// Features of fewer channels, with channels of zeros around them, and of longer rows, of which every so many-th is taken.
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
        // Where there is no space, there is no row either.
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
    /// The sum of the shrunk features and the shortcut, and what normalization and activation make of it. Rows have the
    /// channels in turn; `scratch` is as long as one.
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
    /// The share of each row's features that shrinkage sets to zero.
    pub(super) fn zeroed_shares<'a>(rows: Rows<'a>, shares: &'a mut [f32]) {
        let length = length(rows.features, rows.thresholds);
        let features = rows.features.chunks_exact(length);
        shares.fill(0.0);
        for ((features, &threshold), share) in features.zip(rows.thresholds).zip(shares) {
            let zeroed = features.iter().map(|&x| u32::from(soft_threshold(x, threshold) == 0.0));
            *share = zeroed.sum::<u32>() as f32 / length as f32;
        }
    }
}

impl Shortcut<'_> {
    /// What is added to one row, written to `scratch` where it does not lie there as it is.
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
    // The usual step, which the compiler does for several numbers at once.
    let (pairs, rest) = row.as_chunks();
    for (target, &[number, _]) in target.iter_mut().zip(pairs) {
        *target = number;
    }
    if let (Some(target), &[number]) = (target.get_mut(pairs.len()), rest) {
        *target = number;
    }
}

/// Features in a row, where there is one of `rows` for each.
#[inline(always)]
fn length(features: &[f32], rows: &[f32]) -> usize {
    (features.len() / rows.len().max(1)).max(1)
}

/// `x − max(min(x, τ), −τ)`: within [−τ, τ] exactly zero (Zhao et al. 2019, section III-B); NaN where either is.
#[inline(always)]
fn soft_threshold(x: f32, threshold: f32) -> f32 {
    let low = if x < threshold { x } else { threshold };
    let middle = if low > -threshold { low } else { -threshold };
    x - middle
}

#[cfg(test)]
mod tests;
