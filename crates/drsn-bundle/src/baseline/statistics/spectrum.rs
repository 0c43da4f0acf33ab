//! How the power of a signal is spread over frequencies.
//!
//! A machine's signal leaves some frequencies nearly empty. Weak noise, hum, lost and clipped samples
//! fill them, and another rate moves what lies in the others, long before the whole signal changes.

use std::{fmt, sync::Arc};

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::{InputSpec, SignalSpec};

/// Bands of equal width, from 0 to half of the sample rate.
pub(in super::super) const BANDS: usize = 16;
/// Fewest frequencies of a band: fewer vary too much from window to window.
const FEWEST_FREQUENCIES: usize = 2;
/// Least share of the power that is told from none.
const LEAST_SHARE: f32 = 1e-7;

/// Number of bands of all channels of an input; 0 for an image, and for windows of too few samples.
pub fn bands_of(input: &InputSpec) -> usize {
    match input {
        InputSpec::Signal(signal) if signal.window / 2 >= BANDS * FEWEST_FREQUENCIES => {
            let bands = signal.channels.saturating_mul(BANDS);
            if bands > super::MAX_DIMENSIONS { 0 } else { bands }
        }
        InputSpec::Signal(_) | InputSpec::Image(_) => 0,
    }
}

/// Measures the spectrum of prepared signals.
pub(super) struct Spectrum {
    transform: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// The window under the Hann window, and its frequencies.
    samples: Vec<f32>,
    frequencies: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spectrum").field("samples", &self.samples.len()).finish_non_exhaustive()
    }
}

impl Spectrum {
    /// For the signals of a model; `None` if it has no bands.
    pub(super) fn new(input: &InputSpec) -> Option<Self> {
        let InputSpec::Signal(SignalSpec { window, .. }) = *input else { return None };
        if bands_of(input) == 0 {
            return None;
        }
        let transform = RealFftPlanner::new().plan_fft_forward(window);
        let turn = std::f64::consts::TAU / window as f64;
        Some(Self {
            hann: (0..window).map(|at| (0.5 - 0.5 * (turn * at as f64).cos()) as f32).collect(),
            samples: transform.make_input_vec(),
            frequencies: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
        })
    }

    /// Appends the logarithms of the bands' shares of a channel's power, from low to high frequencies.
    pub(super) fn append(&mut self, channel: &[f32], numbers: &mut Vec<f32>) {
        // The power of values that are not normalised may be beyond 32-bit floats.
        let largest = channel.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest } else { 1.0 };
        for ((sample, value), hann) in self.samples.iter_mut().zip(channel).zip(&self.hann) {
            *sample = value / scale * hann;
        }
        let Self { samples, frequencies, scratch, .. } = self;
        // It fails for buffers of other lengths only, and leaves zeros then.
        if self.transform.process_with_scratch(samples, frequencies, scratch).is_err() {
            frequencies.fill(Complex32::default());
        }
        // Without the mean.
        let powers = &self.frequencies[1..];
        let total = powers.iter().map(Complex32::norm_sqr).sum::<f32>().max(f32::MIN_POSITIVE);
        for band in 0..BANDS {
            let range = band * powers.len() / BANDS..(band + 1) * powers.len() / BANDS;
            let share = powers[range].iter().map(Complex32::norm_sqr).sum::<f32>() / total;
            numbers.push((share + LEAST_SHARE).ln());
        }
    }
}

/// A band of one channel of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Its lowest and highest frequency, as shares of the sample rate.
    pub range: [f64; 2],
    /// Position of the input's channel, from 0.
    pub channel: usize,
}

impl Band {
    /// The band at a position of a spectrum.
    pub fn at(position: usize) -> Self {
        let edge = |band: usize| 0.5 * band as f64 / BANDS as f64;
        let band = position % BANDS;
        Self { range: [edge(band), edge(band + 1)], channel: position / BANDS }
    }
}
