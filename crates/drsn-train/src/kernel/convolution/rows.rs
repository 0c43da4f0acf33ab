//! Rows of output pixels: weighted sums over input channels and taps, for blocks of output
//! channels.

use drsn_bundle::vectorized;

use super::padded::Padded;
use crate::kernel::lanes::{LANES, Lanes, fused_scalar};

/// Output channels that are computed together.
pub(super) const CHANNELS: usize = 4;
/// Pixels of a row that are computed together.
const PIXELS: usize = 2;

/// Packs the weights of each block of output channels in the order in which [`sum_row`] reads them.
pub(super) fn pack(
    outputs: usize,
    inputs: usize,
    offsets: &[usize],
    weight: impl Fn(usize, usize, usize) -> f32,
) -> Vec<Vec<[f32; CHANNELS]>> {
    let block = |first: usize| {
        let mut packed = Vec::with_capacity(inputs * offsets.len());
        for i in 0..inputs {
            for tap in 0..offsets.len() {
                packed.push(std::array::from_fn(|c| {
                    if first + c < outputs { weight(first + c, i, tap) } else { 0.0 }
                }));
            }
        }
        packed
    };
    (0..outputs).step_by(CHANNELS).map(block).collect()
}

/// Input of a row of sums. All positions and distances in it are counted in vectors.
pub(super) struct Rows<'a> {
    pub(super) input: &'a Padded,
    /// Distances from a sum's first input in a channel to all of them.
    pub(super) offsets: &'a [usize],
    /// Distance between the inputs of adjacent sums.
    pub(super) step: usize,
}

/// Destination of a row of sums.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// First channel of the block, and total number of channels.
    pub(super) first: usize,
    pub(super) channels: usize,
    /// Floats in a channel.
    pub(super) channel: usize,
    /// Position of the row in each channel.
    pub(super) at: usize,
    /// Floats between adjacent sums.
    pub(super) step: usize,
    /// Sums in the row.
    pub(super) pixels: usize,
    /// Number of inputs in the tile.
    pub(super) lanes: usize,
}

vectorized! {
    /// `output[c, p] = bias[c] + Σ_i Σ_tap weights[i, tap, c] · input[i, from + p · step + tap]`
    /// for each pixel p.
    pub(super) fn sum_row<'a>(
        rows: &'a Rows<'a>,
        from: usize,
        weights: &'a [[f32; CHANNELS]],
        bias: &'a [f32],
        output: &'a mut [f32],
        to: Target,
    ) {
        // The usual steps are constants, which spares a look at the bounds of each vector.
        match rows.step {
            1 => rows.sum::<1>(from, weights, bias, output, to),
            2 => rows.sum::<2>(from, weights, bias, output, to),
            _ => rows.sum::<ANY>(from, weights, bias, output, to),
        }
    }
}

/// A step that is no constant.
const ANY: usize = 0;

impl Rows<'_> {
    #[inline(always)]
    fn sum<const STEP: usize>(
        &self,
        from: usize,
        weights: &[[f32; CHANNELS]],
        bias: &[f32],
        output: &mut [f32],
        to: Target,
    ) {
        let whole = to.pixels / PIXELS * PIXELS;
        for pixel in (0..whole).step_by(PIXELS) {
            let sums = self.block::<PIXELS, STEP>(from + pixel * self.step, weights);
            store(&sums, bias, output, to, pixel);
        }
        for pixel in whole..to.pixels {
            let sums = self.block::<1, STEP>(from + pixel * self.step, weights);
            store(&sums, bias, output, to, pixel);
        }
    }

    #[inline(always)]
    fn block<const P: usize, const STEP: usize>(
        &self,
        at: usize,
        weights: &[[f32; CHANNELS]],
    ) -> [[Lanes; CHANNELS]; P] {
        let step = if STEP == ANY { self.step } else { STEP };
        let mut sums = [[[0.0; LANES]; CHANNELS]; P];
        let taps = self.offsets.len();
        for (channel, weights) in weights.chunks_exact(taps.max(1)).enumerate() {
            let input = &self.input.values[channel * self.input.channel() + at..];
            for (&offset, weights) in self.offsets.iter().zip(weights) {
                let inputs = &input[offset..=offset + (P - 1) * step];
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (sum, &weight) in sums.iter_mut().zip(weights) {
                        fused_scalar(sum, weight, inputs[p * step]);
                    }
                }
            }
        }
        sums
    }
}

#[inline(always)]
fn store<const P: usize>(
    sums: &[[Lanes; CHANNELS]; P],
    bias: &[f32],
    output: &mut [f32],
    to: Target,
    pixel: usize,
) {
    for (p, sums) in sums.iter().enumerate() {
        for (c, sum) in sums.iter().enumerate().take(to.channels - to.first) {
            let channel = to.first + c;
            let at = channel * to.channel + to.at + (pixel + p) * to.step;
            let output = &mut output[at..at + to.lanes];
            let mut total = *sum;
            for lane in &mut total {
                *lane += bias[channel];
            }
            match output.first_chunk_mut::<LANES>() {
                Some(output) => *output = total,
                None => output.copy_from_slice(&total[..to.lanes]),
            }
        }
    }
}
