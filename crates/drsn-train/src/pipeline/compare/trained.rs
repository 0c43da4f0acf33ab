//! The trainings of a study: those that are complete are not repeated.

use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool};

use drsn_bundle::{Bundle, Name, Training as Story};

use super::StudyPlan;
use crate::{
    export::Destination,
    pipeline::{
        error::TrainError,
        train::{TrainingJob, train},
    },
    recipe::Recipe,
    training::Progress,
};

/// One training of a study.
pub(super) struct Training {
    pub(super) recipe: Recipe,
    /// Name of its model.
    pub(super) name: String,
    /// Its name in messages.
    pub(super) label: String,
}

/// Runs the trainings of a study.
pub(super) struct Trainings<'a> {
    plan: &'a StudyPlan,
    /// Digests of the data, by what they depend on.
    digests: HashMap<String, String>,
}

impl<'a> Trainings<'a> {
    pub(super) fn new(plan: &'a StudyPlan) -> Self {
        Self { plan, digests: HashMap::new() }
    }

    /// Returns what the manifest of one training says, and runs the training first if it is not
    /// complete.
    pub(super) fn story(
        &mut self,
        training: &Training,
        progress: &mut (dyn Progress + Send),
        stop: &AtomicBool,
    ) -> Result<Story, TrainError> {
        let Training { recipe, name, label } = training;
        let plan = self.plan;
        let destination = Destination {
            repository: plan.out.clone(),
            name: Name::new(name.as_str())?,
            version: Name::new("1")?,
            replace: false,
            export_anyway: plan.export_anyway,
            onnxruntime: plan.onnxruntime.clone(),
        };
        if let Some(story) = self.finished(&destination.folder(), recipe)? {
            return Ok(story);
        }
        progress.note(&format!("training {label}"));
        let checkpoint = plan.out.join(format!("{name}.checkpoint"));
        let resume = checkpoint.exists();
        let data = plan.data.clone();
        let job = TrainingJob { data, checkpoint, from: None, resume, restart: false, destination };
        let folder = train(recipe, &job, progress, stop)?;
        story(&folder)
    }

    /// What the manifest of a training says, if it is complete.
    fn finished(&mut self, folder: &Path, recipe: &Recipe) -> Result<Option<Story>, TrainError> {
        if !folder.exists() {
            return Ok(None);
        }
        let other = |what: &str| TrainError::Incompatible {
            reason: format!(
                "{} was trained {what}: choose another --out, or delete it",
                folder.display()
            ),
        };
        let story = story(folder)?;
        if story.configuration != serde_json::json!(recipe) {
            return Err(other("with another recipe"));
        }
        // Bundles of older versions have no digest.
        if story.data_digest.is_some() && story.data_digest != Some(self.digest(recipe)?) {
            return Err(other("on other data"));
        }
        Ok(Some(story))
    }

    /// The digest of the data of a recipe, which is the same for every kind of unit.
    fn digest(&mut self, recipe: &Recipe) -> Result<String, TrainError> {
        let key = serde_json::json!([recipe.data, recipe.seed]).to_string();
        if let Some(digest) = self.digests.get(&key) {
            return Ok(digest.clone());
        }
        let digest = self.plan.data.open(recipe)?.digest()?;
        self.digests.insert(key, digest.clone());
        Ok(digest)
    }
}

/// What the manifest of a bundle says about its training.
fn story(folder: &Path) -> Result<Story, TrainError> {
    Bundle::open(folder)?.manifest.training.ok_or_else(|| TrainError::Incompatible {
        reason: format!(
            "{} does not say how it was trained: choose another --out, or delete it",
            folder.display()
        ),
    })
}
