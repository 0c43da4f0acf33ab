//! Sums over samples and their neighbours, in several lanes.

#![expect(
    clippy::inline_always,
    reason = "vectorized functions inline what they call, or it is compiled for the baseline CPU"
)]

use super::{EXTREMES_FLOOR, log};

const LANES: usize = 8;
/// Samples whose sums are in 32 bits.
const BLOCK: usize = 32 * LANES;

/// Sums over differences of neighbours along one axis.
#[derive(Default)]
pub(super) struct Changes {
    count: usize,
    squares: f64,
    fourths: f64,
    second_squares: f64,
    equal: f64,
}

impl Changes {
    #[inline(always)]
    pub(super) fn along(samples: &[f32], factor: f32) -> Self {
        let mut changes = Self::default();
        changes.add_row(samples, factor);
        changes
    }

    /// Adds the samples of a row, each with the two that follow it.
    #[inline(always)]
    pub(super) fn add_row(&mut self, row: &[f32], factor: f32) {
        if let Some(triples) = row.len().checked_sub(2) {
            self.add(&row[..triples], &row[1..=triples], &row[2..], factor);
        }
    }

    /// Adds samples, each with the next one and the one after that.
    #[inline(always)]
    pub(super) fn add(&mut self, first: &[f32], second: &[f32], third: &[f32], factor: f32) {
        self.count += first.len();
        let blocks = first.chunks(BLOCK).zip(second.chunks(BLOCK)).zip(third.chunks(BLOCK));
        for ((first, second), third) in blocks {
            let mut sums = [[0.0_f32; LANES]; 4];
            let mut add = |lane: usize, a: f32, b: f32, c: f32| {
                let change = (b - a) * factor;
                let second_change = (c - b) * factor - change;
                let square = change * change;
                sums[0][lane] += square;
                sums[1][lane] += square * square;
                sums[2][lane] += second_change * second_change;
                sums[3][lane] += if change == 0.0 { 1.0 } else { 0.0 };
            };
            let (a, a_rest) = first.as_chunks::<LANES>();
            let (b, b_rest) = second.as_chunks::<LANES>();
            let (c, c_rest) = third.as_chunks::<LANES>();
            for ((a, b), c) in a.iter().zip(b).zip(c) {
                for lane in 0..LANES {
                    add(lane, a[lane], b[lane], c[lane]);
                }
            }
            for (lane, ((&a, &b), &c)) in a_rest.iter().zip(b_rest).zip(c_rest).enumerate() {
                add(lane, a, b, c);
            }
            let [squares, fourths, second_squares, equal] = sums.map(total);
            self.squares += squares;
            self.fourths += fourths;
            self.second_squares += second_squares;
            self.equal += equal;
        }
    }

    /// Logarithms of the mean square of first and of second differences and of the kurtosis of first
    /// ones, and the share of samples that equal the next.
    pub(super) fn numbers(&self) -> [f32; 4] {
        let count = self.count.max(1) as f64;
        let (square, fourth) = (self.squares / count, self.fourths / count);
        let kurtosis = fourth / (square * square).max(1e-12);
        [log(square), log(self.second_squares / count), log(kurtosis), (self.equal / count) as f32]
    }
}

/// Sums over samples that lie below or above all their neighbours.
#[derive(Default)]
pub(super) struct Extremes {
    count: usize,
    dips: f64,
    peaks: f64,
}

impl Extremes {
    #[inline(always)]
    pub(super) fn of_row(row: &[f32], factor: f32) -> Self {
        let mut extremes = Self::default();
        if let Some(inner) = row.len().checked_sub(2) {
            extremes.add(&row[1..=inner], [&row[..inner], &row[2..]], factor);
        }
        extremes
    }

    /// Adds the samples of a row between two others.
    #[inline(always)]
    pub(super) fn add_between(&mut self, above: &[f32], row: &[f32], below: &[f32], factor: f32) {
        if let Some(inner) = row.len().checked_sub(2) {
            let neighbours = [&row[..inner], &row[2..], &above[1..=inner], &below[1..=inner]];
            self.add(&row[1..=inner], neighbours, factor);
        }
    }

    #[inline(always)]
    fn add<const N: usize>(&mut self, samples: &[f32], neighbours: [&[f32]; N], factor: f32) {
        self.count += samples.len();
        for (block, samples) in samples.chunks(BLOCK).enumerate() {
            let at = block * BLOCK;
            let others = neighbours.map(|others| &others[at..at + samples.len()]);
            let mut sums = [[0.0_f32; LANES]; 2];
            let mut add = |lane: usize, sample: f32, others: [f32; N]| {
                let least =
                    others.into_iter().fold(f32::INFINITY, |a, b| if b < a { b } else { a });
                let most =
                    others.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
                let (dip, peak) = ((least - sample) * factor, (sample - most) * factor);
                sums[0][lane] += if dip > 0.0 { dip * dip } else { 0.0 };
                sums[1][lane] += if peak > 0.0 { peak * peak } else { 0.0 };
            };
            let (chunks, rest) = samples.as_chunks::<LANES>();
            let other_chunks = others.map(|others| others.as_chunks::<LANES>());
            for (at, chunk) in chunks.iter().enumerate() {
                let others = other_chunks.map(|(chunks, _)| &chunks[at]);
                for lane in 0..LANES {
                    add(lane, chunk[lane], others.map(|others| others[lane]));
                }
            }
            for (lane, &sample) in rest.iter().enumerate() {
                add(lane, sample, other_chunks.map(|(_, rest)| rest[lane]));
            }
            let [dips, peaks] = sums.map(total);
            self.dips += dips;
            self.peaks += peaks;
        }
    }

    /// Logarithms of the mean squares of dips and of peaks.
    pub(super) fn numbers(&self) -> [f32; 2] {
        let count = self.count.max(1) as f64;
        [self.dips, self.peaks].map(|sum| log(sum / count + EXTREMES_FLOOR))
    }
}

#[inline(always)]
fn total(lanes: [f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}
