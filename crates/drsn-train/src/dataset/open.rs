//! Opening a data set as a recipe says.

use std::path::Path;

use super::{Data, DatasetError, public};
use crate::{
    TrainError,
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
            DataConfig::Images(_) | DataConfig::Signals(_) => {
                let _ = skip_bad;
                return Err(DatasetError::Unusable {
                    path: folder.to_owned(),
                    reason: "not yet".to_owned(),
                }
                .into());
            }
        };
        data.check(recipe)?;
        Ok(data)
    }

    /// Refuses a split that a training cannot work with.
    fn check(&self, recipe: &Recipe) -> Result<(), TrainError> {
        let parts = [
            (&self.training, "to train on", "use more data, a smaller batch or a shorter hop"),
            (&self.held_out, "held out", "hold more out, or use a smaller batch"),
        ];
        for (part, what, cure) in parts {
            let inputs = part.indices.len();
            if inputs < recipe.batch {
                return Err(TrainError::Config {
                    reason: format!(
                        "{inputs} inputs are {what}, less than one batch of {}: {cure}",
                        recipe.batch
                    ),
                });
            }
        }
        Ok(())
    }
}
