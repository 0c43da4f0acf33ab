//! The training loop.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{
    module::Module as _,
    store::{ModuleRecord, RecordError},
    tensor::{Bytes, Device, Tensor},
};
use drsn_bundle::Epoch;
use rand::seq::SliceRandom as _;

use super::{
    Batches, Checkpoint, CheckpointError, Disturbance, EpochRecord, EpochSums, Position, Progress,
    Task, best_epoch, held_out,
    optimizer::Optimizer,
    pace::Pace,
    parameters::{parameters, with_parameters},
    running::{follow, running, store},
    shard::{Moments, Step, step},
};
use crate::{
    TrainError,
    dataset::class_weights,
    model::Drsn,
    random::{Purpose, stream},
    recipe::ClassWeights,
};

/// A training between two batches.
pub struct Trainer<'a> {
    task: Task<'a>,
    /// The layers, whose parameters lie in `parameters` while the training goes on.
    network: Drsn,
    parameters: Vec<f32>,
    optimizer: Optimizer,
    running: Vec<Moments>,
    position: Position,
    /// What the batches of the epoch at that position gave.
    sums: EpochSums,
    history: Vec<EpochRecord>,
    weights: Option<Vec<f32>>,
}

impl<'a> Trainer<'a> {
    /// A training at its beginning.
    ///
    /// # Errors
    /// [`TrainError::Tensor`] where a tensor cannot be read.
    pub fn new(task: Task<'a>) -> Result<Self, TrainError> {
        let mut network = task.network(&Device::flex().autodiff());
        let weights = match task.recipe.class_weights {
            ClassWeights::Equal => None,
            ClassWeights::Balanced => {
                Some(class_weights(&task.data.training, task.data.classes.len()))
            }
        };
        let (parameters, roles) = parameters(&network)?;
        Ok(Self {
            running: running(&mut network)?,
            optimizer: Optimizer::new(task.recipe.optimizer.clone(), &roles),
            parameters,
            position: Position::default(),
            sums: EpochSums::default(),
            history: Vec::new(),
            network,
            weights,
            task,
        })
    }

    /// The training that a checkpoint was made of.
    ///
    /// # Errors
    /// [`CheckpointError`] where it cannot be read, or was made with another recipe or other data.
    pub fn resume(task: Task<'a>, path: &Path) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::load(path)?;
        if checkpoint.recipe != *task.recipe {
            return Err(CheckpointError::OtherConfiguration { path: path.to_owned() }.into());
        }
        if checkpoint.data_digest != task.digest {
            return Err(CheckpointError::OtherData { path: path.to_owned() }.into());
        }
        let malformed = |e: RecordError| CheckpointError::Malformed {
            path: path.to_owned(),
            reason: e.to_string(),
        };
        let mut trainer = Self::new(task)?;
        let weights = Bytes::from_bytes_vec(checkpoint.weights);
        let record = ModuleRecord::from_bytes(weights).map_err(malformed)?;
        trainer.network = trainer.network.try_load_record(record).map_err(malformed)?;
        trainer.running = running(&mut trainer.network)?;
        (trainer.parameters, _) = parameters(&trainer.network)?;
        trainer.optimizer =
            trainer.optimizer.reminded_of(&checkpoint.optimizer).ok_or_else(|| {
                CheckpointError::Malformed {
                    path: path.to_owned(),
                    reason: "its optimizer is of another network".to_owned(),
                }
            })?;
        trainer.position = checkpoint.position;
        trainer.sums = checkpoint.sums;
        trainer.history = checkpoint.history;
        Ok(trainer)
    }

