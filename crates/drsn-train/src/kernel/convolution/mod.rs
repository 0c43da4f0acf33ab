//! Convolution and its gradients, for tensors whose last axis is the batch.
//!
//! With the batch innermost, every product is a weight times a vector of inputs: no image border
//! and no odd width interrupts a vector. A convolution and the gradient of its input are sums of
//! shifted rows:
//!
//! ```text
//! y[o, p, :]  += w[o, i, k] · x[i, s·p + k, :]         forward: for each tap k of the kernel
//! dx[i, q, :] += w[o, i, k] · dy[o, (q − k) / s, :]    backward: for the taps k with s | q − k
//! dw[o, i, k]  = Σ dy[o, p, :] · x[i, s·p + k, :]
//! ```

mod padded;
mod rows;
#[cfg(test)]
mod tests;

use std::{array, ops::Range};

use drsn_bundle::vectorized;

use super::lanes::{LANES, Lanes, fused};
pub(super) use padded::Padded;
use rows::{CHANNELS, Rows, Target, pack, sum_row};

/// Taps of a kernel row whose gradients are summed together.
const TAPS: usize = 3;

/// Shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Channels in and out.
    pub(super) channels: [usize; 2],
    /// Height and width of the input.
    pub(super) input: [usize; 2],
    /// Height and width of the output.
    pub(super) output: [usize; 2],
    /// Height and width of the kernels.
    pub(super) kernel: [usize; 2],
    /// Strides along height and width.
    pub(super) stride: [usize; 2],
    /// Rows of zeros above the input, and columns of zeros to its left.
    pub(super) before: [usize; 2],
    /// Inputs in the batch.
    pub(super) batch: usize,
}

