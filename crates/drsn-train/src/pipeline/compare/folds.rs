//! Cross-validation by group: each group is test data once.

use rand::seq::SliceRandom as _;

use super::StudyPlan;
use crate::{
    dataset::Data,
    pipeline::error::TrainError,
    random::{Purpose, stream},
    recipe::{DataConfig, Recipe, Split},
};

/// A way to split the data.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fold {
    /// As the recipe says.
    Recipe,
    /// By group: number, counted from 1, of how many, and the split.
    Groups(usize, usize, Split),
}

impl Fold {
    /// The recipe with the split of the fold.
    pub(super) fn recipe(&self, recipe: &Recipe) -> Recipe {
        let mut recipe = recipe.clone();
        if let Self::Groups(.., split) = self {
            match &mut recipe.data {
                DataConfig::Images(images) => images.split = split.clone(),
                DataConfig::Signals(signals) => signals.split = split.clone(),
                DataConfig::Windows(windows) => windows.split = split.clone(),
                DataConfig::Idx(_) | DataConfig::Cifar10(_) => {}
            }
        }
        recipe
    }

    /// Part of a model's name.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Recipe => String::new(),
            Self::Groups(number, ..) => format!("-fold{number}"),
        }
    }

    /// Part of a training's name in messages.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Recipe => String::new(),
            Self::Groups(number, count, _) => format!(", fold {number} of {count}"),
        }
    }
}

/// The folds of a study: as many as it asks for, or the recipe's own split.
pub(super) fn folds(plan: &StudyPlan) -> Result<Vec<Fold>, TrainError> {
    let Some(count) = plan.folds else { return Ok(vec![Fold::Recipe]) };
    let groups = Data::groups(&plan.recipe, &plan.data.folder, plan.data.index.as_deref())?;
    if count < 3 || groups.len() < count {
        return Err(TrainError::Incompatible {
            reason: format!(
                "--folds must be at least 3, for training, held-out and test groups, and at most \
                 {}, the groups of the data, got {count}",
                groups.len()
            ),
        });
    }
    Ok(split(groups, count, plan.recipe.seed))
}

/// Folds of nearly equal numbers of groups, drawn by the seed. Each is held out while the one
/// before it is for testing.
fn split(mut groups: Vec<String>, count: usize, seed: u64) -> Vec<Fold> {
    groups.shuffle(&mut stream(seed, Purpose::Folds, 0, 0));
    let part = |number: usize| -> Vec<String> {
        let mut part: Vec<String> =
            groups.iter().skip(number % count).step_by(count).cloned().collect();
        part.sort_unstable();
        part
    };
    let fold = |number: usize| {
        let (test, held_out) = (part(number), part(number + 1));
        Fold::Groups(number + 1, count, Split::Group { test, held_out, held_out_share: 0.0 })
    };
    (0..count).map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_tested_once_and_held_out_once() {
        let groups: Vec<String> = (0..11).map(|n| format!("patient{n:02}")).collect();
        let folds = split(groups.clone(), 4, 1);
        let (mut tested, mut held) = (Vec::new(), Vec::new());
        for fold in &folds {
            let Fold::Groups(_, 4, Split::Group { test, held_out, .. }) = fold else { panic!() };
            assert!((2..=3).contains(&test.len()) && !test.iter().any(|g| held_out.contains(g)));
            tested.extend(test.clone());
            held.extend(held_out.clone());
        }
        tested.sort();
        held.sort();
        assert!(tested == groups && held == groups);
        assert_ne!(folds, split(groups, 4, 2));
    }
}