    /// Trains until the last epoch is done or the held-out inputs no longer profit, saving a checkpoint after each
    /// epoch, and beside it one after the best.
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
        self.task.workers.lead(|| self.epochs(checkpoint, progress, stop))
    }

    fn epochs(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<(), TrainError> {
        let mut pace = Pace::new(self.task.recipe, self.task.steps(), self.position);
        while !self.is_done() {
            self.epoch(checkpoint, progress, stop, &mut pace)?;
            let saved = self.checkpoint()?;
            // The best one first: whenever the program ends, the last one's best epoch is there.
            if best_epoch(&self.history) == Some(self.history.len() - 1) {
                saved.save(&Checkpoint::best(checkpoint))?;
            }
            saved.save(checkpoint)?;
            if stop.load(Ordering::Relaxed) {
                return Err(self.interrupted(checkpoint));
            }
        }
        Ok(())
    }

    /// The trained network, on a device without gradients, with its running statistics.
    pub fn network(&self) -> Drsn {
        let device = Device::flex().autodiff();
        let mut network = with_parameters(&self.network, &self.parameters, &device).valid();
        store(&mut network, &self.running);
        network
    }

    /// What the complete epochs gave.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
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

    fn is_done(&self) -> bool {
        let recipe = self.task.recipe;
        let stalled = |patience: usize| {
            best_epoch(&self.history).is_some_and(|best| self.history.len() > best + patience)
        };
        self.position.epoch >= recipe.epochs
            || recipe.early_stopping.is_some_and(|early| stalled(early.patience))
    }

    fn epoch(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
        pace: &mut Pace,
    ) -> Result<(), TrainError> {
        let Task { recipe, data, .. } = self.task;
        let started = Instant::now();
        let epoch = self.position.epoch;
        let mut order = data.training.indices.clone();
        order.shuffle(&mut stream(recipe.seed, Purpose::Order, epoch as u64, 0));
        let remaining: Vec<&[usize]> =
            order.chunks_exact(recipe.batch).skip(self.position.batch).collect();
        let mut learning_rate = 0.0;
        for indices in &remaining {
            let (loss, right, rate) = self.step(indices)?;
            learning_rate = rate;
            self.position.batch += 1;
            self.sums.add(loss, right);
            progress.batch(&pace.report(self.position, &self.sums));
            if self.position.batch < self.task.steps() && stop.load(Ordering::Relaxed) {
                self.checkpoint()?.save(checkpoint)?;
                return Err(self.interrupted(checkpoint));
            }
        }
        let (held_out_loss, held_out_accuracy) = held_out::check(&self.network(), self.task)?;
        let sums = std::mem::take(&mut self.sums);
        let given = Epoch {
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(recipe.batch),
            held_out_loss,
            held_out_accuracy,
            learning_rate,
        };
        let record = EpochRecord {
            epoch: given,
            seconds: started.elapsed().as_secs_f64(),
            inputs: remaining.len() * recipe.batch,
        };
        self.history.push(record);
        self.position = Position { epoch: epoch + 1, batch: 0 };
        progress.epoch(epoch, recipe.epochs, &record);
        Ok(())
    }

    /// One step of the optimizer; gives the loss, how many inputs were classified rightly, and the learning rate.
    fn step(&mut self, indices: &[usize]) -> Result<(f32, usize, f64), TrainError> {
        let Task { recipe, data, workers, .. } = self.task;
        let at = self.position.epoch * self.task.steps() + self.position.batch;
        let batches = Batches {
            part: &data.training,
            input: &data.input,
            disturbance: Disturbance::training(recipe),
        };
        let sizes = [recipe.shards, data.classes.len()];
        let weights = self.weights.as_deref();
        let epoch = self.position.epoch;
        let Step { gradients, loss, right, statistics } = step(
            (&self.network, &self.parameters),
            &batches,
            indices,
            epoch,
            sizes,
            weights,
            workers,
        )?;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { loss, epoch, batch: self.position.batch });
        }
        let factor = recipe.schedule.factor(at, self.task.steps(), recipe.epochs);
        let rate = recipe.optimizer.learning_rate * factor;
        self.optimizer.step(rate, &mut self.parameters, &gradients);
        follow(&mut self.running, &statistics, recipe.network.norm_momentum);
        Ok((loss, right, rate))
    }

    fn checkpoint(&self) -> Result<Checkpoint, TrainError> {
        let unreadable = |e: RecordError| TrainError::Tensor { reason: e.to_string() };
        let weights = self.network().into_record().into_bytes();
        Ok(Checkpoint {
            recipe: self.task.recipe.clone(),
            data_digest: self.task.digest.to_owned(),
            position: self.position,
            sums: self.sums,
            history: self.history.clone(),
            weights: weights.map_err(unreadable)?.to_vec(),
            optimizer: self.optimizer.to_bytes(),
        })
    }
}

/// The values of a tensor in row-major order.
///
/// # Errors
/// [`TrainError::Tensor`] where they cannot be read.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    tensor.into_data().try_to_vec().map_err(|e| TrainError::Tensor { reason: e.to_string() })
}

/// How many columns of `scores`, `[classes, batch]`, are largest at their label.
pub fn count_right(scores: &[f32], labels: &[usize], classes: usize) -> usize {
    let batch = labels.len();
    let best = |n: usize| {
        (0..classes).max_by(|&a, &b| scores[a * batch + n].total_cmp(&scores[b * batch + n]))
    };
    labels.iter().enumerate().filter(|&(n, &label)| best(n) == Some(label)).count()
}
