//! The training loop.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::{
    module::{Module as _, ParamGroup},
    nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig},
    optim::{AdamWConfig, GradientsParams, ModuleOptimizer},
    store::{ModuleRecord, RecordError},
    tensor::{Bytes, Device},
};
use drsn_bundle::InputSpec;
use rand::seq::SliceRandom as _;

use super::{
    Batch, Batches, Checkpoint, CheckpointError, Disturbance, Position, Progress, learning_rate,
    pace::Pace, planes,
};
use crate::{
    TrainConfig, TrainError,
    dataset::{Dataset, Split},
    model::{Drsn, Initializer},
    random::{Purpose, stream},
};

/// ε of `AdamW`. Burn's own default, 1e-5, would damp the steps of weights with small gradients.
const ADAM_EPSILON: f32 = 1e-8;

/// What a training works on.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The recipe.
    pub config: &'a TrainConfig,
    /// The training set, held-out inputs included.
    pub dataset: &'a Dataset,
    /// Which of them are trained on.
    pub split: &'a Split,
    /// How inputs are prepared.
    pub spec: &'a InputSpec,
    /// Number of classes.
    pub classes: usize,
}

impl Task<'_> {
    /// The network with its random weights.
    pub fn network(&self, device: &Device) -> Drsn {
        let config = self.config;
        let rng = stream(config.seed, Purpose::Weights, 0, 0);
        let [channels, _, _] = planes(self.spec);
        Drsn::new(
            &config.architecture(),
            channels,
            self.classes,
            config.norm_epsilon,
            &mut Initializer::new(rng, device),
        )
    }

    fn batches(&self) -> usize {
        self.split.training.len() / self.config.batch
    }
}

/// A training between two batches.
pub struct Trainer<'a> {
    task: Task<'a>,
    network: Drsn,
    optimizer: ModuleOptimizer,
    position: Position,
    device: Device,
    loss: CrossEntropyLoss,
}

impl<'a> Trainer<'a> {
    /// A training at its beginning.
    pub fn new(task: Task<'a>) -> Self {
        let device = Device::flex().autodiff();
        Self {
            network: task.network(&device),
            optimizer: optimizer(task.config.weight_decay),
            position: Position::default(),
            loss: CrossEntropyLossConfig::new().init(&device),
            device,
            task,
        }
    }

    /// The training that a checkpoint was made of.
    ///
    /// # Errors
    /// [`CheckpointError`] where it cannot be read, or was made with another configuration.
    pub fn resume(task: Task<'a>, path: &Path) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::load(path)?;
        if checkpoint.config != *task.config {
            return Err(CheckpointError::OtherConfiguration { path: path.to_owned() });
        }
        let malformed = |e: RecordError| CheckpointError::Malformed {
            path: path.to_owned(),
            reason: e.to_string(),
        };
        let mut trainer = Self::new(task);
        let weights = Bytes::from_bytes_vec(checkpoint.weights);
        let record = ModuleRecord::from_bytes(weights).map_err(malformed)?;
        trainer.network = trainer.network.try_load_record(record).map_err(malformed)?;
        let state = Bytes::from_bytes_vec(checkpoint.optimizer);
        trainer.optimizer = trainer.optimizer.from_bytes(state).map_err(malformed)?;
        trainer.position = checkpoint.position;
        Ok(trainer)
    }

