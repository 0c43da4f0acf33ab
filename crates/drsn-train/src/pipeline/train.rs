//! A whole training: from data to a bundle.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{AccuracyByStatistics, ImageSpec, InputSpec};
use ndarray::ArrayD;

use super::{
    data_options::DataOptions,
    error::TrainError,
    preflight::{check_checkpoint, check_destination, note_export},
    start::with_start,
};
use crate::{
    batch_norm_reestimation::{ReestimationError, Sample, StatisticsCheck, reestimate},
    dataset::{Data, DataSummary},
    export::{Destination, ExportError, Trained, write_bundle},
    recipe::{DataConfig, Recipe},
    training::{
        Batches, Checkpoint, CheckpointError, Disturbance, InputError, Progress, Trainer,
        TrainingContext, Workers, best_epoch, position_accuracy,
    },
};

/// Where a training finds its data and leaves its results.
#[derive(Debug, Clone)]
pub struct TrainingJob {
    /// The data.
    pub data: DataOptions,
    /// Path of the checkpoint.
    pub checkpoint: PathBuf,
    /// Checkpoint whose weights the training starts from; random ones if `None`.
    pub from: Option<PathBuf>,
    /// Whether to resume from the checkpoint.
    pub resume: bool,
    /// Whether a new training may overwrite the checkpoint of an unfinished one.
    pub restart: bool,
    /// Where the bundle is written to.
    pub destination: Destination,
}

/// Trains a network, gives its normalizations exact statistics, exports it and writes the bundle.
/// Returns the bundle's folder.
///
/// # Errors
/// An interruption if `stop` was set, with a checkpoint to resume from; otherwise the error of a
/// step. Recipe, destination, checkpoint, ONNX Runtime and data are checked before the training
/// starts.
pub fn train(
    recipe: &Recipe,
    job: &TrainingJob,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    let recipe = &with_start(recipe, job.from.as_deref())?;
    recipe.check()?;
    check_destination(&job.destination)?;
    check_checkpoint(&job.checkpoint, job.resume || job.restart)?;
    if job.resume && !job.checkpoint.exists() {
        return Err(CheckpointError::Missing { path: job.checkpoint.clone() }.into());
    }
    with_context(recipe, &job.data, progress, |context, progress| {
        progress.data(&DataSummary::new(recipe, context.data).lines());
        let mut trainer = if job.resume {
            Trainer::resume(context, &job.checkpoint)?
        } else if let Some(from) = &job.from {
            Trainer::start(context, from)?
        } else {
            Trainer::new(context)?
        };
        if let Some(origin) = trainer.origin() {
            progress.note(&format!("the training starts from {origin}"));
        }
        trainer.run(&job.checkpoint, progress, stop)?;
        if recipe.early_stopping.is_some() {
            // The network of the best epoch is exported, which may differ from the last one.
            trainer = best(context, &trainer, &job.checkpoint)?;
            progress.note(&format!(
                "exporting the network after epoch {}, the best one by {} on held-out inputs",
                trainer.epochs_done(),
                recipe.metric().in_words()
            ));
        }
        let bundle = finish(&trainer, context, &job.destination, progress, stop)
            .map_err(|error| not_exported(error, &job.checkpoint))?
            .ok_or_else(|| trainer.interrupted(&job.checkpoint))?;
        // The bundle is complete: without the note, only a new training needs --restart.
        if let Err(error) = note_export(&job.checkpoint) {
            progress.note(&format!("warning: {error}"));
        }
        Ok(bundle)
    })
}

/// Reads the data as a training does, and summarises it.
///
/// # Errors
/// Those of recipe and data with which a training would not start.
pub fn summarize(
    recipe: &Recipe,
    data: &DataOptions,
    progress: &mut (dyn Progress + Send),
) -> Result<DataSummary, TrainError> {
    with_context(recipe, data, progress, |context, _| Ok(DataSummary::new(recipe, context.data)))
}

/// Exports the network of a checkpoint, whether its training is complete or not, and writes the
/// bundle. Returns the bundle's folder.
///
/// # Errors
/// As [`train`].
pub fn export_checkpoint(
    checkpoint: &Path,
    data: &DataOptions,
    destination: &Destination,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<PathBuf, TrainError> {
    check_destination(destination)?;
    let recipe = Checkpoint::load(checkpoint)?.recipe;
    with_context(&recipe, data, progress, |context, progress| {
        let trainer = Trainer::resume(context, checkpoint)?;
        finish(&trainer, context, destination, progress, stop)?
            .ok_or_else(|| TrainError::ExportStopped { checkpoint: checkpoint.to_owned() })
    })
}

/// The training after its best epoch; `last` is its end, whose checkpoint is at `path`.
fn best<'a>(
    context: TrainingContext<'a>,
    last: &Trainer<'_>,
    path: &Path,
) -> Result<Trainer<'a>, TrainError> {
    let path = Checkpoint::best(path);
    let trainer = Trainer::resume(context, &path)?;
    let (found, best) = (
        trainer.epochs_done(),
        best_epoch(last.history(), context.recipe.metric()).map_or(0, |best| best + 1),
    );
    if found == best {
        return Ok(trainer);
    }
    Err(CheckpointError::NotBest { path, found, best }.into())
}

