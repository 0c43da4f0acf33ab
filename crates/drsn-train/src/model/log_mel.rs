//! The log-mel front end, made of layers that every engine has.

use std::f64::consts::TAU;

use burn::{
    module::{Module as _, Param},
    tensor::{Device, Tensor, TensorData},
};

use super::Convolution;
use crate::recipe::LogMelConfig;

/// Turns a signal into the logarithms of its power in bands of the mel scale, frame by frame:
///
/// ```text
/// c, s  = Σ_n w_n · cos(2πkn / F) · x_n,  Σ_n w_n · sin(2πkn / F) · x_n     a convolution, stride = hop
/// p     = c², s²
/// m_b   = floor + Σ_k share_bk · (c_k² + s_k²)                              a convolution of one tap
/// y_b   = 1 + 2 · ln(m_b) / ln(1 / floor)                                   −1 at the floor
/// ```
///
/// * input: `[channels, 1, samples, batch]`
/// * output: `[channels · bands, 1, ceil(samples / hop), batch]`
///
/// w is Hann's window, scaled so that white noise of variance 1 has power 1 in every band. Nothing
/// of it is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct LogMel {
    config: LogMelConfig,
    channels: usize,
    /// Shares of the used bins in each band, `[bands][bins]`.
    shares: Vec<Vec<f64>>,
    /// The bins that some band has a share of.
    bins: Vec<usize>,
}

impl LogMel {
    /// The layer for signals with `channels` channels at this sample rate in hertz.
    pub fn new(config: LogMelConfig, channels: usize, rate: f64) -> Self {
        let shares = config.shares(rate);
        let is_used = |bin: &usize| shares.iter().any(|band| band[*bin] > 0.0);
        let bins: Vec<usize> = (0..=config.frame / 2).filter(is_used).collect();
        let of_used = |band: &Vec<f64>| bins.iter().map(|&bin| band[bin]).collect();
        Self { shares: shares.iter().map(of_used).collect(), config, channels, bins }
    }

    /// The shape of the output for signals of this many samples: channels, height and width.
    pub fn output(&self, samples: usize) -> [usize; 3] {
        [self.channels * self.config.bands, 1, samples.div_ceil(self.config.hop)]
    }

    /// Applies the layer to a batch.
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let device = input.device();
        let waves = self.waves(&device).forward(input);
        let bands = self.bands(&device).forward(waves.clone() * waves);
        let [scale, offset] = self.scale();
        bands.log() * scale + offset
    }

    /// The cosines and sines as a convolution: for each channel the cosine of every bin, then the
    /// sines.
    pub(crate) fn waves(&self, device: &Device) -> Convolution {
        let frame = self.config.frame;
        let window: Vec<f64> =
            (0..frame).map(|n| 0.5 - 0.5 * (TAU * n as f64 / frame as f64).cos()).collect();
        let norm = window.iter().map(|w| w * w).sum::<f64>().sqrt();
        let outputs = 2 * self.bins.len();
        let mut weights = vec![0.0; self.channels * outputs * self.channels * frame];
        for (place, row) in weights.chunks_mut(self.channels * frame).enumerate() {
            let (channel, output) = (place / outputs, place % outputs);
            let is_sine = output >= self.bins.len();
            let bin = self.bins[output % self.bins.len()];
            for (n, weight) in row[channel * frame..][..frame].iter_mut().enumerate() {
                // Reduced first, for sines of large angles are inexact.
                let angle = TAU * ((bin * n) % frame) as f64 / frame as f64;
                let wave = if is_sine { angle.sin() } else { angle.cos() };
                *weight = (window[n] * wave / norm) as f32;
            }
        }
        let shape = [self.channels * outputs, self.channels, 1, frame];
        fixed(weights, shape, 0.0, self.config.hop, device)
    }

    /// The bands' shares of the power as a convolution of one tap, whose bias is the floor.
    pub(crate) fn bands(&self, device: &Device) -> Convolution {
        let (bands, bins) = (self.config.bands, self.bins.len());
        let inputs = self.channels * 2 * bins;
        let mut weights = vec![0.0; self.channels * bands * inputs];
        for (place, row) in weights.chunks_mut(inputs).enumerate() {
            let (channel, band) = (place / bands, place % bands);
            for (input, weight) in row[channel * 2 * bins..][..2 * bins].iter_mut().enumerate() {
                *weight = self.shares[band][input % bins] as f32;
            }
        }
        let shape = [self.channels * bands, inputs, 1, 1];
        fixed(weights, shape, self.config.floor as f32, 1, device)
    }

    /// Factor and summand after the logarithm.
    pub(crate) fn scale(&self) -> [f32; 2] {
        [(-2.0 / self.config.floor.ln()) as f32, 1.0]
    }
}