    /// Trains until the last epoch is done, saving a checkpoint after each.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`], with a checkpoint, at the end of the batch in which `stop` was set;
    /// [`TrainError::Diverged`]; or what goes wrong with data and checkpoint.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<(), TrainError> {
        let mut pace = Pace::new(self.task.config, self.task.batches(), self.position);
        while self.position.epoch < self.task.config.epochs {
            self.epoch(checkpoint, progress, stop, &mut pace)?;
            self.position = Position { epoch: self.position.epoch + 1, batch: 0 };
            self.checkpoint()?.save(checkpoint)?;
            if stop.load(Ordering::Relaxed) {
                return Err(self.interrupted(checkpoint));
            }
        }
        Ok(())
    }

    /// The trained network, on a device without gradients.
    pub fn network(&self) -> Drsn {
        self.network.valid()
    }

    /// Epochs that are complete.
    pub fn epochs_done(&self) -> usize {
        self.position.epoch
    }

    /// The error that says where the training stands, with its checkpoint at `path`.
    pub fn interrupted(&self, path: &Path) -> TrainError {
        TrainError::Interrupted {
            epoch: self.position.epoch,
            batch: self.position.batch,
            checkpoint: path.to_owned(),
        }
    }

    fn epoch(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
        pace: &mut Pace,
    ) -> Result<(), TrainError> {
        let Task { config, dataset, split, spec, .. } = self.task;
        let epoch = self.position.epoch;
        let mut order = split.training.clone();
        order.shuffle(&mut stream(config.seed, Purpose::Order, epoch as u64, 0));
        let batches = Batches { dataset, spec, disturbance: Disturbance::training(config) };
        let remaining = order.chunks_exact(config.batch).skip(self.position.batch);
        for indices in remaining {
            let batch = batches.batch(indices, epoch, &self.device)?;
            let (loss, right) = self.step(batch)?;
            self.position.batch += 1;
            let report = pace.report(self.position, loss, right);
            progress.batch(&report);
            if self.position.batch == self.task.batches() {
                progress.epoch(&report);
            } else if stop.load(Ordering::Relaxed) {
                self.checkpoint()?.save(checkpoint)?;
                return Err(self.interrupted(checkpoint));
            }
        }
        pace.next_epoch();
        Ok(())
    }

    /// One step of the optimizer; gives the loss and how many inputs were classified rightly.
    fn step(&mut self, batch: Batch) -> Result<(f32, usize), TrainError> {
        let config = self.task.config;
        let steps = config.epochs * self.task.batches();
        let step = self.position.epoch * self.task.batches() + self.position.batch;
        let answer = self.network.forward(batch.inputs);
        let right = count_right(&read(answer.logits.clone())?, &batch.labels);
        let loss = self.loss.forward(answer.logits, batch.targets);
        let value = read(loss.clone())?.iter().sum::<f32>();
        if !value.is_finite() {
            return Err(TrainError::Diverged {
                loss: value,
                epoch: self.position.epoch,
                batch: self.position.batch,
            });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let rate = learning_rate(config.learning_rate, step, steps);
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        Ok((value, right))
    }

    fn checkpoint(&self) -> Result<Checkpoint, TrainError> {
        let unreadable = |e: RecordError| TrainError::Tensor { reason: e.to_string() };
        let weights = self.network.clone().into_record().into_bytes();
        let optimizer = self.optimizer.into_bytes();
        Ok(Checkpoint {
            config: self.task.config.clone(),
            position: self.position,
            weights: weights.map_err(unreadable)?.to_vec(),
            optimizer: optimizer.map_err(unreadable)?.to_vec(),
        })
    }
}

/// `AdamW` with decay of what is named `weight` only: neither biases nor a normalization's γ and β should be small.
fn optimizer(weight_decay: f64) -> ModuleOptimizer {
    let adam = AdamWConfig::new().with_epsilon(ADAM_EPSILON);
    let without_decay = adam.clone().with_weight_decay(0.0).build();
    let with_decay = adam.with_weight_decay(weight_decay as f32).build();
    ModuleOptimizer::from(without_decay).with_group(
        ParamGroup::from_predicate("weight"),
        with_decay,
        None,
    )
}

/// The values of a tensor in row-major order.
///
/// # Errors
/// [`TrainError::Tensor`] where they cannot be read.
pub fn read<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Result<Vec<f32>, TrainError> {
    tensor.into_data().try_to_vec().map_err(|e| TrainError::Tensor { reason: e.to_string() })
}

/// How many rows of `scores`, one a label, are largest at their label.
pub fn count_right(scores: &[f32], labels: &[usize]) -> usize {
    let classes = scores.len() / labels.len().max(1);
    scores
        .chunks_exact(classes.max(1))
        .zip(labels)
        .filter(|(row, label)| {
            let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.is_some_and(|(class, _)| class == **label)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use burn::{module::Param, tensor::Tensor};
    use drsn_bundle::{Stage, Stem};

    use super::*;

    /// Kernels and matrices; then biases, γ and β.
    fn values(network: &Drsn) -> [Vec<f32>; 2] {
        let unit = &network.stages[0][0];
        let decayed = [
            read(network.stem.weight.val()).unwrap(),
            read(unit.conv1.weight.val()).unwrap(),
            read(network.head.weight.val()).unwrap(),
        ];
        let kept = [&network.stem.bias, &network.head.bias, &unit.conv1.bias, &unit.norm1.gamma];
        let kept = kept.into_iter().chain([&network.norm.gamma, &network.norm.beta]);
        [decayed.concat(), kept.flat_map(|p| read(p.val()).unwrap()).collect()]
    }

    #[test]
    fn without_gradients_a_step_shrinks_kernels_and_matrices_only() {
        let device = Device::flex().autodiff();
        let architecture = TrainConfig {
            stem: Stem { channels: 4, kernel: 3, stride: 2 },
            stages: vec![Stage { channels: 4, blocks: 1, stride: 2 }],
            ..TrainConfig::default()
        }
        .architecture();
        let rng = stream(0, Purpose::Weights, 0, 0);
        let mut network =
            Drsn::new(&architecture, 1, 10, 1e-5, &mut Initializer::new(rng, &device));
        // Zeros would not show a decay.
        let ones = |size| Param::from_tensor(Tensor::ones([size], &device));
        (network.stem.bias, network.head.bias, network.norm.beta) = (ones(4), ones(10), ones(4));
        network.stages[0][0].conv1.bias = ones(4);
        let before = values(&network);
        let loss = network.forward(Tensor::ones([2, 1, 8, 8], &device)).logits.sum() * 0.0;
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let after = values(&optimizer(0.5).step(0.1, network, gradients));
        let shrunk = before[0].iter().zip(&after[0]);
        assert!(shrunk.into_iter().all(|(b, a)| (b * 0.95 - a).abs() < 1e-6));
        assert_eq!(before[1], after[1]);
    }
}
