use proptest::prelude::*;

use super::*;

const INPUTS: usize = 2;

/// Features, thresholds and shortcut that fit together.
#[derive(Debug, Clone)]
struct Case {
    channels: usize,
    before: usize,
    length: usize,
    stride: usize,
    features: Vec<f32>,
    thresholds: Vec<f32>,
    shortcut: Vec<f32>,
}

impl Case {
    /// Channels of the sum: two after those of the shortcut, or none if there is none before it.
    fn all_channels(&self) -> usize {
        self.channels + if self.before == 0 { 0 } else { self.before + 2 }
    }

    /// The shortcut at one position, by definition.
    fn addend(&self, input: usize, channel: usize, at: usize) -> f32 {
        if channel < self.before || channel - self.before >= self.channels {
            return 0.0;
        }
        let row = input * self.channels + channel - self.before;
        self.shortcut[row * self.length + at * self.stride]
    }
}

fn numbers(count: usize, low: f32) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(low..2.0, count)
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1_usize..4, 0_usize..3, 1_usize..160, 1_usize..4);
    sizes.prop_flat_map(|(channels, before, length, stride)| {
        let [features, thresholds, shortcut] = [const { Vec::new() }; 3];
        let empty = Case { channels, before, length, stride, features, thresholds, shortcut };
        let rows = INPUTS * empty.all_channels();
        (
            numbers(rows * length.div_ceil(stride), -2.0),
            numbers(rows, 0.0),
            numbers(INPUTS * channels * length, -2.0),
        )
            .prop_map(move |(features, thresholds, shortcut)| Case {
                features,
                thresholds,
                shortcut,
                ..empty.clone()
            })
    })
}

proptest! {
    #[test]
    fn rows_agree_with_the_formulas(case in cases()) {
        let channels = case.all_channels();
        let scale: Vec<f32> = (0..channels).map(|c| 0.5 - c as f32).collect();
        let bias: Vec<f32> = (0..channels).map(|c| 0.1 * c as f32 - 0.2).collect();
        let Case { features, thresholds, .. } = &case;
        let (mut sum, mut activated) = (vec![0.0; features.len()], vec![0.0; features.len()]);
        let length = length(features, thresholds);
        let shortcut = Shortcut {
            features: &case.shortcut,
            length: case.length,
            channels: case.channels,
            before: case.before,
            stride: case.stride,
        };
        let rows = Rows { features, thresholds };
        let affine = Affine { scale: &scale, bias: &bias };
        shrink_and_add(rows, shortcut, affine, &mut vec![7.0; length], &mut sum, &mut activated);
        let mut means = vec![7.0; thresholds.len()];
        let (mut shares, mut after) = (means.clone(), means.clone());
        mean_magnitudes(features, &mut means);
        remains(rows, &mut shares, &mut after);

        for (row, &threshold) in thresholds.iter().enumerate() {
            let (input, channel) = (row / channels, row % channels);
            let (mut magnitude, mut left, mut zeroed) = (0.0, 0.0, 0);
            for at in 0..length {
                let n = row * length + at;
                let x = features[n];
                let shrunk = (x.abs() - threshold).max(0.0).copysign(x);
                let expected = shrunk + case.addend(input, channel, at);
                prop_assert!((sum[n] - expected).abs() < 1e-6);
                let expected = (sum[n] * scale[channel] + bias[channel]).max(0.0);
                prop_assert!((activated[n] - expected).abs() < 1e-5);
                magnitude += f64::from(x.abs());
                left += f64::from(shrunk.abs());
                zeroed += usize::from(x.abs() <= threshold);
            }
            prop_assert!((f64::from(means[row]) - magnitude / length as f64).abs() < 1e-5);
            prop_assert!((f64::from(after[row]) - left / length as f64).abs() < 1e-5);
            prop_assert!((f64::from(shares[row]) - zeroed as f64 / length as f64).abs() < 1e-6);
        }
    }
}

/// The memory is ONNX Runtime's, and not initialised.
#[test]
fn outputs_are_zero_without_spatial_elements() {
    let (mut means, mut shares, mut after) = ([7.0; 2], [7.0; 2], [7.0; 2]);
    mean_magnitudes(&[], &mut means);
    remains(Rows { features: &[], thresholds: &[1.0; 2] }, &mut shares, &mut after);
    assert_eq!([means, shares, after], [[0.0; 2]; 3]);
}

#[test]
fn nan_is_not_hidden() {
    let (mut sum, mut activated, mut mean) = ([0.0; 2], [0.0; 2], [0.0]);
    let affine = Affine { scale: &[1.0], bias: &[0.0] };
    let shortcut = Shortcut { features: &[0.0; 2], length: 2, channels: 1, before: 0, stride: 1 };
    for (feature, threshold) in [(f32::NAN, 1.0), (1.0, f32::NAN)] {
        let rows = Rows { features: &[feature, 0.5], thresholds: &[threshold] };
        shrink_and_add(rows, shortcut, affine, &mut [0.0; 2], &mut sum, &mut activated);
        assert!(sum[0].is_nan() && activated[0].is_nan(), "{feature} {threshold}");
    }
    mean_magnitudes(&[f32::NAN, 0.5], &mut mean);
    assert!(mean[0].is_nan());
}
