//! Opening a data set as a recipe says.

use std::{path::Path, sync::Arc};

use drsn_bundle::InputSpec;
use rand::seq::SliceRandom as _;

use super::{Data, DatasetError, Part, Source, images, listing::Listing, public, signals};
use crate::{
    TrainError,
    random::{Purpose, stream},
    recipe::{DataConfig, Recipe},
};

impl Data {
    /// Opens the data set in `folder` and splits it: the same seed makes the same split.
    ///
    /// Images and recordings lie in folders named after their class, or are listed in `index`, a table of files. A
    /// file that cannot be read is an error, or is left out and listed in [`Data::skipped`] where `skip_bad` says so.
    ///
    /// # Errors
    /// [`TrainError::Dataset`] where a file is missing or wrong; [`TrainError::Config`] where the recipe leaves less
    /// than one batch to train on or to hold out.
    pub fn open(
        recipe: &Recipe,
        folder: &Path,
        index: Option<&Path>,
        skip_bad: bool,
    ) -> Result<Self, TrainError> {
        let data = match &recipe.data {
            DataConfig::Idx(_) | DataConfig::Cifar10(_) if index.is_some() => {
                return Err(TrainError::Config {
                    reason: "an index is for images and recordings in files of their own"
                        .to_owned(),
                });
            }
            DataConfig::Idx(config) => public::open_idx(recipe.seed, config, folder)?,
            DataConfig::Cifar10(config) => public::open_cifar10(recipe.seed, config, folder)?,
            DataConfig::Images(config) => {
                images::open(recipe.seed, config, folder, index, skip_bad)?
            }
            DataConfig::Signals(config) => {
                signals::open(recipe.seed, config, folder, index, skip_bad)?
            }
        };
        data.check(recipe)?;
        Ok(data)
    }

    /// Puts a set together whose files are its own: `sides` are the inputs to train on, to hold out and to test on.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the parts of a data set, and two callers give them"
    )]
    pub(super) fn from_files(
        seed: u64,
        limit: Option<usize>,
        listing: &Listing,
        source: &Arc<dyn Source>,
        sides: [Vec<usize>; 3],
        input: InputSpec,
        what: &str,
        skipped: Vec<String>,
    ) -> Result<Self, DatasetError> {
        let [mut training, mut held_out, test] = sides;
        listing.check_classes("input to train on", |class| {
            training.iter().any(|&index| source.label(index) == class)
        })?;
        // Only where inputs are left out does their order matter before an epoch draws its own.
        if limit.is_some_and(|limit| limit < training.len()) {
            training.shuffle(&mut stream(seed, Purpose::Limit, 0, 0));
            training.truncate(limit.unwrap_or(usize::MAX));
        }
        held_out.shuffle(&mut stream(seed, Purpose::HeldOut, 0, 0));
        let name = listing
            .origin
            .file_stem()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let part = |indices| Part { source: Arc::clone(source), indices };
        Ok(Self {
            input,
            description: format!("{name}: {what}"),
            classes: listing.classes.clone(),
            test_name: format!("{name} test"),
            test: (!test.is_empty()).then(|| part(test)),
            training: part(training),
            held_out: part(held_out),
            skipped,
        })
    }

    /// Refuses a split that a training cannot work with.
    fn check(&self, recipe: &Recipe) -> Result<(), TrainError> {
        let hold_more_out = match &recipe.data {
            DataConfig::Idx(_) | DataConfig::Cifar10(_) => "a larger data.held_out",
            DataConfig::Images(_) => "more pictures, or a larger share in data.split",
            DataConfig::Signals(_) => {
                "longer recordings or more files, or a larger share in data.split"
            }
        };
        let parts = [
            (
                &self.training,
                recipe.batch,
                "to train on",
                "more data, a smaller batch or a shorter hop",
            ),
            (&self.held_out, 2, "held out", hold_more_out),
        ];
        for (part, least, what, cure) in parts {
            let inputs = part.indices.len();
            if inputs < least {
                return Err(TrainError::Config {
                    reason: format!(
                        "{inputs} inputs are {what}, and at least {least} are needed: use {cure}"
                    ),
                });
            }
        }
        Ok(())
    }
}