/// A convolution that is not trained, with the same bias for each output.
fn fixed(
    weights: Vec<f32>,
    shape: [usize; 4],
    bias: f32,
    stride: usize,
    device: &Device,
) -> Convolution {
    let bias = TensorData::new(vec![bias; shape[0]], [shape[0]]);
    Convolution {
        weight: Param::from_tensor(Tensor::from_data(TensorData::new(weights, shape), device)),
        bias: Param::from_tensor(Tensor::from_data(bias, device)),
        stride: [1, stride],
    }
    .no_grad()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 8_000.0;
    const CONFIG: LogMelConfig =
        LogMelConfig { frame: 64, hop: 32, bands: 6, low_hz: 100.0, high_hz: None, floor: 1e-4 };

    /// Two channels of 160 samples: tones in noise, the second one louder.
    fn signal() -> Vec<f32> {
        let mut state = 7_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        };
        let sample = |n: usize| {
            let tone = (TAU * 900.0 * (n % 160) as f64 / RATE).sin();
            ((1.0 + (n / 160) as f64) * (tone + 0.1 * noise())) as f32
        };
        (0..320).map(sample).collect()
    }

    /// The definition, by sums in 64 bits: the frame before position `hop · t` begins half a frame
    /// less half a hop earlier, and zeros are around the signal.
    fn expected(samples: &[f32], frame_index: usize, band: usize) -> f64 {
        let LogMelConfig { frame, hop, floor, .. } = CONFIG;
        let begin = (frame_index * hop) as isize - ((frame - hop) / 2) as isize;
        let hann = |n: usize| (TAU * n as f64 / frame as f64 / 2.0).sin().powi(2);
        let norm: f64 = (0..frame).map(|n| hann(n).powi(2)).sum();
        let at = |n: usize| {
            let place = begin + n as isize;
            usize::try_from(place)
                .ok()
                .and_then(|place| samples.get(place))
                .map_or(0.0, |&x| x.into())
        };
        let power = |bin: usize| {
            let sum = |wave: fn(f64) -> f64| -> f64 {
                let angle = |n: usize| TAU * (bin * n) as f64 / frame as f64;
                (0..frame).map(|n| hann(n) * wave(angle(n)) * at(n)).sum()
            };
            (sum(f64::cos).powi(2) + sum(f64::sin).powi(2)) / norm
        };
        let shares = &CONFIG.shares(RATE)[band];
        let mel: f64 = shares.iter().enumerate().map(|(bin, share)| share * power(bin)).sum();
        1.0 - 2.0 * (mel + floor).ln() / floor.ln()
    }

    #[test]
    fn the_layer_is_the_logarithm_of_the_power_in_mel_bands() {
        let samples = signal();
        let device = Device::flex();
        let layer = LogMel::new(CONFIG, 2, RATE);
        let input = Tensor::from_data(TensorData::new(samples.clone(), [2, 1, 160, 1]), &device);
        let output = layer.forward(input);
        assert_eq!(output.dims(), [12, 1, 5, 1]);
        assert_eq!(layer.output(160), [12, 1, 5]);
        let values: Vec<f32> = output.into_data().try_to_vec().unwrap();
        for (place, value) in values.into_iter().enumerate() {
            let (channel, band, frame) = (place / 30, place / 5 % 6, place % 5);
            let expected = expected(&samples[channel * 160..][..160], frame, band);
            let difference = (f64::from(value) - expected).abs();
            assert!(difference < 1e-4, "channel {channel}, band {band}, frame {frame}: {value}");
        }
    }

    /// The one number that other programs can be compared with: white noise has power 1.
    #[test]
    fn white_noise_is_near_one_and_silence_is_minus_one() {
        let layer = LogMel::new(CONFIG, 1, RATE);
        let silence = Tensor::zeros([1, 1, 640, 1], &Device::flex());
        let values: Vec<f32> = layer.forward(silence).into_data().try_to_vec().unwrap();
        assert!(values.iter().all(|value| (value + 1.0).abs() < 1e-6), "{values:?}");
        let mut state = 9_u32;
        let noise = (0..6_400).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 * 3.0_f32.sqrt() - 3.0_f32.sqrt()
        });
        let noise = TensorData::new(noise.collect::<Vec<f32>>(), [1, 1, 6_400, 1]);
        let output = layer.forward(Tensor::from_data(noise, &Device::flex()));
        let mean = output.mean().into_scalar::<f32>();
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
    }
}
