//! The training loop.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{
    module::Module as _,
    store::{ModuleRecord, RecordError},
    tensor::{Bytes, Device},
};
use drsn_bundle::Epoch;

use super::{
    batch::{Batches, Draw},
    channel_moments::ChannelMoments,
    checkpoint::{Checkpoint, CheckpointError, Position, is_complete},
    context::TrainingContext,
    disturbance::Disturbance,
    error::TrainingError,
    ghost_batches::{Step, StepResult},
    held_out::{HeldOutResult, Measured},
    history::{EpochRecord, EpochSums, best_epoch},
    optimizer::Optimizer,
    order,
    parameters::{Role, count_first, parameters, with_parameters},
    progress::Progress,
    rate::RateMeter,
    running_statistics, start,
};
use crate::{
    dataset::class_weights,
    model::{BatchStatistics, Drsn},
    recipe::ClassWeights,
    tensor::TensorError,
};

/// A training between two batches.
pub struct Trainer<'a> {
    context: TrainingContext<'a>,
    /// The layers. During training, the current values of their parameters are in `parameters`.
    network: Drsn,
    parameters: Vec<f32>,
    optimizer: Optimizer,
    running: Vec<ChannelMoments>,
    position: Position,
    /// Sums over the batches of the current epoch.
    sums: EpochSums,
    history: Vec<EpochRecord>,
    class_weights: Option<Vec<f32>>,
    /// Number of parameters that stay as they are; they are the first.
    frozen: usize,
    origin: Option<String>,
}

impl<'a> Trainer<'a> {
    /// A training at its start.
    ///
    /// # Errors
    /// [`TensorError`] if a tensor cannot be read.
    pub fn new(context: TrainingContext<'a>) -> Result<Self, TensorError> {
        let mut network = context.network(&Device::flex().autodiff());
        let class_weights = match context.recipe.class_weights {
            ClassWeights::Equal => None,
            ClassWeights::Balanced => {
                Some(class_weights(&context.data.training, context.data.classes.len()))
            }
        };
        let (parameters, mut roles) = parameters(&network)?;
        let frozen = match context.recipe.start.as_ref().map_or(0, |start| start.freeze) {
            0 => 0,
            stages => count_first(&network, stages)?,
        };
        // Nothing that has no weights decays.
        roles[..frozen].fill(Role::Other);
        Ok(Self {
            running: running_statistics::load(&mut network)?,
            optimizer: Optimizer::new(context.recipe.optimizer.clone(), &roles),
            parameters,
            position: Position::default(),
            sums: EpochSums::default(),
            history: Vec::new(),
            network,
            class_weights,
            frozen,
            origin: None,
            context,
        })
    }

    /// A training at its start, with the weights of a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::NoStart`] if its network is another one.
    pub fn start(context: TrainingContext<'a>, path: &Path) -> Result<Self, TrainingError> {
        let mut trainer = Self::new(context)?;
        let (network, origin) = start::network(&trainer.network, &context, path)?;
        trainer.network = network;
        trainer.running = running_statistics::load(&mut trainer.network)?;
        (trainer.parameters, _) = parameters(&trainer.network)?;
        trainer.origin = Some(origin);
        Ok(trainer)
    }

    /// Where the training started, if not from random weights.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Resumes the training of a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be read, or was made with another recipe or other data.
    pub fn resume(context: TrainingContext<'a>, path: &Path) -> Result<Self, TrainingError> {
        let checkpoint = Checkpoint::load(path)?;
        if checkpoint.recipe != *context.recipe {
            return Err(CheckpointError::OtherConfiguration { path: path.to_owned() }.into());
        }
        if checkpoint.data_digest != context.digest {
            return Err(CheckpointError::OtherData { path: path.to_owned() }.into());
        }
        let malformed =
            |reason: String| CheckpointError::Malformed { path: path.to_owned(), reason };
        let unreadable = |e: RecordError| malformed(e.to_string());
        let mut trainer = Self::new(context)?;
        let weights = Bytes::from_bytes_vec(checkpoint.weights);
        let record = ModuleRecord::from_bytes(weights).map_err(unreadable)?;
        trainer.network = trainer.network.try_load_record(record).map_err(unreadable)?;
        trainer.running = running_statistics::load(&mut trainer.network)?;
        (trainer.parameters, _) = parameters(&trainer.network)?;
        trainer.optimizer = trainer
            .optimizer
            .with_state(&checkpoint.optimizer)
            .ok_or_else(|| malformed("its optimizer belongs to another network".to_owned()))?;
        trainer.position = checkpoint.position;
        trainer.sums = checkpoint.sums;
        trainer.history = checkpoint.history;
        trainer.origin = checkpoint.origin;
        Ok(trainer)
    }

