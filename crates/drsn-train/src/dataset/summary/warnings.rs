//! What makes a test weaker than it looks.

use drsn_bundle::baseline::{ALARM_LEVEL, held_out_needed};

use super::part::{PartSummary, count, some_of};
use crate::{
    dataset::subset::Subset,
    recipe::{ClassWeights, DataConfig, Recipe, Split},
};

/// Independent recordings below which a test says little.
const HANDFUL: usize = 5;
/// How many times more inputs the largest class may have than the smallest one without a warning.
const IMBALANCE: usize = 3;

/// All warnings.
pub(super) fn find(parts: &[PartSummary; 3], classes: &[String], recipe: &Recipe) -> Vec<String> {
    let [training, held_out, test] = parts;
    let mut warnings = missing_classes(parts, classes);
    warnings.extend(imbalance(training, classes, recipe));
    warnings.extend(no_baseline(held_out, recipe));
    warnings.extend(independence(test, recipe));
    warnings
}

/// Classes without an input in a part. Those without one to train on are refused.
fn missing_classes(parts: &[PartSummary; 3], classes: &[String]) -> Vec<String> {
    let parts = Subset::ALL.iter().zip(parts).filter(|(_, part)| part.inputs() > 0);
    let lacking = parts.filter_map(|(subset, PartSummary { counts, .. })| {
        let names = classes.iter().zip(counts).filter(|(_, count)| **count == 0);
        let names = names.map(|(name, _)| name.clone()).collect();
        let lacks = || format!("the {} part has no input of {}", subset.name(), some_of(&names));
        (!names.is_empty()).then(lacks)
    });
    lacking.collect()
}

/// A class with so many inputs that accuracy says little.
fn imbalance(training: &PartSummary, classes: &[String], recipe: &Recipe) -> Option<String> {
    let PartSummary { counts, .. } = training;
    let least = counts.iter().min()?;
    let (most, name) = counts.iter().zip(classes).max_by_key(|(count, _)| **count)?;
    if *most <= IMBALANCE * least {
        return None;
    }
    let share = 100.0 * *most as f64 / training.inputs() as f64;
    let cure = match recipe.class_weights {
        ClassWeights::Equal => ", and train with --set class_weights=balanced",
        ClassWeights::Balanced => "",
    };
    Some(format!(
        "the class {name} has {share:.1} % of the training inputs, so that accuracy hides the \
         other classes: read the recall of each class{cure}"
    ))
}

/// Too few held-out inputs for the baseline, which is otherwise said only after the training.
fn no_baseline(held_out: &PartSummary, recipe: &Recipe) -> Option<String> {
    let signals = matches!(recipe.data, DataConfig::Signals(_) | DataConfig::Windows(_));
    let needed = held_out_needed(ALARM_LEVEL).ok()?;
    (signals && (held_out.inputs() as u64) < needed).then(|| {
        format!(
            "only {} held out, so that the model will have no baseline, by which a server notices \
             unusual inputs: it requires at least {needed}",
            match held_out.inputs() {
                1 => "1 input is".to_owned(),
                inputs => format!("{inputs} inputs are"),
            }
        )
    })
}

/// Why the test may not be independent of the training, or is on very few recordings.
fn independence(test: &PartSummary, recipe: &Recipe) -> Option<String> {
    if test.inputs() == 0 {
        return Some(
            "there is no test data, so that nothing tells how accurate the model is".to_owned(),
        );
    }
    let split = split_of(recipe)?;
    if matches!(split, Split::Time { .. }) {
        return Some(
            "each recording is split in time, so that the test has no recording that is new to \
             the network: it says nothing of other machines, persons or days; for that, split by \
             group"
                .to_owned(),
        );
    }
    let (number, what) = match (&test.groups, &test.files) {
        (groups, _) if !groups.is_empty() => (groups.len(), "independent group"),
        (_, files) if !files.is_empty() => (files.len(), "independent file"),
        _ if matches!(recipe.data, DataConfig::Windows(_)) => {
            return Some(
                "nothing tells which recordings the windows are from, and so whether the test is \
                 independent of the training: give the windows groups"
                    .to_owned(),
            );
        }
        _ => return None,
    };
    (number < HANDFUL).then(|| {
        format!(
            "the test is on only {}, so that its figures may be far from those on others, however \
             many inputs there are",
            count(number, what)
        )
    })
}

/// The split of a recipe; `None` for public sets, which have separate test files.
fn split_of(recipe: &Recipe) -> Option<&Split> {
    match &recipe.data {
        DataConfig::Idx(_) | DataConfig::Cifar10(_) => None,
        DataConfig::Images(images) => Some(&images.split),
        DataConfig::Signals(signals) => Some(&signals.split),
        DataConfig::Windows(windows) => Some(&windows.split),
    }
}
