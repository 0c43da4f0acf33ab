//! Whether a model can be evaluated on some data, and together with another model.

use drsn_bundle::{InputSpec, Manifest};
use drsn_recording::same_rate;

use super::error::TrainError;
use crate::{
    dataset::{Data, describe_split},
    recipe::{DataConfig, Recipe, Split},
};

/// The recipe that a bundle was trained with.
pub(super) fn recipe_of(manifest: &Manifest) -> Result<Recipe, TrainError> {
    let reason = match &manifest.training {
        None => "its manifest does not contain the recipe of its training".to_owned(),
        Some(story) => match serde_json::from_value(story.configuration.clone()) {
            Ok(recipe) => return Ok(recipe),
            Err(error) => {
                format!(
                    "this version of drsn-train cannot read the recipe in its manifest: {error}"
                )
            }
        },
    };
    Err(TrainError::Incompatible { reason: format!("model {}: {reason}", manifest.name) })
}

/// Checks that a model has the inputs, the classes and the sample rate of the data; `cure` is what
/// to do otherwise.
pub(super) fn check_data(manifest: &Manifest, data: &Data, cure: &str) -> Result<(), TrainError> {
    let differs = |reason: String| TrainError::Incompatible {
        reason: format!("model {} {reason}: {cure}", manifest.name),
    };
    if manifest.input.shape() != data.input.shape() || manifest.classes != data.classes {
        let classes =
            |names: &[String]| format!("the {} classes {}", names.len(), names.join(", "));
        return Err(differs(format!(
            "expects inputs of {} and {}, but the data has {} and {}",
            manifest.input.shape_in_words(),
            classes(&manifest.classes),
            data.input.shape_in_words(),
            classes(&data.classes)
        )));
    }
    match (sample_rate(&manifest.input), sample_rate(&data.input)) {
        (Some(own), Some(rate)) if !same_rate(own, rate) => {
            Err(differs(format!("expects signals at {own} Hz, but the data has {rate} Hz")))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Sample rate in hertz; `None` if unknown, and for images.
fn sample_rate(input: &InputSpec) -> Option<f64> {
    match input {
        InputSpec::Image(_) => None,
        InputSpec::Signal(signal) => signal.sample_rate_hz,
    }
}

/// Checks, according to its recipe, that a model was not trained on test data of the first model.
///
/// Public sets have separate test files. Other data is split by the recipe, so the test inputs of
/// one recipe may be training inputs of another.
pub(super) fn check_split(first: &Manifest, other: &Manifest) -> Result<(), TrainError> {
    // A model made with other tools has no recipe: its origin is left to the user.
    if other.training.is_none() {
        return Ok(());
    }
    let (of_first, of_other) = (recipe_of(first)?, recipe_of(other)?);
    let is_same = match (split(&of_first), split(&of_other)) {
        (None, _) => true,
        (Some((first, seed)), Some((other, other_seed))) => {
            seed == other_seed && same_test(first, other)
        }
        (Some(_), None) => false,
    };
    if is_same {
        return Ok(());
    }
    let name = |manifest: &Manifest| format!("{} {}", manifest.name, manifest.version);
    Err(TrainError::Incompatible {
        reason: format!(
            "model {} may have been trained on test inputs of model {}: its recipe splits the \
             data as \"{}\", but the other as \"{}\"; evaluate it separately",
            name(other),
            name(first),
            describe(&of_other),
            describe(&of_first)
        ),
    })
}

/// Whether two splits have the same test inputs, however they divide the others into training and
/// held-out inputs.
fn same_test(one: &Split, other: &Split) -> bool {
    match (one, other) {
        (
            Split::Time { training, held_out },
            Split::Time { training: other_training, held_out: other_held_out },
        ) => (training + held_out - other_training - other_held_out).abs() < 1e-9,
        (Split::Group { test, .. }, Split::Group { test: other_test, .. }) => test == other_test,
        (Split::List { .. }, Split::List { .. }) => true,
        (one, other) => one == other,
    }
}

/// The split of a recipe, with the seed if it is random; `None` for sets with separate test files.
fn split(recipe: &Recipe) -> Option<(&Split, Option<u64>)> {
    let split = match &recipe.data {
        DataConfig::Idx(_) | DataConfig::Cifar10(_) => return None,
        DataConfig::Images(images) => &images.split,
        DataConfig::Signals(signals) => &signals.split,
        DataConfig::Windows(windows) => &windows.split,
    };
    Some((split, matches!(split, Split::Random { .. }).then_some(recipe.seed)))
}

fn describe(recipe: &Recipe) -> String {
    match split(recipe) {
        None => "separate test files".to_owned(),
        Some((split, None)) => describe_split(split),
        Some((split, Some(seed))) => format!("{}, by seed {seed}", describe_split(split)),
    }
}

#[cfg(test)]
mod tests;
