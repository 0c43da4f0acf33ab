//! A study: several kinds of unit, each trained with several seeds on the same data, compared by
//! mean and deviation of their accuracy.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{Bundle, Evaluation, Manifest, Name, Unit};

use super::{
    data_options::DataOptions,
    error::TrainError,
    train::{TrainingJob, train},
};
use crate::{
    export::Destination,
    recipe::{Recipe, RecipeError},
    report::{Study, StudyRow},
    training::Progress,
};

/// What a study compares, and where it keeps its results.
#[derive(Debug, Clone)]
pub struct StudyPlan {
    /// The recipe; each training replaces its unit and seed.
    pub recipe: Recipe,
    /// Kinds of unit.
    pub units: Vec<Unit>,
    /// Number of trainings of each kind, with the seeds 1, 2, …
    pub seeds: usize,
    /// The data.
    pub data: DataOptions,
    /// Folder for bundles and checkpoints.
    pub out: PathBuf,
    /// Whether to export networks that do not work with fixed statistics, too.
    pub export_anyway: bool,
    /// The ONNX Runtime library; searched for if `None`.
    pub onnxruntime: Option<PathBuf>,
}

/// Runs all trainings that are not complete, and returns the accuracies by unit and noise.
///
/// # Errors
/// An interruption if `stop` was set, after which another call continues the study; otherwise the
/// error of a training.
pub fn compare(
    plan: &StudyPlan,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Study, TrainError> {
    let mut rows: Vec<StudyRow> = Vec::new();
    // The data does not depend on the kind of unit, so its digest is computed once for each seed.
    let mut digests = vec![None; plan.seeds];
    let mut data = String::new();
    for &unit in &plan.units {
        for (seed, digest) in (1..).zip(&mut digests) {
            for evaluation in trained(plan, unit, seed, digest, progress, stop)? {
                data = format!("{}, {} inputs", evaluation.data, evaluation.inputs);
                add(&mut rows, unit_name(unit), &evaluation)?;
            }
        }
    }
    let title = format!("Kinds of unit, {} trainings each", plan.seeds);
    Ok(Study { title, data, rows })
}

/// Adds the accuracy of one training to its row.
fn add(rows: &mut Vec<StudyRow>, unit: &str, evaluation: &Evaluation) -> Result<(), RecipeError> {
    let noise = evaluation.noise.as_deref().map(str::parse).transpose();
    let noise = noise.map_err(|reason: String| RecipeError::new(reason))?;
    match rows.iter_mut().find(|row| row.unit == unit && row.noise == noise) {
        Some(row) => row.accuracies.push(evaluation.accuracy),
        None => rows.push(StudyRow {
            unit: unit.to_owned(),
            noise,
            accuracies: vec![evaluation.accuracy],
        }),
    }
    Ok(())
}

/// Returns the evaluations of one training, and runs it first if it is not complete. `digest`
/// caches the digest of the data with this seed.
fn trained(
    plan: &StudyPlan,
    unit: Unit,
    seed: u64,
    digest: &mut Option<String>,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Vec<Evaluation>, TrainError> {
    let mut recipe = plan.recipe.clone();
    recipe.network.unit = unit;
    recipe.seed = seed;
    let destination = Destination {
        repository: plan.out.clone(),
        name: Name::new(format!("{}-seed{seed}", unit_name(unit)))?,
        version: Name::new("1")?,
        replace: false,
        export_anyway: plan.export_anyway,
        onnxruntime: plan.onnxruntime.clone(),
    };
    if let Some(manifest) = finished(&destination.folder(), &recipe, &plan.data, digest)? {
        return Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default());
    }
    progress.step(&format!("{}, seed {seed}", unit_name(unit)));
    let checkpoint = plan.out.join(format!("{}.checkpoint", destination.name));
    let resume = checkpoint.exists();
    let data = plan.data.clone();
    let job = TrainingJob { data, checkpoint, from: None, resume, restart: false, destination };
    let folder = train(&recipe, &job, progress, stop)?;
    let manifest = Bundle::open(&folder)?.manifest;
    Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default())
}

/// The manifest of a training if it is complete.
fn finished(
    folder: &Path,
    recipe: &Recipe,
    data: &DataOptions,
    digest: &mut Option<String>,
) -> Result<Option<Manifest>, TrainError> {
    if !folder.exists() {
        return Ok(None);
    }
    let other = |what: &str| TrainError::Incompatible {
        reason: format!(
            "{} was trained {what}: choose another --out, or delete it",
            folder.display()
        ),
    };
    let manifest = Bundle::open(folder)?.manifest;
    let story = manifest.training.as_ref();
    let Some(story) = story.filter(|story| story.configuration == serde_json::json!(recipe)) else {
        return Err(other("with another recipe"));
    };
    // Bundles of older versions have no digest.
    if story.data_digest.is_some() {
        if digest.is_none() {
            *digest = Some(data.open(recipe)?.digest()?);
        }
        if story.data_digest != *digest {
            return Err(other("on other data"));
        }
    }
    Ok(Some(manifest))
}

/// The kind of unit as written in recipes and on the command line.
fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Cw => "cw",
        Unit::Cs => "cs",
        Unit::Se => "se",
        Unit::Resnet => "resnet",
    }
}