/// Adds the path of the trained network to an error, unless another export would fail the same way.
fn not_exported(error: TrainError, checkpoint: &Path) -> TrainError {
    if matches!(error, TrainError::Export(ExportError::Parity { .. })) {
        return error;
    }
    TrainError::NotExported { source: Box::new(error), checkpoint: checkpoint.to_owned() }
}

/// Reestimates the statistics, exports the network and writes the bundle; `None` if `stop` was set.
fn finish(
    trainer: &Trainer<'_>,
    context: TrainingContext<'_>,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, TrainError> {
    let mut network = trainer.network();
    let Some(check) = reestimate(&mut network, context, progress, stop)? else {
        return Ok(None);
    };
    for (inputs, Sample { accuracy, .. }) in
        [("held-out", check.held_out), ("training", check.training)]
    {
        progress.note(&format!(
            "accuracy on {inputs} inputs: {:.2} % with exact statistics, {:.2} % with those of each \
             batch, {:.2} % with the running ones of the training",
            100.0 * accuracy.exact,
            100.0 * accuracy.batch,
            100.0 * accuracy.running
        ));
    }
    if let Some(trap) = check.trap() {
        progress.note(&trap);
    }
    let warnings = warnings(&check, destination.export_anyway)?;
    for warning in &warnings {
        progress.note(&format!("warning: {warning}"));
    }
    let position_accuracy = match context.recipe.position_loss {
        weight if weight > 0.0 => position_accuracy(&network, context)?,
        _ => None,
    };
    if let Some(accuracy) = position_accuracy {
        progress.note(&format!(
            "of held-out windows that are spliced of two, {:.2} % of the positions have the right class",
            100.0 * accuracy
        ));
    }
    let finished = Trained {
        network: &network,
        check,
        position_accuracy,
        warnings,
        history: trainer.history(),
        origin: trainer.origin(),
    };
    Ok(write_bundle(&finished, context, destination, progress, stop)?)
}

/// What a user of the model should know; an error if the network is broken, unless it is exported
/// `anyway`.
fn warnings(check: &StatisticsCheck, anyway: bool) -> Result<Vec<String>, ReestimationError> {
    let broken = match check.refusal() {
        Some(refusal) if !anyway => return Err(refusal),
        refusal => refusal.map(|_| {
            let AccuracyByStatistics { exact, batch, .. } = check.training.accuracy;
            format!(
                "the network is broken and was exported with --export-anyway: its accuracy on \
                 training inputs is {:.2} % with the fixed statistics that are served and {:.2} % \
                 with those of each batch",
                100.0 * exact,
                100.0 * batch
            )
        }),
    };
    Ok(broken.into_iter().chain(check.warning()).collect())
}

/// Opens the data, starts the threads, and runs an operation on them.
fn with_context<T>(
    recipe: &Recipe,
    data: &DataOptions,
    progress: &mut (dyn Progress + Send),
    run: impl FnOnce(TrainingContext<'_>, &mut dyn Progress) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    recipe.check()?;
    let workers = Workers::new(data.threads)?;
    progress.step(&format!("reading the data in {}", data.folder.display()));
    let mut data = data.open(recipe)?;
    let digest = data.digest()?;
    for skipped in &data.skipped {
        progress.note(&format!("skipped {skipped}"));
    }
    for note in &data.notes {
        progress.note(&note.to_string());
    }
    zero_centre(recipe, &mut data, &workers)?;
    run(TrainingContext { recipe, data: &data, digest: &digest, workers: &workers }, progress)
}

/// If the recipe asks for it, sets the preparation to subtract each channel's mean over the
/// training inputs with their training noise.
fn zero_centre(recipe: &Recipe, data: &mut Data, workers: &Workers) -> Result<(), InputError> {
    let wanted = match &recipe.data {
        DataConfig::Idx(set) | DataConfig::Cifar10(set) => set.zero_centre,
        DataConfig::Images(images) => images.zero_centre,
        DataConfig::Signals(_) | DataConfig::Windows(_) => false,
    };
    let InputSpec::Image(image) = data.input.clone() else { return Ok(()) };
    if !wanted {
        return Ok(());
    }
    let batches = Batches {
        part: &data.training,
        input: &data.input,
        disturbance: Disturbance::statistics(recipe),
    };
    let mean = channel_means(&batches, &image, workers)?;
    data.input = InputSpec::Image(ImageSpec { mean, ..image });
    Ok(())
}

/// The mean of each channel over all raw inputs.
fn channel_means(
    batches: &Batches<'_>,
    image: &ImageSpec,
    workers: &Workers,
) -> Result<Vec<f32>, InputError> {
    let indices = &batches.part.indices;
    let sums = workers.map(indices.chunks(1_000).collect(), |indices: &[usize]| {
        let mut sums = vec![0.0; image.channels];
        let mut values = ArrayD::zeros(batches.input.shape());
        for &index in indices {
            batches.raw(index, 0, values.view_mut())?;
            for (sum, plane) in sums.iter_mut().zip(values.outer_iter()) {
                *sum += plane.iter().map(|&value| f64::from(value)).sum::<f64>();
            }
        }
        Ok::<_, InputError>(sums)
    });
    let pixels = indices.len() * image.height * image.width;
    let mut mean = vec![0.0; image.channels];
    for part in sums {
        for (mean, sum) in mean.iter_mut().zip(part?) {
            *mean += sum / pixels as f64;
        }
    }
    Ok(mean.into_iter().map(|mean| mean as f32).collect())
}
