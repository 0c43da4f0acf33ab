//! A study: several kinds of unit, each trained with several seeds on the same data, compared by mean and deviation.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{Bundle, Evaluation, Manifest, Name, Unit};

use crate::{
    Destination, Inputs, Job, TrainError,
    recipe::Recipe,
    report::{Study, StudyRow},
    train,
    training::Progress,
};

/// What is compared, and where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The recipe; unit and seed are those of each training.
    pub recipe: Recipe,
    /// Kinds of unit.
    pub units: Vec<Unit>,
    /// Trainings of each kind, with the seeds 1, 2, …
    pub seeds: usize,
    /// Where the data lies.
    pub inputs: Inputs,
    /// Folder for bundles and checkpoints.
    pub out: PathBuf,
    /// The ONNX Runtime library, where it is not to be searched for.
    pub onnxruntime: Option<PathBuf>,
}

/// Trains what is not trained yet and gives the results, unit by unit and noise by noise.
///
/// # Errors
/// [`TrainError::Interrupted`] where `stop` was set: the next call goes on from there; else what is wrong.
pub fn compare(
    plan: &Plan,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Study, TrainError> {
    let mut rows: Vec<StudyRow> = Vec::new();
    // The kind of unit changes nothing about the data, so each seed's is opened once.
    let mut digests = vec![None; plan.seeds];
    let mut data = String::new();
    for &unit in &plan.units {
        for (seed, digest) in (1..).zip(&mut digests) {
            for evaluation in trained(plan, unit, seed, digest, progress, stop)? {
                let noise = evaluation.noise.as_deref().map(str::parse).transpose();
                let noise = noise.map_err(|reason| TrainError::Config { reason })?;
                data = format!("{}, {} inputs", evaluation.data, evaluation.inputs);
                let row = rows.iter_mut().find(|row| row.unit == word(unit) && row.noise == noise);
                match row {
                    Some(row) => row.accuracies.push(evaluation.accuracy),
                    None => rows.push(StudyRow {
                        unit: word(unit).to_owned(),
                        noise,
                        accuracies: vec![evaluation.accuracy],
                    }),
                }
            }
        }
    }
    let title = format!("Kinds of unit, {} trainings each", plan.seeds);
    Ok(Study { title, data, rows })
}

/// The evaluations of one training, which is done first where it has not been. `digest` is that of the data with this
/// seed, once somebody wanted to know it.
fn trained(
    plan: &Plan,
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
        name: Name::new(format!("{}-seed{seed}", word(unit)))?,
        version: Name::new("1")?,
        replace: false,
        onnxruntime: plan.onnxruntime.clone(),
    };
    if let Some(manifest) = finished(&destination.folder(), &recipe, &plan.inputs, digest)? {
        return Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default());
    }
    progress.step(&format!("{}, seed {seed}", word(unit)));
    let checkpoint = plan.out.join(format!("{}.checkpoint", destination.name));
    let resume = checkpoint.exists();
    let inputs = plan.inputs.clone();
    let job = Job { inputs, checkpoint, resume, restart: false, destination };
    let folder = train(&recipe, &job, progress, stop)?;
    let manifest = Bundle::open(&folder)?.manifest;
    Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default())
}

/// The manifest of a training that is complete already; none where it is still to be made.
fn finished(
    folder: &Path,
    recipe: &Recipe,
    inputs: &Inputs,
    digest: &mut Option<String>,
) -> Result<Option<Manifest>, TrainError> {
    if !folder.exists() {
        return Ok(None);
    }
    let other = |what: &str| TrainError::Config {
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
    // Bundles of older versions do not say what data they are of.
    if story.data_digest.is_some() {
        if digest.is_none() {
            *digest = Some(inputs.open(recipe)?.digest()?);
        }
        if story.data_digest != *digest {
            return Err(other("on other data"));
        }
    }
    Ok(Some(manifest))
}

/// The kind of unit as recipes and command line write it.
pub fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Cw => "cw",
        Unit::Cs => "cs",
        Unit::Se => "se",
        Unit::Resnet => "resnet",
    }
}
