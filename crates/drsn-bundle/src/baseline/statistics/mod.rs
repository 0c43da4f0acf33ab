//! Statistics of a prepared input: how its values are distributed, and how they change from one to
//! the next. A network sees little of what they see: it pools over space, and training makes it
//! insensitive to noise.
//!
//! All are relative to the deviation of the channel's values, so a gain changes none of them but the
//! deviation itself.

#![expect(
    clippy::inline_always,
    reason = "vectorized functions inline what they call, or it is compiled for the baseline CPU"
)]

mod names;
mod neighbours;
mod spectrum;

use ndarray::ArrayView2;

use super::MAX_DIMENSIONS;
use crate::{InputSpec, lanes, vectorized};
pub use names::{Axis, NamedStatistic, Statistic};
use names::{OF_IMAGE, OF_SIGNAL};
use neighbours::{Changes, Extremes};
pub(super) use spectrum::BANDS;
use spectrum::Spectrum;
pub use spectrum::{Band, bands_of};

/// Least deviation: values that differ less are rounding.
const MIN_DEVIATION: f64 = 1e-6;
/// Least ratio, so that its logarithm is finite.
const MIN_RATIO: f64 = 1e-9;
/// What is added to the mean square of dips and peaks, so that its logarithm does not depend on those
/// of a few samples.
const EXTREMES_FLOOR: f64 = 1e-3;

/// Number of statistics of an input; 0 if they are more than a baseline supports.
pub fn statistics_of(input: &InputSpec) -> usize {
    let statistics = match input {
        InputSpec::Signal(signal) => signal.channels.saturating_mul(OF_SIGNAL.len()),
        InputSpec::Image(image) => image.channels.saturating_mul(OF_IMAGE.len()),
    };
    if statistics > MAX_DIMENSIONS { 0 } else { statistics }
}

/// Measures prepared inputs: their statistics, and if it is wanted the spectrum of signals.
#[derive(Debug)]
pub struct InputMeasure {
    input: InputSpec,
    spectrum: Option<Spectrum>,
}

impl InputMeasure {
    /// For the inputs of a model.
    pub fn new(input: &InputSpec, with_spectrum: bool) -> Self {
        let spectrum = if with_spectrum { Spectrum::new(input) } else { None };
        Self { input: input.clone(), spectrum }
    }

    /// Number of numbers of an input.
    pub fn width(&self) -> usize {
        let bands = if self.spectrum.is_some() { bands_of(&self.input) } else { 0 };
        statistics_of(&self.input) + bands
    }

    /// Appends the numbers of a prepared input: [`statistics_of`] statistics, and [`bands_of`] bands.
    pub fn append(&mut self, prepared: &[f32], numbers: &mut Vec<f32>) {
        input_statistics(prepared, &self.input, numbers);
        if let (InputSpec::Signal(signal), Some(spectrum)) = (&self.input, &mut self.spectrum) {
            for channel in prepared.chunks_exact(signal.window.max(1)) {
                spectrum.append(channel, numbers);
            }
        }
    }
}

/// Appends the statistics of a prepared input, channel by channel, [`statistics_of`] numbers:
///
/// * for images, the mean and the logarithm of the deviation;
/// * the logarithms of the kurtosis and of the mean squares of dips and of peaks: of samples below
///   and above all their neighbours, by how much;
/// * along each axis, the last one first, the logarithms of the mean square of first and of second
///   differences and of the kurtosis of first ones, and the share of samples that equal the next.
///
/// Values are divided by the channel's deviation first.
fn input_statistics(prepared: &[f32], input: &InputSpec, statistics: &mut Vec<f32>) {
    if statistics_of(input) == 0 {
        return;
    }
    match input {
        InputSpec::Signal(signal) => {
            for samples in prepared.chunks_exact(signal.window.max(1)) {
                of_signal(samples, statistics);
            }
        }
        InputSpec::Image(image) => {
            for pixels in prepared.chunks_exact((image.height * image.width).max(1)) {
                of_image(pixels, &image.width, statistics);
            }
        }
    }
}

vectorized! {
    fn of_signal<'a>(samples: &'a [f32], statistics: &'a mut Vec<f32>) {
        let scale = Scale::of(samples);
        let (changes, extremes) = (Changes::along(samples, scale.factor), Extremes::of_row(samples, scale.factor));
        statistics.push(scale.kurtosis(samples));
        statistics.extend(extremes.numbers());
        statistics.extend(changes.numbers());
    }
}

vectorized! {
    fn of_image<'a>(pixels: &'a [f32], width: &'a usize, statistics: &'a mut Vec<f32>) {
        let scale = Scale::of(pixels);
        statistics.extend([scale.mean as f32, log(scale.deviation)]);
        statistics.push(scale.kurtosis(pixels));
        let (mut across, mut down) = (Changes::default(), Changes::default());
        let mut extremes = Extremes::default();
        let rows = pixels.len() / *width;
        let Ok(image) = ArrayView2::from_shape((rows, *width), pixels) else { return };
        let row = |at: usize| image.row(at).to_slice().unwrap_or_default();
        for at in 0..rows {
            across.add_row(row(at), scale.factor);
            if at > 0 && at + 1 < rows {
                let [above, middle, below] = [row(at - 1), row(at), row(at + 1)];
                down.add(above, middle, below, scale.factor);
                extremes.add_between(above, middle, below, scale.factor);
            }
        }
        statistics.extend(extremes.numbers());
        statistics.extend(across.numbers());
        statistics.extend(down.numbers());
    }
}

/// Mean and deviation of a channel.
struct Scale {
    mean: f64,
    deviation: f64,
    /// 1 / deviation.
    factor: f32,
}

impl Scale {
    #[inline(always)]
    fn of(values: &[f32]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = lanes::sum(values, |x| x) / count;
        let squares = lanes::sum(values, |x| (x - mean) * (x - mean));
        let deviation = (squares / count).sqrt().max(MIN_DEVIATION);
        Self { mean, deviation, factor: (1.0 / deviation) as f32 }
    }

    #[inline(always)]
    fn kurtosis(&self, values: &[f32]) -> f32 {
        let (mean, factor) = (self.mean, 1.0 / self.deviation);
        let fourth = lanes::sum(values, |x| {
            let square = ((x - mean) * factor) * ((x - mean) * factor);
            square * square
        });
        log(fourth / values.len().max(1) as f64)
    }
}

fn log(ratio: f64) -> f32 {
    ratio.max(MIN_RATIO).ln() as f32
}

#[cfg(test)]
mod tests;
