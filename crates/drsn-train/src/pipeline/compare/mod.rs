//! A study: variants of a recipe, each trained with several seeds and on several folds of the data,
//! compared by mean and deviation of their accuracy.

mod folds;
mod results;
mod trained;
mod variants;

use std::{path::PathBuf, sync::atomic::AtomicBool};

use drsn_bundle::Unit;

use super::{data_options::DataOptions, error::TrainError};
use crate::{recipe::Recipe, report::Study, training::Progress};
use folds::folds;
use results::Results;
use trained::{Training, Trainings};
pub use variants::Variation;
use variants::variants;

/// What a study compares, and where it keeps its results.
#[derive(Debug, Clone)]
pub struct StudyPlan {
    /// The recipe; each training replaces its unit, its seed and what is varied.
    pub recipe: Recipe,
    /// Kinds of unit.
    pub units: Vec<Unit>,
    /// Fields of the recipe that are varied, in every combination. The best variant is then chosen
    /// by the held-out inputs, and only that one is shown with its test accuracy.
    pub variations: Vec<Variation>,
    /// Number of trainings of each variant, with the seeds 1, 2, …
    pub seeds: usize,
    /// Number of parts of the groups, each of which is the test data once; the split of the recipe
    /// if `None`.
    pub folds: Option<usize>,
    /// The data.
    pub data: DataOptions,
    /// Folder for bundles and checkpoints.
    pub out: PathBuf,
    /// Whether to export networks that do not work with fixed statistics, too.
    pub export_anyway: bool,
    /// The ONNX Runtime library; searched for if `None`.
    pub onnxruntime: Option<PathBuf>,
}

/// Runs all trainings that are not complete, and returns the accuracies by variant and noise.
///
/// # Errors
/// An interruption if `stop` was set, after which another call continues the study; otherwise the
/// error of a training.
pub fn compare(
    plan: &StudyPlan,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Study, TrainError> {
    let variants = variants(&plan.recipe, &plan.units, &plan.variations)?;
    let folds = folds(plan)?;
    let mut trainings = Trainings::new(plan);
    let mut results = Results::new(plan, &variants);
    for variant in &variants {
        for fold in &folds {
            for seed in 1..=plan.seeds as u64 {
                let recipe = fold.recipe(&Recipe { seed, ..variant.recipe.clone() });
                let name = format!("{}{}-seed{seed}", variant.name, fold.suffix());
                let label = format!("{}{}, seed {seed}", variant.label, fold.label());
                let training = Training { recipe, name, label };
                let story = trainings.story(&training, progress, stop)?;
                progress.note(&results.add(variant, &training, &story)?);
            }
        }
    }
    Ok(results.study())
}
