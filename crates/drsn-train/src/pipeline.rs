//! A whole training: from data to a bundle.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::InputSpec;

use crate::{
    TrainError,
    calibration::calibrate,
    dataset::Data,
    export::{Destination, Trained, write_bundle},
    preflight::{check_checkpoint, check_destination},
    recipe::{DataConfig, Recipe},
    training::{
        Batches, Checkpoint, CheckpointError, Disturbance, Progress, Task, Trainer, Workers,
        best_epoch,
    },
};

/// Where the data lies.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Folder with the data.
    pub folder: PathBuf,
    /// Index of files and labels; without one, folders are classes.
    pub index: Option<PathBuf>,
    /// Whether files that cannot be read are left out.
    pub skip_bad: bool,
    /// Threads that compute.
    pub threads: usize,
}

impl Inputs {
    /// Opens the data as a recipe says.
    pub(crate) fn open(&self, recipe: &Recipe) -> Result<Data, TrainError> {
        Data::open(recipe, &self.folder, self.index.as_deref(), self.skip_bad)
    }
}

/// Where a training finds its data and leaves its results.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where the data lies.
    pub inputs: Inputs,
    /// File for the checkpoint.
    pub checkpoint: PathBuf,
    /// Whether to go on from the checkpoint.
    pub resume: bool,
    /// Whether a new training may overwrite the checkpoint of an unfinished one.
    pub restart: bool,
    /// Where the bundle goes.
    pub destination: Destination,
}

/// Trains a network, gives its normalizations exact statistics, exports it and writes the bundle.
/// Returns the bundle's folder.
///
/// # Errors
/// [`TrainError::Interrupted`] where `stop` was set, with a checkpoint to go on from; else what is wrong. What can
/// be checked before the training is checked before it: recipe, destination, checkpoint, ONNX Runtime, data.
pub fn train(
    recipe: &Recipe,
    job: &Job,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    recipe.check()?;
    check_destination(&job.destination)?;
    check_checkpoint(&job.checkpoint, job.resume || job.restart)?;
    with_task(recipe, &job.inputs, progress, |task, progress| {
        let mut trainer =
            if job.resume { Trainer::resume(task, &job.checkpoint)? } else { Trainer::new(task)? };
        trainer.run(&job.checkpoint, progress, stop)?;
        if recipe.early_stopping.is_some() {
            // What is exported is the best epoch's network, which need not be the last one's.
            trainer = best(task, &trainer, &job.checkpoint)?;
        }
        finish(&trainer, task, &job.destination, progress, stop)
            .map_err(|error| not_exported(error, &job.checkpoint))?
            .ok_or_else(|| trainer.interrupted(&job.checkpoint))
    })
}

/// Exports the network of a checkpoint, wherever its training stands, and writes the bundle. Returns its folder.
///
/// # Errors
/// As [`train`].
pub fn export(
    checkpoint: &Path,
    inputs: &Inputs,
    destination: &Destination,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    check_destination(destination)?;
    let recipe = Checkpoint::load(checkpoint)?.recipe;
    with_task(&recipe, inputs, progress, |task, progress| {
        let trainer = Trainer::resume(task, checkpoint)?;
        finish(&trainer, task, destination, progress, stop)?
            .ok_or_else(|| TrainError::ExportStopped { checkpoint: checkpoint.to_owned() })
    })
}

/// The training as it stood after its best epoch; `last` is how it ended, with its checkpoint at `path`.
fn best<'a>(task: Task<'a>, last: &Trainer<'_>, path: &Path) -> Result<Trainer<'a>, TrainError> {
    let path = Checkpoint::best(path);
    let trainer = Trainer::resume(task, &path)?;
    let (found, best) =
        (trainer.epochs_done(), best_epoch(last.history()).map_or(0, |best| best + 1));
    if found == best {
        return Ok(trainer);
    }
    Err(CheckpointError::NotBest { path, found, best }.into())
}

/// Tells where the trained network is, unless another export of it would fail as this one did.
fn not_exported(error: TrainError, checkpoint: &Path) -> TrainError {
    if matches!(error, TrainError::Calibration { .. } | TrainError::Parity { .. }) {
        return error;
    }
    TrainError::NotExported { source: Box::new(error), checkpoint: checkpoint.to_owned() }
}

/// Calibrates, exports and writes; none where `stop` was set meanwhile.
fn finish(
    trainer: &Trainer<'_>,
    task: Task<'_>,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, TrainError> {
    let mut network = trainer.network();
    let Some(calibration) = calibrate(&mut network, task, progress, stop)? else {
        return Ok(None);
    };
    progress.step(&format!(
        "accuracy on held-out inputs: {:.4} with exact statistics, {:.4} with those of batches, {:.4} with the \
         running ones of the training",
        calibration.fixed, calibration.batch, calibration.running
    ));
    let finished = Trained { network: &network, calibration, history: trainer.history() };
    write_bundle(&finished, task, destination, progress, stop)
}

/// Opens the data and runs with what a training works on.
fn with_task<T>(
    recipe: &Recipe,
    inputs: &Inputs,
    progress: &mut (dyn Progress + Send),
    run: impl FnOnce(Task<'_>, &mut dyn Progress) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    recipe.check()?;
    let workers = Workers::new(inputs.threads)?;
    let mut data = inputs.open(recipe)?;
    let digest = data.digest()?;
    for skipped in &data.skipped {
        progress.step(&format!("left out: {skipped}"));
    }
    centre(recipe, &mut data, &workers)?;
    run(Task { recipe, data: &data, digest: &digest, workers: &workers }, progress)
}

/// Where the recipe asks for it, subtracts each channel's mean over the training inputs, as they are met with noise.
fn centre(recipe: &Recipe, data: &mut Data, workers: &Workers) -> Result<(), TrainError> {
    let wanted = match &recipe.data {
        DataConfig::Idx(set) | DataConfig::Cifar10(set) => set.zero_centre,
        DataConfig::Images(images) => images.zero_centre,
        DataConfig::Signals(_) => false,
    };
    let InputSpec::Image(image) = data.input.clone() else { return Ok(()) };
    if !wanted {
        return Ok(());
    }
    let batches = Batches {
        part: &data.training,
        input: &data.input,
        disturbance: Disturbance::calibration(recipe),
    };
    let plane = image.height * image.width;
    let sums = workers.map(data.training.indices.chunks(1_000).collect(), |indices: &[usize]| {
        let mut sums = vec![0.0; image.channels];
        let mut values = vec![0.0; image.channels * plane];
        for &index in indices {
            batches.raw(index, 0, &mut values)?;
            for (sum, plane) in sums.iter_mut().zip(values.chunks_exact(plane)) {
                *sum += plane.iter().map(|&value| f64::from(value)).sum::<f64>();
            }
        }
        Ok::<_, TrainError>(sums)
    });
    let mut mean = vec![0.0; image.channels];
    for part in sums {
        for (mean, sum) in mean.iter_mut().zip(part?) {
            *mean += sum / (data.training.indices.len() * plane) as f64;
        }
    }
    let mean = mean.into_iter().map(|mean| mean as f32).collect();
    data.input = InputSpec::Image(drsn_bundle::ImageSpec { mean, ..image });
    Ok(())
}