impl Geometry {
    /// Height and width of the padded input, which contains every tap.
    fn padded_input(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reached = (self.output[axis] - 1) * self.stride[axis] + self.kernel[axis];
            reached.max(self.before[axis] + self.input[axis])
        })
    }

    /// Zeros before each axis of the padded output gradient, which contains every tap of the
    /// backward pass.
    fn output_border(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.kernel[axis].div_ceil(self.stride[axis]))
    }

    fn padded_output(&self) -> [usize; 2] {
        let border = self.output_border();
        [0, 1].map(|axis| {
            let last = (self.input[axis] - 1 + self.before[axis]) / self.stride[axis];
            border[axis] + self.output[axis].max(last + 1)
        })
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// Pads the input for [`forward`] and [`weight_gradient`].
pub(super) fn pad_input(input: &[f32], geometry: &Geometry) -> Padded {
    let size = geometry.padded_input();
    let spare = TAPS + geometry.stride[1];
    Padded::new(input, geometry.input, geometry.batch, geometry.before, size, spare)
}

/// Pads the gradient of the output for [`input_gradient`] and [`weight_gradient`].
pub(super) fn pad_output(gradient: &[f32], geometry: &Geometry) -> Padded {
    let border = geometry.output_border();
    Padded::new(gradient, geometry.output, geometry.batch, border, geometry.padded_output(), 0)
}

/// `y[o] = bias[o] + Σ_i weight[o, i] ⋆ x[i]`: `[channels out, height, width, batch]`.
pub(super) fn forward(
    input: &Padded,
    weight: &[f32],
    bias: &[f32],
    geometry: &Geometry,
) -> Vec<f32> {
    let [channels_in, channels_out] = geometry.channels;
    let [height, width] = geometry.output;
    let taps = geometry.taps();
    let offsets: Vec<usize> = (0..taps)
        .map(|tap| {
            let (row, column) = (tap / geometry.kernel[1], tap % geometry.kernel[1]);
            row * input.size[1] + column
        })
        .collect();
    let packed = pack(channels_out, channels_in, &offsets, |o, i, tap| {
        weight[(o * channels_in + i) * taps + tap]
    });
    let mut output = vec![0.0; channels_out * height * width * geometry.batch];
    let rows = Rows { input, offsets: &offsets, step: geometry.stride[1] };
    for tile in 0..input.tiles {
        for (block, weights) in packed.iter().enumerate() {
            for row in 0..height {
                let from = input.place(tile, 0, row * geometry.stride[0], 0);
                let to = Target {
                    first: block * CHANNELS,
                    channels: channels_out,
                    channel: height * width * geometry.batch,
                    at: row * width * geometry.batch + tile * LANES,
                    step: geometry.batch,
                    pixels: width,
                    lanes: LANES.min(geometry.batch - tile * LANES),
                };
                sum_row(&rows, from, weights, bias, &mut output, to);
            }
        }
    }
    output
}

/// `dx[i] = Σ_o weight[o, i] ⋆ dy[o]`, transposed: `[channels in, height, width, batch]`.
pub(super) fn input_gradient(gradient: &Padded, weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let [channels_in, channels_out] = geometry.channels;
    let [height, width] = geometry.input;
    let [stride_y, stride_x] = geometry.stride;
    let taps = geometry.taps();
    let mut output = vec![0.0; channels_in * height * width * geometry.batch];
    let zeros = vec![0.0; channels_in];
    for phase in 0..stride_y * stride_x {
        let (phase_y, phase_x) = (phase / stride_x, phase % stride_x);
        let used = taps_of_phase([phase_y, phase_x], geometry);
        let offsets = offsets_of_taps(&used, gradient, geometry);
        let packed = pack(channels_in, channels_out, &offsets, |i, o, place| {
            weight[(o * channels_in + i) * taps + used[place]]
        });
        let rows = Rows { input: gradient, offsets: &offsets, step: 1 };
        let start = |position: usize, axis: usize| {
            (position + geometry.before[axis]) / geometry.stride[axis]
        };
        for tile in 0..gradient.tiles {
            for (block, weights) in packed.iter().enumerate() {
                for y in (phase_y..height).step_by(stride_y) {
                    let from = gradient.place(tile, 0, start(y, 0), start(phase_x, 1));
                    let to = Target {
                        first: block * CHANNELS,
                        channels: channels_in,
                        channel: height * width * geometry.batch,
                        at: (y * width + phase_x) * geometry.batch + tile * LANES,
                        step: stride_x * geometry.batch,
                        pixels: width.saturating_sub(phase_x).div_ceil(stride_x),
                        lanes: LANES.min(geometry.batch - tile * LANES),
                    };
                    sum_row(&rows, from, weights, &zeros, &mut output, to);
                }
            }
        }
    }
    output
}

/// The taps that reach the positions `y ≡ phase[0]`, `x ≡ phase[1]` of the input, modulo the
/// strides: those that start at `(position + before) mod stride`.
fn taps_of_phase(phase: [usize; 2], geometry: &Geometry) -> Vec<usize> {
    let [stride_y, stride_x] = geometry.stride;
    let first = [0, 1].map(|axis| (phase[axis] + geometry.before[axis]) % geometry.stride[axis]);
    (0..geometry.taps())
        .filter(|tap| {
            let (row, column) = (tap / geometry.kernel[1], tap % geometry.kernel[1]);
            [row % stride_y, column % stride_x] == first
        })
        .collect()
}

/// Distances, in the gradient of the output, from the value that a position's first tap meets to
/// those of these taps of one phase. The border is added, which keeps them from being negative.
fn offsets_of_taps(taps: &[usize], gradient: &Padded, geometry: &Geometry) -> Vec<usize> {
    let border = geometry.output_border();
    taps.iter()
        .map(|tap| {
            let (row, column) = (tap / geometry.kernel[1], tap % geometry.kernel[1]);
            let (row, column) = (row / geometry.stride[0], column / geometry.stride[1]);
            (border[0] - row) * gradient.size[1] + border[1] - column
        })
        .collect()
}

/// Sums of `dy · x` for a block of output channels, an input channel, and a few taps of a kernel row.
type Sums = [[Lanes; TAPS]; CHANNELS];

/// `dw[o, i, k] = Σ dy[o, p] · x[i, s·p + k]` over pixels and batch:
/// `[channels out, channels in, height, width]`.
pub(super) fn weight_gradient(input: &Padded, gradient: &Padded, geometry: &Geometry) -> Vec<f32> {
    let [channels_in, channels_out] = geometry.channels;
    let [kernel_y, kernel_x] = geometry.kernel;
    let mut output = vec![0.0; channels_out * channels_in * kernel_y * kernel_x];
    let mut sums = vec![Sums::default(); channels_in * kernel_y];
    for o in (0..channels_out).step_by(CHANNELS) {
        for column in (0..kernel_x).step_by(TAPS) {
            sums.fill(Sums::default());
            for tile in 0..input.tiles {
                for pixels in Pixels::all(geometry.output) {
                    let place = [tile, o, column];
                    add_products(input, gradient, geometry, place, &pixels, &mut sums);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let (i, row) = (row / kernel_y, row % kernel_y);
                for (c, taps) in sums.iter().enumerate().take(channels_out - o) {
                    let at = (((o + c) * channels_in + i) * kernel_y + row) * kernel_x + column;
                    for (to, lanes) in output[at..].iter_mut().zip(taps).take(kernel_x - column) {
                        *to = lanes.iter().sum();
                    }
                }
            }
        }
    }
    output
}

/// Pixels of the output, few enough that the gradients of a block of channels stay in the fastest
/// cache while those of all input channels pass.
struct Pixels {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Pixels {
    /// 16 KiB of gradients.
    const MOST: usize = 128;

    fn all([height, width]: [usize; 2]) -> impl Iterator<Item = Self> {
        let columns = width.clamp(1, Self::MOST);
        let rows = Self::MOST / columns;
        (0..height).step_by(rows).flat_map(move |y| {
            (0..width).step_by(columns).map(move |x| Self {
                rows: y..height.min(y + rows),
                columns: x..width.min(x + columns),
            })
        })
    }
}

vectorized! {
    /// Adds the products of some pixels to the sums of each input channel and kernel row. `place` is
    /// `[tile, first output channel, first tap]`.
    fn add_products<'a>(
        input: &'a Padded,
        gradient: &'a Padded,
        geometry: &'a Geometry,
        place: [usize; 3],
        pixels: &'a Pixels,
        sums: &'a mut [Sums],
    ) {
        let [tile, o, column] = place;
        let (border, step) = (geometry.output_border(), geometry.stride[1]);
        let (first, width) = (pixels.columns.start, pixels.columns.len());
        // Channels beyond the last read the first one instead, and their sums are not used.
        let channels = [0, 1, 2, 3].map(|c| if o + c < geometry.channels[1] { o + c } else { o });
        for (row, sums) in sums.iter_mut().enumerate() {
            let (i, row) = (row / geometry.kernel[0], row % geometry.kernel[0]);
            let mut total = *sums;
            for y in pixels.rows.clone() {
                let x = input.place(tile, i, y * geometry.stride[0] + row, first * step + column);
                let xs = array::from_fn(|tap| &input.values[x + tap..][..width * step]);
                let gs = channels.map(|channel| {
                    let g = gradient.place(tile, channel, border[0] + y, border[1] + first);
                    &gradient.values[g..][..width]
                });
                add_row(&mut total, gs, xs, step);
            }
            *sums = total;
        }
    }
}

/// Adds the products of a row of pixels: of each vector of the gradients, and every `step`th of the
/// inputs of each tap.
#[inline(always)]
fn add_row(sums: &mut Sums, gs: [&[Lanes]; CHANNELS], xs: [&[Lanes]; TAPS], step: usize) {
    let ([g0, g1, g2, g3], [x0, x1, x2]) = (gs, xs.map(|x| x.chunks_exact(step)));
    let gradients = g0.iter().zip(g1).zip(g2).zip(g3);
    for ((((g0, g1), g2), g3), ((x0, x1), x2)) in gradients.zip(x0.zip(x1).zip(x2)) {
        let xs = [&x0[0], &x1[0], &x2[0]];
        for (sums, g) in sums.iter_mut().zip([g0, g1, g2, g3]) {
            for (sum, x) in sums.iter_mut().zip(xs) {
                fused(sum, *g, *x);
            }
        }
    }
}
