//! The offline flow from data to bundle.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use crate::{
    TrainConfig, TrainError,
    calibration::calibrate,
    dataset::{Dataset, Mnist, Split},
    export::{Destination, write_bundle},
    preflight::{check_checkpoint, check_destination},
    training::{Checkpoint, Progress, Task, Trainer},
};

/// Where a training finds its data and leaves its results.
#[derive(Debug, Clone)]
pub struct Job {
    /// Folder with the data.
    pub data: PathBuf,
    /// File for the checkpoint.
    pub checkpoint: PathBuf,
    /// Whether to go on from the checkpoint.
    pub resume: bool,
    /// Whether a new training may overwrite the checkpoint of an unfinished one.
    pub restart: bool,
    /// Where the bundle goes.
    pub destination: Destination,
}

/// Trains a network on MNIST, gives its normalizations exact statistics, exports it and writes the bundle.
/// Returns the bundle's folder.
///
/// # Errors
/// [`TrainError::Interrupted`] where `stop` was set, with a checkpoint to go on from; else what is wrong. What can
/// be checked before the training is checked before it: configuration, destination, checkpoint, ONNX Runtime, data.
pub fn train(
    config: &TrainConfig,
    job: &Job,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    config.check()?;
    check_destination(&job.destination)?;
    check_checkpoint(&job.checkpoint, job.resume || job.restart)?;
    with_task(config, &job.data, |task, test| {
        let mut trainer =
            if job.resume { Trainer::resume(task, &job.checkpoint)? } else { Trainer::new(task) };
        trainer.run(&job.checkpoint, progress, stop)?;
        finish(&trainer, task, test, &job.destination, progress, stop)
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
    data: &Path,
    destination: &Destination,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    check_destination(destination)?;
    let config = Checkpoint::load(checkpoint)?.config;
    with_task(&config, data, |task, test| {
        let trainer = Trainer::resume(task, checkpoint)?;
        finish(&trainer, task, test, destination, progress, stop)?
            .ok_or_else(|| TrainError::ExportStopped { checkpoint: checkpoint.to_owned() })
    })
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
    test: &Dataset,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, TrainError> {
    let mut network = trainer.network();
    let Some(calibration) = calibrate(&mut network, task, progress, stop)? else {
        return Ok(None);
    };
    progress.step(&format!(
        "accuracy on held-out inputs: {:.4} with exact statistics, {:.4} with those of batches",
        calibration.fixed, calibration.batch
    ));
    let epochs = trainer.epochs_done();
    write_bundle(&network, task, epochs, test, destination, progress, stop)
}

/// Loads MNIST and runs with what a training works on and the test set, on the recipe's number of threads.
fn with_task<T: Send>(
    config: &TrainConfig,
    data: &Path,
    run: impl FnOnce(Task<'_>, &Dataset) -> Result<T, TrainError> + Send,
) -> Result<T, TrainError> {
    config.check()?;
    let mnist = Mnist::load(data)?;
    let split = Split::new(config, mnist.train.len())?;
    let spec = Mnist::input();
    let task = Task {
        config,
        dataset: &mnist.train,
        split: &split,
        spec: &spec,
        classes: Mnist::classes().len(),
    };
    on_threads(config.threads, || run(task, &mnist.test))
}

/// Runs in a pool of its own: how many threads compute is a part of the recipe, not of the machine.
fn on_threads<T: Send>(
    threads: usize,
    run: impl FnOnce() -> Result<T, TrainError> + Send,
) -> Result<T, TrainError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| TrainError::Threads { threads, reason: e.to_string() })?
        .install(run)
}
