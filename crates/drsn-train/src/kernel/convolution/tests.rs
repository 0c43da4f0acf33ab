//! Convolution and its gradients against their definition.

use proptest::prelude::*;

use super::*;

/// The definition, one product at a time, in 64 bits.
#[expect(clippy::many_single_char_names, reason = "the names of the definition")]
fn naive(x: &[f32], w: &[f32], b: &[f32], g: &Geometry) -> Vec<f64> {
    let mut y = Vec::new();
    each(g, |o, at, taps| {
        let sum: f64 = taps.iter().map(|&(wi, xi)| f64::from(w[wi]) * f64::from(x[xi])).sum();
        assert_eq!(at, y.len());
        y.push(sum + f64::from(b[o]));
    });
    y
}

/// Calls `meet` for each output with its channel, its position, and the positions of the weights
/// and inputs that are multiplied.
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
                        let input = ((i * g.input[0] + row) * g.input[1] + column) * g.batch + n;
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

/// Compares the convolution and its gradients with the definition.
fn check(
    [ci, co]: [usize; 2],
    [height, width]: [usize; 2],
    [ky, kx]: [usize; 2],
    [sy, sx]: [usize; 2],
    batch: usize,
    seed: u32,
) {
    let (top, _) = drsn_bundle::same_padding(height, ky, sy);
    let (left, _) = drsn_bundle::same_padding(width, kx, sx);
    let g = Geometry {
        channels: [ci, co],
        input: [height, width],
        output: [height.div_ceil(sy), width.div_ceil(sx)],
        kernel: [ky, kx],
        stride: [sy, sx],
        before: [top, left],
        batch,
    };
    let x = numbers(ci * height * width * batch, seed);
    let w = numbers(co * ci * ky * kx, seed + 1);
    let b = numbers(co, seed + 2);
    let dy = numbers(co * g.output[0] * g.output[1] * batch, seed + 3);
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    each(&g, |_, at, taps| {
        for &(wi, xi) in taps {
            dx[xi] += f64::from(w[wi]) * f64::from(dy[at]);
            dw[wi] += f64::from(x[xi]) * f64::from(dy[at]);
        }
    });
    let (padded, gradient) = (pad_input(&x, &g), pad_output(&dy, &g));
    close(&forward(&padded, &w, &b, &g), &naive(&x, &w, &b, &g));
    close(&input_gradient(&gradient, &w, &g), &dx);
    close(&weight_gradient(&padded, &gradient, &g), &dw);
}

/// They have more pixels than the weights' gradient takes at once.
#[test]
fn long_signals_and_large_images_are_summed_to_their_end() {
    for (input, stride) in
        [([1, 300], [1, 1]), ([1, 517], [1, 2]), ([41, 7], [1, 1]), ([37, 9], [2, 3])]
    {
        check([2, 5], input, [input[0].min(3), 3], stride, 9, 7);
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
        check([ci, co], [height, width], [ky, kx], [sy, sx], batch, seed);
    }
}
