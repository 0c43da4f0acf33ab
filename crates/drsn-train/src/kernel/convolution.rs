//! Convolution and its gradients, for tensors whose last axis is the batch.
//!
//! With the batch innermost, every product is one weight times a vector of inputs: no image border and no odd width
//! ever interrupts a vector. A convolution, and the gradient of its input, are both sums of shifted rows:
//!
//! ```text
//! y[o, p, :]  += w[o, i, k] · x[i, s·p + k, :]            forward: for each tap k of the kernel
//! dx[i, q, :] += w[o, i, k] · dy[o, (q − k) / s, :]       backward: for the taps k with s | q − k
//! dw[o, i, k]  = Σ dy[o, p, :] · x[i, s·p + k, :]
//! ```

use super::lanes::{LANES, Lanes, fused, fused_scalar, load, vectorized, whole};

/// Output channels that are computed together.
const CHANNELS: usize = 4;
/// Pixels of a row that are computed together.
const PIXELS: usize = 2;
/// Taps of a kernel's row whose gradients are summed together.
const TAPS: usize = 3;

/// Sizes of a convolution.
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
    /// Steps along height and width.
    pub(super) stride: [usize; 2],
    /// Rows above and columns to the left of the input that are zeros.
    pub(super) before: [usize; 2],
    /// Inputs in the batch.
    pub(super) batch: usize,
}

impl Geometry {
    /// Height and width of an input with zeros around it that every tap falls into.
    fn padded_input(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reached = (self.output[axis] - 1) * self.stride[axis] + self.kernel[axis];
            reached.max(self.before[axis] + self.input[axis])
        })
    }

    /// Zeros before each axis of an output gradient that every tap of the backward pass falls into.
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

/// `[channels, height, width, batch]` with zeros around it, cut into tiles of one vector of the batch, the last one
/// filled up with zeros: `[tiles, channels, height, width, LANES]`. So what a sum reads lies close together.
#[derive(Debug)]
pub(super) struct Padded {
    values: Vec<f32>,
    size: [usize; 2],
    channels: usize,
    tiles: usize,
}

impl Padded {
    fn new(
        values: &[f32],
        input: [usize; 2],
        batch: usize,
        before: [usize; 2],
        size: [usize; 2],
    ) -> Self {
        let tiles = batch.div_ceil(LANES);
        let channels = values.len() / (input[0] * input[1] * batch).max(1);
        let mut padded = Self {
            values: vec![0.0; tiles * channels * size[0] * size[1] * LANES],
            size,
            channels,
            tiles,
        };
        for tile in 0..tiles {
            let lanes = tile * LANES..batch.min((tile + 1) * LANES);
            for (index, row) in values.chunks_exact(input[1] * batch).enumerate() {
                let (channel, y) = (index / input[0], index % input[0]);
                let at = padded.place(tile, channel, before[0] + y, before[1]);
                let pixels = padded.values[at..].chunks_exact_mut(LANES);
                for (to, from) in pixels.zip(row.chunks_exact(batch)) {
                    let from = &from[lanes.clone()];
                    match (to.first_chunk_mut::<LANES>(), from.first_chunk()) {
                        (Some(to), Some(from)) => *to = *from,
                        _ => to[..from.len()].copy_from_slice(from),
                    }
                }
            }
        }
        padded
    }

    fn place(&self, tile: usize, channel: usize, y: usize, x: usize) -> usize {
        let [height, width] = self.size;
        (((tile * self.channels + channel) * height + y) * width + x) * LANES
    }

    /// Floats of one channel of a tile.
    fn channel(&self) -> usize {
        self.size[0] * self.size[1] * LANES
    }
}

/// The input as [`forward`] and [`weight_gradient`] read it.
pub(super) fn pad_input(input: &[f32], geometry: &Geometry) -> Padded {
    Padded::new(input, geometry.input, geometry.batch, geometry.before, geometry.padded_input())
}

/// The output's gradient as [`input_gradient`] and [`weight_gradient`] read it.
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

