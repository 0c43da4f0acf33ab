//! Whether a training that is to be resumed is complete, with its bundle.

use std::path::PathBuf;

use drsn_bundle::Bundle;

use super::{error::TrainError, start::with_start, train::TrainingJob};
use crate::{recipe::Recipe, training::Checkpoint};

/// The bundle of a training that is complete: nothing is left to resume. `None` if something is, or
/// if the bundle is to be replaced.
///
/// # Errors
/// The error of a checkpoint or bundle that cannot be read.
pub fn finished_bundle(recipe: &Recipe, job: &TrainingJob) -> Result<Option<PathBuf>, TrainError> {
    let folder = job.destination.folder();
    let may_exist = job.resume && !job.destination.replace && job.checkpoint.exists();
    if !may_exist || !folder.exists() {
        return Ok(None);
    }
    let recipe = with_start(recipe, job.from.as_deref())?;
    let checkpoint = Checkpoint::load(&job.checkpoint)?;
    if checkpoint.recipe != recipe || !checkpoint.is_complete() {
        return Ok(None);
    }
    let story = Bundle::open(&folder)?.manifest.training;
    let is_its_own = story.is_some_and(|story| {
        story.configuration == serde_json::json!(recipe)
            && story.data_digest.as_ref() == Some(&checkpoint.data_digest)
    });
    Ok(is_its_own.then_some(folder))
}
