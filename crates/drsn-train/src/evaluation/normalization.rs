//! Whether the batch normalisations of an exported graph have the statistics of some data.
//!
//! As [`crate::batch_norm_reestimation`] does it for networks that are trained here: each layer's
//! input is measured with all earlier layers already on the data's statistics.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use drsn_bundle::{
    AccuracyByStatistics, Block, InputSpec,
    onnx::{BATCH_MEAN, BATCH_VARIANCE, Normalizations},
    runtime::{Provider, Runtime, Session},
};
use serde::Serialize;

use super::{EVALUATION_SEED, error::EvaluationError, predict::predict};
use crate::{dataset::Part, training::Batches};

/// Inputs whose statistics normalise them where those of each batch are used.
const BATCH: usize = 100;

/// What a normalisation with its exported statistics makes of the data: mean 0 and deviation 1 if
/// they are the data's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerDrift {
    /// Name of the node.
    pub name: String,
    /// The first block whose shrinkage comes after it.
    pub before: Option<String>,
    /// Number of channels.
    pub channels: usize,
    /// The least and the largest mean of a channel, before scale and bias.
    pub mean: [f64; 2],
    /// The least and the largest standard deviation.
    pub deviation: [f64; 2],
}

/// The check of a model.
#[derive(Debug)]
pub(crate) struct NormalizationCheck {
    /// The model with the statistics of the data.
    pub(crate) corrected: Normalizations,
    /// Its layers, in their order.
    pub(crate) layers: Vec<LayerDrift>,
    /// Accuracy on test inputs.
    pub(crate) accuracy: AccuracyByStatistics,
    /// Number of test inputs.
    pub(crate) inputs: usize,
}

/// What is needed to run the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial<'t> {
    /// The runtime.
    pub(crate) runtime: &'t Runtime,
    /// The model's input.
    pub(crate) input: &'t InputSpec,
    /// The units with thresholds.
    pub(crate) blocks: &'t [Block],
    /// Number of threads.
    pub(crate) threads: usize,
    /// Set to stop.
    pub(crate) stop: &'t AtomicBool,
}

impl Trial<'_> {
    /// Measures the statistics on `reference` and accuracies on `test`, whose inputs are in random
    /// order; `None` if `stop` was set.
    ///
    /// # Errors
    /// [`EvaluationError`] if an input cannot be read or the model cannot be run.
    pub(crate) fn check(
        self,
        exported: &Normalizations,
        reference: &Batches<'_>,
        test: &Part,
    ) -> Result<Option<NormalizationCheck>, EvaluationError> {
        let test = whole_batches(test, self.threads);
        let mut corrected = exported.clone();
        let mut layers = Vec::with_capacity(exported.layers().len());
        for index in 0..exported.layers().len() {
            let Some(moments) = self.moments(&corrected.measuring(index), reference)? else {
                return Ok(None);
            };
            layers.push(self.drift(exported, index, &moments));
            corrected.set(index, moments.means(), moments.variances());
        }
        let accuracy = |model: &[u8]| self.accuracy(model, &test);
        let measured = (
            accuracy(&exported.model())?,
            accuracy(&corrected.model())?,
            accuracy(&corrected.with_batch_statistics())?,
        );
        let (Some(running), Some(exact), Some(batch)) = measured else { return Ok(None) };
        let accuracy = AccuracyByStatistics { running, exact, batch };
        Ok(Some(NormalizationCheck { corrected, layers, accuracy, inputs: test.indices.len() }))
    }

    fn sessions(self, model: &[u8], inputs: usize) -> Result<Vec<Session>, EvaluationError> {
        let count = sessions(inputs, self.threads);
        let shape = self.input.shape();
        let open = |_| Session::open(self.runtime, model, &shape, Provider::Cpu);
        Ok((0..count).map(open).collect::<Result<_, _>>()?)
    }

    fn accuracy(self, model: &[u8], test: &Part) -> Result<Option<f64>, EvaluationError> {
        let mut sessions = self.sessions(model, test.indices.len())?;
        let seed = EVALUATION_SEED;
        let predicted = predict(&mut sessions, test, self.input, None, seed, self.stop)?;
        Ok(predicted.map(|predictions| {
            let right = predictions.decisions().filter(|(label, decision, _)| label == decision);
            right.count() as f64 / predictions.inputs().max(1) as f64
        }))
    }

    /// The moments of one normalisation's input over all reference inputs.
    fn moments(
        self,
        model: &[u8],
        reference: &Batches<'_>,
    ) -> Result<Option<Moments>, EvaluationError> {
        let indices = &reference.part.indices;
        let mut sessions = self.sessions(model, indices.len())?;
        let share = indices.len().div_ceil(sessions.len()).max(1);
        let shares = sessions.iter_mut().zip(indices.chunks(share));
        let parts: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = shares
                .map(|(session, indices)| {
                    scope.spawn(move || self.share(session, reference, indices))
                })
                .collect();
            // A panic of a thread propagates.
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        let mut total = Moments::default();
        for part in parts {
            let Some(moments) = part? else { return Ok(None) };
            total.merge(&moments);
        }
        Ok(Some(total))
    }

    fn share(
        self,
        session: &mut Session,
        reference: &Batches<'_>,
        indices: &[usize],
    ) -> Result<Option<Moments>, EvaluationError> {
        let mut moments = Moments::default();
        for batch in indices.chunks(BATCH) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let outputs = session.run(reference.values(batch, 0)?.view())?;
            let of_batch = |name: &str| -> Result<Vec<f64>, EvaluationError> {
                Ok(outputs.get(name)?.iter().map(|&value| f64::from(value)).collect())
            };
            let (mean, variance) = (of_batch(BATCH_MEAN)?, of_batch(BATCH_VARIANCE)?);
            moments.add(batch.len() as f64, &mean, &variance);
        }
        Ok(Some(moments))
    }

    /// What the exported statistics make of inputs with these moments.
    fn drift(self, exported: &Normalizations, index: usize, moments: &Moments) -> LayerDrift {
        let layer = &exported.layers()[index];
        let epsilon = f64::from(layer.epsilon);
        let channels = layer.mean.len();
        let normalized = (0..channels.min(moments.sum.len())).map(|channel| {
            let (mean, variance) = moments.of(channel);
            let exported = (f64::from(layer.variance[channel]) + epsilon).sqrt();
            let centre = (mean - f64::from(layer.mean[channel])) / exported;
            (centre, (variance + epsilon).sqrt() / exported)
        });
        let (mut mean, mut deviation) = ([f64::MAX, f64::MIN], [f64::MAX, f64::MIN]);
        for (centre, spread) in normalized {
            for (range, value) in [(&mut mean, centre), (&mut deviation, spread)] {
                *range = [range[0].min(value), range[1].max(value)];
            }
        }
        let mut blocks = self.blocks.iter();
        let before = blocks.find(|block| exported.leads_to(index, &block.shrunk_tensor));
        let before = before.map(|block| block.name.to_string());
        LayerDrift { name: layer.name.clone(), before, channels, mean, deviation }
    }
}

