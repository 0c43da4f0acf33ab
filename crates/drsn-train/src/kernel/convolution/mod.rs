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

use drsn_bundle::vectorized;

use super::lanes::{LANES, Lanes, fused, load, whole};
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
    Padded::new(input, geometry.input, geometry.batch, geometry.before, geometry.padded_input())
}

/// Pads the gradient of the output for [`input_gradient`] and [`weight_gradient`].
pub(super) fn pad_output(gradient: &[f32], geometry: &Geometry) -> Padded {
    let border = geometry.output_border();
    Padded::new(gradient, geometry.output, geometry.batch, border, geometry.padded_output())
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
            (row * input.size[1] + column) * LANES
        })
        .collect();
    let packed = pack(channels_out, channels_in, &offsets, |o, i, tap| {
        weight[(o * channels_in + i) * taps + tap]
    });
    let mut output = vec![0.0; channels_out * height * width * geometry.batch];
    let rows = Rows { input, offsets: &offsets, step: geometry.stride[1] * LANES };
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
        let rows = Rows { input: gradient, offsets: &offsets, step: LANES };
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
            ((border[0] - row) * gradient.size[1] + border[1] - column) * LANES
        })
        .collect()
}

/// `dw[o, i, k] = Σ dy[o, p] · x[i, s·p + k]` over pixels and batch:
/// `[channels out, channels in, height, width]`.
pub(super) fn weight_gradient(input: &Padded, gradient: &Padded, geometry: &Geometry) -> Vec<f32> {
    let [channels_in, channels_out] = geometry.channels;
    let [kernel_y, kernel_x] = geometry.kernel;
    let mut output = vec![0.0; channels_out * channels_in * kernel_y * kernel_x];
    for o in (0..channels_out).step_by(CHANNELS) {
        for i in 0..channels_in {
            for row in 0..kernel_y {
                for column in (0..kernel_x).step_by(TAPS) {
                    let sums = tap_sums(input, gradient, geometry, [o, i, row, column]);
                    for (c, sums) in sums.iter().enumerate().take(channels_out - o) {
                        let at = (((o + c) * channels_in + i) * kernel_y + row) * kernel_x;
                        let taps = TAPS.min(kernel_x - column);
                        output[at + column..][..taps].copy_from_slice(&sums[..taps]);
                    }
                }
            }
        }
    }
    output
}

vectorized! {
    /// Sums of `dy · x` for a block of output channels and a few taps of one kernel row. `place` is
    /// `[output channel, input channel, kernel row, first tap]`.
    fn tap_sums<'a>(
        input: &'a Padded,
        gradient: &'a Padded,
        geometry: &'a Geometry,
        place: [usize; 4],
    ) -> [[f32; TAPS]; CHANNELS] {
        let [o, i, row, column] = place;
        let [height, width] = geometry.output;
        let border = geometry.output_border();
        let step = geometry.stride[1] * LANES;
        // Channels beyond the last read the first one instead, and their sums are not used.
        let channels = [0, 1, 2, 3].map(|c| if o + c < geometry.channels[1] { o + c } else { o });
        let mut sums = [[[0.0; LANES]; TAPS]; CHANNELS];
        for tile in 0..input.tiles {
            for y in 0..height {
                let x_row = input.place(tile, i, y * geometry.stride[0] + row, column);
                let x_row = &input.values[x_row..];
                let g_rows: [&[f32]; CHANNELS] = channels.map(|channel| {
                    let at = gradient.place(tile, channel, border[0] + y, border[1]);
                    &gradient.values[at..at + width * LANES]
                });
                for x in 0..width {
                    let xs: [Lanes; TAPS] =
                        std::array::from_fn(|tap| load(x_row, x * step + tap * LANES));
                    for c in 0..CHANNELS {
                        let g = whole(g_rows[c], x * LANES);
                        for tap in 0..TAPS {
                            fused(&mut sums[c][tap], *g, xs[tap]);
                        }
                    }
                }
            }
        }
        sums.map(|taps| taps.map(|lanes| lanes.iter().sum()))
    }
}
