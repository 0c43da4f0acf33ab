//! Sums and extremes over samples in several lanes: in a single one, each addition would wait for
//! the last.

#![expect(
    clippy::inline_always,
    reason = "vectorized functions inline what they call, or it is compiled for the baseline CPU"
)]

use std::array;

const LANES: usize = 8;

/// The sum of `of` over the samples, in 64 bits.
#[inline(always)]
pub(crate) fn sum(samples: &[f32], of: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, &sample) in lanes.iter_mut().zip(chunk) {
            *lane += of(f64::from(sample));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&sample| of(f64::from(sample))).sum::<f64>()
}

/// The sum of `of` over all runs of `N` consecutive samples, in 64 bits.
#[inline(always)]
pub(crate) fn sum_of_runs<const N: usize>(samples: &[f32], of: impl Fn([f64; N]) -> f64) -> f64 {
    let Some(count) = (samples.len() + 1).checked_sub(N) else { return 0.0 };
    // One slice for each place in a run.
    let places: [&[f32]; N] = array::from_fn(|place| &samples[place..place + count]);
    let run = |i: usize| array::from_fn(|place| f64::from(places[place][i]));
    let mut lanes = [0.0; LANES];
    let whole = count - count % LANES;
    for first in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += of(run(first + lane));
        }
    }
    lanes.iter().sum::<f64>() + (whole..count).map(|i| of(run(i))).sum::<f64>()
}

/// The number of pairs of neighbours for which `is` holds.
#[inline(always)]
pub(crate) fn count_pairs(samples: &[f32], is: impl Fn(f32, f32) -> bool) -> usize {
    let pairs = samples.iter().zip(samples.get(1..).unwrap_or_default());
    pairs.map(|(&a, &b)| u32::from(is(a, b))).sum::<u32>() as usize
}

/// The smallest and the largest sample; (+∞, −∞) for an empty slice.
#[inline(always)]
pub(crate) fn extremes(samples: &[f32]) -> (f32, f32) {
    // In two passes: for both at once the compiler emits shuffles, five times as slow.
    let least = fold(samples, f32::INFINITY, |least, x| if x < least { x } else { least });
    let largest =
        fold(samples, f32::NEG_INFINITY, |largest, x| if x > largest { x } else { largest });
    (least, largest)
}

#[inline(always)]
fn fold(samples: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for chunk in chunks {
        for (lane, &sample) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, sample);
        }
    }
    lanes.iter().chain(rest).copied().fold(start, join)
}

/// The number of samples for which `is` holds.
#[inline(always)]
pub(crate) fn count(samples: &[f32], is: impl Fn(f32) -> bool) -> usize {
    // 32-bit counters, so that eight of them fit in a register; a block cannot overflow them.
    samples
        .chunks(1 << 12)
        .map(|block| block.iter().map(|&sample| u32::from(is(sample))).sum::<u32>() as usize)
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lanes_agree_with_a_loop(samples in prop::collection::vec(-1e6_f32..1e6, 0..70)) {
            let square = |x: f64| x * x;
            let expected: f64 = samples.iter().map(|&x| square(f64::from(x))).sum();
            prop_assert!((sum(&samples, square) - expected).abs() <= 1e-9 * expected);
            let least = samples.iter().copied().fold(f32::INFINITY, f32::min);
            let largest = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(extremes(&samples), (least, largest));
            let positive = samples.iter().filter(|&&x| x > 0.0).count();
            prop_assert_eq!(count(&samples, |x| x > 0.0), positive);
            let bend = |[a, b, c]: [f64; 3]| (a - 2.0 * b + c).abs();
            let runs = samples.windows(3).map(|run| bend([run[0], run[1], run[2]].map(f64::from)));
            let expected: f64 = runs.sum();
            prop_assert!((sum_of_runs(&samples, bend) - expected).abs() <= 1e-9 * expected);
            let falls = samples.windows(2).filter(|pair| pair[1] < pair[0]).count();
            prop_assert_eq!(count_pairs(&samples, |a, b| b < a), falls);
        }
    }
}