/// `dx[i] = Σ_o weight[o, i] ⋆ dy[o]`, the other way round: `[channels in, height, width, batch]`.
pub(super) fn input_gradient(gradient: &Padded, weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let [channels_in, channels_out] = geometry.channels;
    let [height, width] = geometry.input;
    let [stride_y, stride_x] = geometry.stride;
    let border = geometry.output_border();
    let taps = geometry.taps();
    let mut output = vec![0.0; channels_in * height * width * geometry.batch];
    let zeros = vec![0.0; channels_in];
    for phase in 0..stride_y * stride_x {
        let (phase_y, phase_x) = (phase / stride_x, phase % stride_x);
        // Positions y ≡ phase_y; the taps that reach them begin at (y + before) mod stride.
        let first = |position: usize, axis: usize| {
            (position + geometry.before[axis]) % geometry.stride[axis]
        };
        let used: Vec<usize> = (0..taps)
            .filter(|tap| {
                let (row, column) = (tap / geometry.kernel[1], tap % geometry.kernel[1]);
                row % stride_y == first(phase_y, 0) && column % stride_x == first(phase_x, 1)
            })
            .collect();
        // Where a tap reads, seen from the place of tap 0 of this phase; the border keeps it from being negative.
        let reach = |tap: usize| {
            let (row, column) = (tap / geometry.kernel[1], tap % geometry.kernel[1]);
            [row / stride_y, column / stride_x]
        };
        let offsets: Vec<usize> = used
            .iter()
            .map(|&tap| {
                let [row, column] = reach(tap);
                ((border[0] - row) * gradient.size[1] + border[1] - column) * LANES
            })
            .collect();
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

/// `dw[o, i, k] = Σ dy[o, p] · x[i, s·p + k]` over pixels and batch: `[channels out, channels in, height, width]`.
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
    /// Sums of `dy · x` for a block of output channels and a few taps of one kernel row, at
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
        // Beyond the last channel there is nothing to read: its sums are not used, and it reads the first one's.
        let channels = [0, 1, 2, 3].map(|c| if o + c < gradient.channels { o + c } else { o });
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

/// Weights of a block of output channels in the order in which [`sum_row`] meets them.
fn pack(
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

/// Where a row of sums comes from.
struct Rows<'a> {
    input: &'a Padded,
    offsets: &'a [usize],
    /// Floats between the inputs of two neighbouring sums.
    step: usize,
}

/// Where a row of sums goes.
#[derive(Clone, Copy)]
struct Target {
    /// The first channel of the block, and the number of channels.
    first: usize,
    channels: usize,
    /// Floats of a channel.
    channel: usize,
    /// The row's place in each channel.
    at: usize,
    /// Floats between two sums.
    step: usize,
    /// Sums in the row.
    pixels: usize,
    /// Inputs of the tile.
    lanes: usize,
}

vectorized! {
    /// `output[c, p] = bias[c] + Σ_i Σ_tap weights[i, tap, c] · input[i, from + p · step + tap]` for each pixel p.
    fn sum_row<'a>(
        rows: &'a Rows<'a>,
        from: usize,
        weights: &'a [[f32; CHANNELS]],
        bias: &'a [f32],
        output: &'a mut [f32],
        to: Target,
    ) {
        let whole = to.pixels / PIXELS * PIXELS;
        for pixel in (0..whole).step_by(PIXELS) {
            let sums = rows.block::<PIXELS>(from + pixel * rows.step, weights);
            store(&sums, bias, output, to, pixel);
        }
        for pixel in whole..to.pixels {
            let sums = rows.block::<1>(from + pixel * rows.step, weights);
            store(&sums, bias, output, to, pixel);
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn block<const P: usize>(
        &self,
        at: usize,
        weights: &[[f32; CHANNELS]],
    ) -> [[Lanes; CHANNELS]; P] {
        let mut sums = [[[0.0; LANES]; CHANNELS]; P];
        let taps = self.offsets.len();
        for (channel, weights) in weights.chunks_exact(taps).enumerate() {
            let input = &self.input.values[channel * self.input.channel() + at..];
            for (&offset, weights) in self.offsets.iter().zip(weights) {
                for p in 0..P {
                    let x = whole(input, offset + p * self.step);
                    for c in 0..CHANNELS {
                        fused_scalar(&mut sums[p][c], weights[c], *x);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, one product at a time, in 64 bits.
    fn naive(x: &[f32], w: &[f32], b: &[f32], g: &Geometry) -> Vec<f64> {
        let mut y = Vec::new();
        each(g, |o, at, taps| {
            let sum: f64 = taps.iter().map(|&(wi, xi)| f64::from(w[wi]) * f64::from(x[xi])).sum();
            assert_eq!(at, y.len());
            y.push(sum + f64::from(b[o]));
        });
        y
    }

    /// Calls with each output's channel, place, and the places of the weights and inputs that meet there.
    fn each(g: &Geometry, mut meet: impl FnMut(usize, usize, &[(usize, usize)])) {
        let [ci, co] = g.channels;
        let mut at = 0;
        for o in 0..co {
            for (y, x, n) in places(g.output, g.batch) {
                let mut taps = Vec::new();
                for i in 0..ci {
                    for (ky, kx, _) in places(g.kernel, 1) {
                        let row = (y * g.stride[0] + ky).checked_sub(g.before[0]);
                        let column = (x * g.stride[1] + kx).checked_sub(g.before[1]);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < g.input[0] && column < g.input[1] {
                            let weight = ((o * ci + i) * g.kernel[0] + ky) * g.kernel[1] + kx;
                            let input =
                                ((i * g.input[0] + row) * g.input[1] + column) * g.batch + n;
                            taps.push((weight, input));
                        }
                    }
                }
                meet(o, at, &taps);
                at += 1;
            }
        }
    }

    fn places(size: [usize; 2], batch: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..size[0])
            .flat_map(move |y| (0..size[1]).flat_map(move |x| (0..batch).map(move |n| (y, x, n))))
    }

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        (0..count as u64)
            .map(|i| ((i * 2_654_435 + u64::from(seed)) % 1_000) as f32 / 500.0 - 1.0)
            .collect()
    }

    fn close(a: &[f32], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        let scale = b.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((f64::from(*a) - b).abs() < 1e-5 * scale, "{i}: {a} and {b}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn convolution_and_its_gradients_are_the_sums_of_their_definition(
            ci in 1..6_usize, co in 1..7_usize, batch in 1..20_usize,
            height in 1..9_usize, width in 1..12_usize,
            ky in 1..6_usize, kx in 1..9_usize, sy in 1..4_usize, sx in 1..4_usize, seed in 0..999_u32,
        ) {
            let (top, _) = drsn_bundle::same_padding(height, ky, sy);
            let (left, _) = drsn_bundle::same_padding(width, kx, sx);
            let g = Geometry {
                channels: [ci, co], input: [height, width],
                output: [height.div_ceil(sy), width.div_ceil(sx)],
                kernel: [ky, kx], stride: [sy, sx], before: [top, left], batch,
            };
            let x = numbers(ci * height * width * batch, seed);
            let w = numbers(co * ci * ky * kx, seed + 1);
            let b = numbers(co, seed + 2);
            let dy = numbers(co * g.output[0] * g.output[1] * batch, seed + 3);
            let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
            each(&g, |_, at, taps| for &(wi, xi) in taps {
                dx[xi] += f64::from(w[wi]) * f64::from(dy[at]);
                dw[wi] += f64::from(x[xi]) * f64::from(dy[at]);
            });
            let (padded, gradient) = (pad_input(&x, &g), pad_output(&dy, &g));
            close(&forward(&padded, &w, &b, &g), &naive(&x, &w, &b, &g));
            close(&input_gradient(&gradient, &w, &g), &dx);
            close(&weight_gradient(&padded, &gradient, &g), &dw);
        }
    }
}
