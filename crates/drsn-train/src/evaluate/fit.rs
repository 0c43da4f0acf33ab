//! Whether a model can be measured on some data, and beside another model.

use drsn_bundle::{InputSpec, Manifest};

use crate::{
    TrainError,
    dataset::{Data, is_same_rate, split_in_words},
    recipe::{DataConfig, Recipe, Split},
};

/// The recipe that a bundle was trained with.
pub(super) fn recipe_of(manifest: &Manifest) -> Result<Recipe, TrainError> {
    let reason = match &manifest.training {
        None => "its manifest does not say how it was trained".to_owned(),
        Some(story) => match serde_json::from_value(story.configuration.clone()) {
            Ok(recipe) => return Ok(recipe),
            Err(error) => {
                format!("its manifest holds a recipe that this version cannot read: {error}")
            }
        },
    };
    Err(TrainError::Config { reason: format!("model {}: {reason}", manifest.name) })
}

/// Whether a model takes what the data holds, and knows its classes; `cure` is what to do where it does not.
pub(super) fn fits(manifest: &Manifest, data: &Data, cure: &str) -> Result<(), TrainError> {
    let differs = |reason: String| TrainError::Config {
        reason: format!("model {} {reason}: {cure}", manifest.name),
    };
    if manifest.input.shape() != data.input.shape() || manifest.classes != data.classes {
        let classes =
            |names: &[String]| format!("the {} classes {}", names.len(), names.join(", "));
        return Err(differs(format!(
            "takes inputs of {} and knows {}; the data has {} and {}",
            manifest.input.shape_in_words(),
            classes(&manifest.classes),
            data.input.shape_in_words(),
            classes(&data.classes)
        )));
    }
    match (sample_rate(&manifest.input), sample_rate(&data.input)) {
        (Some(own), Some(rate)) if !is_same_rate(own, rate) => {
            Err(differs(format!("takes signals of {own} samples in a second; the data has {rate}")))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Samples in a second; none where they are not known, and of an image.
fn sample_rate(input: &InputSpec) -> Option<f64> {
    match input {
        InputSpec::Image(_) => None,
        InputSpec::Signal(signal) => signal.sample_rate_hz,
    }
}

/// Whether a model was trained on none of the test data of another one, the first, as far as its recipe says it.
///
/// Public sets have test files of their own. Other data is split by the recipe, and what one recipe tests on another
/// one may train on.
pub(super) fn same_split(first: &Manifest, other: &Manifest) -> Result<(), TrainError> {
    // A model from elsewhere has no recipe, and who measures it knows what it was trained on.
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
    Err(TrainError::Config {
        reason: format!(
            "model {} may have been trained on the test inputs of model {}: its recipe says \"{}\", and the other one's \
             \"{}\"; evaluate it by itself",
            name(other),
            name(first),
            in_words(&of_other),
            in_words(&of_first)
        ),
    })
}

/// Whether two splits test on the same inputs: how the others are shared between training and what is held out does not
/// matter.
fn same_test(one: &Split, other: &Split) -> bool {
    match (one, other) {
        (
            Split::Time { training, held_out },
            Split::Time { training: other_training, held_out: other_held_out },
        ) => (training + held_out - other_training - other_held_out).abs() < 1e-9,
        (Split::Group { test, .. }, Split::Group { test: other_test, .. }) => test == other_test,
        (one, other) => one == other,
    }
}

/// How a recipe splits data, and by which seed where it does so at random; none of sets with test files of their own.
fn split(recipe: &Recipe) -> Option<(&Split, Option<u64>)> {
    let split = match &recipe.data {
        DataConfig::Idx(_) | DataConfig::Cifar10(_) => return None,
        DataConfig::Images(images) => &images.split,
        DataConfig::Signals(signals) => &signals.split,
    };
    Some((split, matches!(split, Split::Random { .. }).then_some(recipe.seed)))
}

fn in_words(recipe: &Recipe) -> String {
    match split(recipe) {
        None => "files of their own tested on".to_owned(),
        Some((split, None)) => split_in_words(split),
        Some((split, Some(seed))) => format!("{}, by seed {seed}", split_in_words(split)),
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