    /// Trains until the last epoch is complete or early stopping applies. Saves a checkpoint after
    /// each epoch, and a second one after the best.
    ///
    /// # Errors
    /// [`TrainingError::Interrupted`], with a checkpoint, at the end of the batch in which `stop`
    /// was set; [`TrainingError::Diverged`]; or an error of the data or a checkpoint.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<(), TrainingError> {
        self.context.workers.lead(|| self.epochs(checkpoint, progress, stop))
    }

    fn epochs(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<(), TrainingError> {
        let context = self.context;
        let mut rate = RateMeter::new(&context, self.position, self.running.len());
        while !self.is_done() {
            self.epoch(checkpoint, progress, stop, &mut rate)?;
            let saved = self.checkpoint()?;
            // The best one first: whenever the program ends, the last one's best epoch exists.
            if best_epoch(&self.history, context.recipe.metric()) == Some(self.history.len() - 1) {
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
        running_statistics::store(&mut network, &self.running);
        network
    }

    /// Results of the complete epochs.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// Number of complete epochs.
    pub(crate) fn epochs_done(&self) -> usize {
        self.position.epoch
    }

    /// The error of a training interrupted at the current position, with its checkpoint at `path`.
    pub(crate) fn interrupted(&self, path: &Path) -> TrainingError {
        TrainingError::Interrupted {
            epoch: self.position.epoch,
            batch: self.position.batch,
            checkpoint: path.to_owned(),
        }
    }

    fn is_done(&self) -> bool {
        is_complete(self.context.recipe, self.position, &self.history)
    }

    fn epoch(
        &mut self,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
        rate: &mut RateMeter,
    ) -> Result<(), TrainingError> {
        let recipe = self.context.recipe;
        let started = Instant::now();
        let epoch = self.position.epoch;
        let order = order::of_epoch(&self.context, epoch);
        let remaining: Vec<&[Draw]> =
            order.chunks_exact(recipe.batch).skip(self.position.batch).collect();
        let mut learning_rate = 0.0;
        for draws in &remaining {
            learning_rate = self.step(draws)?;
            progress.batch(&rate.report(self.position, &self.sums));
            let is_last = self.position.batch >= self.context.batches_per_epoch();
            if !is_last && stop.load(Ordering::Relaxed) {
                self.checkpoint()?.save(checkpoint)?;
                return Err(self.interrupted(checkpoint));
            }
        }
        let held_out = Measured::held_out(&self.context).evaluate(
            &self.network(),
            self.context,
            BatchStatistics::default,
        )?;
        let record = EpochRecord {
            epoch: self.epoch_result(held_out, learning_rate),
            held_out_macro_recall: held_out.macro_recall,
            seconds: started.elapsed().as_secs_f64(),
            inputs: remaining.len() * recipe.batch,
        };
        self.history.push(record);
        self.position = Position { epoch: epoch + 1, batch: 0 };
        progress.epoch(epoch, recipe.epochs, &record);
        Ok(())
    }

    /// Takes the sums over the batches of an epoch, and returns its results.
    fn epoch_result(&mut self, held_out: HeldOutResult, learning_rate: f64) -> Epoch {
        let sums = std::mem::take(&mut self.sums);
        Epoch {
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(self.context.recipe.batch),
            held_out_loss: held_out.loss,
            held_out_accuracy: held_out.accuracy,
            learning_rate,
        }
    }

    /// Makes one step of the optimizer and returns its learning rate.
    fn step(&mut self, draws: &[Draw]) -> Result<f64, TrainingError> {
        let TrainingContext { recipe, data, workers, .. } = self.context;
        let Position { epoch, batch } = self.position;
        let batches = Batches {
            part: &data.training,
            input: &data.input,
            disturbance: Disturbance::training(recipe),
        };
        let step = Step {
            network: &self.network,
            parameters: &self.parameters,
            ghost_batches: recipe.ghost_batches,
            class_weights: self.class_weights.as_deref(),
            position_loss: recipe.position_loss,
        };
        let StepResult { mut gradients, loss, correct, statistics } =
            step.compute(&batches, draws, workers)?;
        if !loss.is_finite() {
            return Err(TrainingError::Diverged { loss, epoch, batch });
        }
        gradients[..self.frozen].fill(0.0);
        let per_epoch = self.context.batches_per_epoch();
        let factor = recipe.schedule.factor(epoch * per_epoch + batch, per_epoch, recipe.epochs);
        let rate = recipe.optimizer.learning_rate * factor;
        self.optimizer.step(rate, &mut self.parameters, &gradients);
        running_statistics::update(&mut self.running, &statistics, recipe.network.norm_momentum);
        self.position.batch += 1;
        self.sums.add(loss, correct);
        Ok(rate)
    }

    fn checkpoint(&self) -> Result<Checkpoint, TensorError> {
        let unreadable = |e: RecordError| TensorError { reason: e.to_string() };
        let weights = self.network().into_record().into_bytes();
        Ok(Checkpoint {
            recipe: self.context.recipe.clone(),
            data_digest: self.context.digest.to_owned(),
            position: self.position,
            sums: self.sums,
            history: self.history.clone(),
            exported: false,
            classes: self.context.data.classes.clone(),
            origin: self.origin.clone(),
            weights: weights.map_err(unreadable)?.to_vec(),
            optimizer: self.optimizer.to_bytes(),
        })
    }
}