impl LayerDrift {
    /// How far the layer is from mean 0 and deviation 1.
    pub(crate) fn size(&self) -> f64 {
        let means = self.mean.map(f64::abs);
        let deviations =
            self.deviation.map(|deviation| deviation.max(f64::MIN_POSITIVE).ln().abs());
        means.into_iter().chain(deviations).fold(0.0, f64::max)
    }
}

/// Sessions for so many inputs: each has whole batches if it can.
fn sessions(inputs: usize, threads: usize) -> usize {
    threads.min(inputs / BATCH).max(1)
}

/// A part without the inputs that would make smaller batches, whose own statistics are inaccurate.
fn whole_batches(part: &Part, threads: usize) -> Part {
    let inputs = part.indices.len();
    let of_all = BATCH * sessions(inputs, threads);
    let kept = if inputs < of_all { inputs } else { inputs - inputs % of_all };
    Part { source: part.source.clone(), indices: part.indices[..kept].to_vec() }
}

/// Sums of each channel over batches, in 64 bits.
#[derive(Debug, Default)]
struct Moments {
    count: f64,
    sum: Vec<f64>,
    sum_of_squares: Vec<f64>,
}

impl Moments {
    /// Adds the mean and the variance of a batch.
    fn add(&mut self, count: f64, mean: &[f64], variance: &[f64]) {
        let sum = mean.iter().map(|mean| count * mean).collect();
        let squares = mean.iter().zip(variance);
        let sum_of_squares = squares.map(|(mean, var)| count * (var + mean * mean)).collect();
        self.merge(&Self { count, sum, sum_of_squares });
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (own, others) in
            [(&mut self.sum, &other.sum), (&mut self.sum_of_squares, &other.sum_of_squares)]
        {
            own.resize(own.len().max(others.len()), 0.0);
            own.iter_mut().zip(others).for_each(|(own, other)| *own += other);
        }
    }

    /// Mean and population variance of a channel.
    fn of(&self, channel: usize) -> (f64, f64) {
        let mean = self.sum[channel] / self.count;
        (mean, (self.sum_of_squares[channel] / self.count - mean * mean).max(0.0))
    }

    fn means(&self) -> Vec<f32> {
        (0..self.sum.len()).map(|channel| self.of(channel).0 as f32).collect()
    }

    fn variances(&self) -> Vec<f32> {
        (0..self.sum.len()).map(|channel| self.of(channel).1 as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_batches_are_those_of_all_inputs() {
        let mut moments = Moments::default();
        // 1, 3 and 5, 5, 8.
        moments.add(2.0, &[2.0], &[1.0]);
        moments.add(3.0, &[6.0], &[2.0]);
        let (mean, variance) = moments.of(0);
        assert!((mean - 4.4).abs() < 1e-12);
        let exact = [1.0, 3.0, 5.0, 5.0, 8.0_f64].iter().map(|x| (x - 4.4).powi(2)).sum::<f64>();
        assert!((variance - exact / 5.0).abs() < 1e-12);
    }

    #[test]
    fn a_layer_differs_as_much_as_its_worst_channel() {
        let layer = |mean, deviation| LayerDrift {
            name: String::new(),
            before: None,
            channels: 2,
            mean,
            deviation,
        };
        assert!(layer([0.0, 0.0], [1.0, 1.0]).size() < 1e-12);
        assert!(layer([0.0, 0.1], [0.5, 1.0]).size() > layer([0.0, 0.2], [0.9, 1.1]).size());
        assert!((layer([-3.0, 0.1], [0.5, 1.0]).size() - 3.0).abs() < 1e-12);
    }
}
