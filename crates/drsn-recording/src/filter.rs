//! The conversion of one channel between two sample rates, block by block, by Fourier transforms.
//!
//! Overlap-add: the spectrum of each block, padded with as many zeros, is multiplied by that of a
//! low-pass filter, cut or extended to the other rate, and transformed back; the second half of the
//! result is added to the next block. The filter is a sinc in a squared Blackman–Harris window, with
//! the cutoff of the crate rubato, and the result is that of its synchronous resampler.

use std::{f64::consts::PI, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::RecordingError;

/// Transforms and filter, which all channels of a conversion share.
pub(crate) struct Plan {
    /// Samples in a block before the conversion.
    pub(crate) input: usize,
    /// Samples in a block after it.
    pub(crate) output: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    /// The filter's spectrum.
    response: Vec<Complex<f64>>,
}

/// The conversion of one channel.
pub(crate) struct Converter {
    plan: Arc<Plan>,
    padded: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    converted_spectrum: Vec<Complex<f64>>,
    converted: Vec<f64>,
    /// The second half of the last block.
    overlap: Vec<f64>,
    forward_scratch: Vec<Complex<f64>>,
    inverse_scratch: Vec<Complex<f64>>,
}

impl Plan {
    /// A conversion from blocks of `input` samples to blocks of `output` samples.
    pub(crate) fn new(input: usize, output: usize) -> Result<Self, RecordingError> {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(2 * input);
        let inverse = planner.plan_fft_inverse(2 * output);
        let cutoff = if input > output {
            cutoff(output) * output as f32 / input as f32
        } else {
            cutoff(input)
        };
        let mut filter = low_pass(input, f64::from(cutoff));
        for coefficient in &mut filter {
            *coefficient /= (2 * input) as f64;
        }
        filter.resize(2 * input, 0.0);
        let mut response = forward.make_output_vec();
        forward.process(&mut filter, &mut response).map_err(failed)?;
        Ok(Self { input, output, forward, inverse, response })
    }

    /// Delay of the filter, in samples after the conversion.
    pub(crate) fn delay(&self) -> usize {
        self.output / 2
    }
}

impl Converter {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self {
            padded: plan.forward.make_input_vec(),
            spectrum: plan.forward.make_output_vec(),
            converted_spectrum: plan.inverse.make_input_vec(),
            converted: plan.inverse.make_output_vec(),
            overlap: vec![0.0; plan.output],
            forward_scratch: plan.forward.make_scratch_vec(),
            inverse_scratch: plan.inverse.make_scratch_vec(),
            plan: Arc::clone(plan),
        }
    }

    /// Converts the next block, padded with zeros if it is shorter than the plan's.
    pub(crate) fn convert(
        &mut self,
        block: impl IntoIterator<Item = f64>,
    ) -> Result<&[f64], RecordingError> {
        let Plan { input, output, forward, inverse, response } = &*self.plan;
        self.padded.fill(0.0);
        for (padded, sample) in self.padded.iter_mut().take(*input).zip(block) {
            *padded = sample;
        }
        forward
            .process_with_scratch(&mut self.padded, &mut self.spectrum, &mut self.forward_scratch)
            .map_err(failed)?;
        // Without the frequencies that the other rate cannot represent.
        let kept = if input < output { input + 1 } else { *output };
        self.converted_spectrum.fill(Complex::default());
        let filtered = self.spectrum.iter().zip(response).map(|(bin, filter)| bin * filter);
        for (converted, bin) in self.converted_spectrum.iter_mut().zip(filtered.take(kept)) {
            *converted = bin;
        }
        inverse
            .process_with_scratch(
                &mut self.converted_spectrum,
                &mut self.converted,
                &mut self.inverse_scratch,
            )
            .map_err(failed)?;
        let (block, rest) = self.converted.split_at_mut(*output);
        for (sample, overlap) in block.iter_mut().zip(&self.overlap) {
            *sample += overlap;
        }
        self.overlap.copy_from_slice(rest);
        Ok(block)
    }
}

/// A low-pass filter of this many coefficients, whose sum is 1. The cutoff is relative to half of the
/// sample rate.
fn low_pass(length: usize, cutoff: f64) -> Vec<f64> {
    let middle = (length / 2) as f64;
    let coefficient = |n: usize| {
        let x = (n as f64 - middle) * cutoff * PI;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        blackman_harris(n, length).powi(2) * sinc
    };
    let mut filter: Vec<f64> = (0..length).map(coefficient).collect();
    let sum: f64 = filter.iter().sum();
    for coefficient in &mut filter {
        *coefficient /= sum;
    }
    filter
}

/// The periodic four-term Blackman–Harris window (F. J. Harris, "On the Use of Windows for Harmonic
/// Analysis with the Discrete Fourier Transform", Proceedings of the IEEE 66(1), 1978).
fn blackman_harris(n: usize, length: usize) -> f64 {
    let cosine = |multiple: f64| (multiple * PI * n as f64 / length as f64).cos();
    0.35875 - 0.48829 * cosine(2.0) + 0.14128 * cosine(4.0) - 0.01168 * cosine(6.0)
}

/// The cutoff of a filter of this length: the fit of the crate rubato for this window, in its precision.
fn cutoff(length: usize) -> f32 {
    let n = length as f32;
    1.0 / (13.745_203 / n + 121.735_33 / (n * n) + 5_964.163 / (n * n * n) + 1.0)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: realfft::FftError) -> RecordingError {
    RecordingError::Resample(error.to_string())
}
