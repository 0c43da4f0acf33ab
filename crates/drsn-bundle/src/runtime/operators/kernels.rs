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
    /// channels in turn.
    pub(super) fn shrink_and_add<'a>(
        rows: Rows<'a>,
        shortcut: &'a [f32],
        affine: Affine<'a>,
        sum: &'a mut [f32],
        activated: &'a mut [f32],
    ) {
        let length = length(rows.features, rows.thresholds);
        let channels = affine.scale.iter().zip(affine.bias).cycle();
        let sources = rows.features.chunks_exact(length).zip(shortcut.chunks_exact(length));
        let targets = sum.chunks_exact_mut(length).zip(activated.chunks_exact_mut(length));
        for (((&threshold, (scale, bias)), (features, shortcut)), (sum, activated)) in
            rows.thresholds.iter().zip(channels).zip(sources).zip(targets)
        {
            let numbers = features.iter().zip(shortcut).zip(sum).zip(activated);
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

/// Features in a row, where there is one of `rows` for each.
#[inline(always)]
fn length(features: &[f32], rows: &[f32]) -> usize {
    (features.len() / rows.len().max(1)).max(1)
}

/// `x − max(min(x, τ), −τ)`: within [−τ, τ] exactly zero (Zhao et al. 2019, equation 2); NaN where either is.
#[inline(always)]
fn soft_threshold(x: f32, threshold: f32) -> f32 {
    let low = if x < threshold { x } else { threshold };
    let middle = if low > -threshold { low } else { -threshold };
    x - middle
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANNELS: usize = 3;

    /// Two inputs of three channels.
    fn rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, Vec<f32>)> {
        (1_usize..80).prop_flat_map(|length| {
            let count = 2 * CHANNELS * length;
            (
                prop::collection::vec(-2.0_f32..2.0, count),
                prop::collection::vec(-2.0_f32..2.0, count),
                prop::collection::vec(0.0_f32..2.0, 2 * CHANNELS),
            )
        })
    }

    proptest! {
        #[test]
        fn rows_are_computed_as_the_formulas_say((features, shortcut, thresholds) in rows()) {
            let (scale, bias) = ([0.5, -1.5, 2.0], [0.1, 0.2, -0.3]);
            let length = length(&features, &thresholds);
            let rows = Rows { features: &features, thresholds: &thresholds };
            let (mut sum, mut activated) = (vec![0.0; features.len()], vec![0.0; features.len()]);
            let affine = Affine { scale: &scale, bias: &bias };
            shrink_and_add(rows, &shortcut, affine, &mut sum, &mut activated);
            let (mut means, mut shares) = (vec![0.0; thresholds.len()], vec![0.0; thresholds.len()]);
            mean_magnitudes(&features, &mut means);
            zeroed_shares(rows, &mut shares);

            for (row, &threshold) in thresholds.iter().enumerate() {
                let (mut magnitude, mut zeroed) = (0.0, 0);
                for n in row * length..(row + 1) * length {
                    let shrunk = (features[n].abs() - threshold).max(0.0).copysign(features[n]);
                    let expected = shrunk + shortcut[n];
                    prop_assert!((sum[n] - expected).abs() < 1e-6);
                    let expected = (sum[n] * scale[row % CHANNELS] + bias[row % CHANNELS]).max(0.0);
                    prop_assert!((activated[n] - expected).abs() < 1e-6);
                    magnitude += f64::from(features[n].abs());
                    zeroed += usize::from(features[n].abs() <= threshold);
                }
                prop_assert!((f64::from(means[row]) - magnitude / length as f64).abs() < 1e-5);
                prop_assert!((f64::from(shares[row]) - zeroed as f64 / length as f64).abs() < 1e-6);
            }
        }
    }

    /// The memory is ONNX Runtime's, and held something else before.
    #[test]
    fn no_number_is_left_over_where_there_is_no_space() {
        let (mut means, mut shares) = ([7.0; 2], [7.0; 2]);
        mean_magnitudes(&[], &mut means);
        zeroed_shares(Rows { features: &[], thresholds: &[1.0; 2] }, &mut shares);
        assert_eq!((means, shares), ([0.0; 2], [0.0; 2]));
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        let (mut sum, mut activated, mut mean) = ([0.0; 2], [0.0; 2], [0.0]);
        let affine = Affine { scale: &[1.0], bias: &[0.0] };
        for (feature, threshold) in [(f32::NAN, 1.0), (1.0, f32::NAN)] {
            let rows = Rows { features: &[feature, 0.5], thresholds: &[threshold] };
            shrink_and_add(rows, &[0.0; 2], affine, &mut sum, &mut activated);
            assert!(sum[0].is_nan() && activated[0].is_nan(), "{feature} {threshold}");
        }
        mean_magnitudes(&[f32::NAN, 0.5], &mut mean);
        assert!(mean[0].is_nan());
    }
}
