//! Opening a data set as described by a recipe.

use std::{collections::BTreeSet, path::Path};

use drsn_bundle::InputSpec;

use super::{
    Data, DatasetError, cut,
    files::{self, FileKind},
    images, public_sets, signals,
    subset::Subset,
};
use crate::recipe::{
    DataConfig, FrontEndConfig, ImageConfig, Recipe, RecipeError, SignalConfig, Split, WindowConfig,
};

/// The subsets for which files are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// None.
    Nothing,
    /// Held-out inputs, and perhaps others.
    HeldOut,
    /// Others only.
    Others,
}

impl Data {
    /// Opens the data set in `folder` and splits it. The same seed gives the same split.
    ///
    /// Windows that were cut beforehand are in the file `folder`, or in the files of that folder.
    /// Images and recordings are in folders named after their classes, or listed in `index`, a
    /// table of files. A file that cannot be read is an error; with `skip_bad` it is left out
    /// instead and listed in [`Data::skipped`].
    ///
    /// # Errors
    /// [`DatasetError`] if a file is missing or invalid, or if the recipe leaves less than one
    /// batch to train on or less than two inputs to hold out.
    pub fn open(
        recipe: &Recipe,
        folder: &Path,
        index: Option<&Path>,
        skip_bad: bool,
    ) -> Result<Self, DatasetError> {
        let data = match &recipe.data {
            DataConfig::Idx(_) | DataConfig::Cifar10(_) | DataConfig::Windows(_)
                if index.is_some() =>
            {
                let reason = "--index is only for data of the kinds images and signals";
                return Err(RecipeError::new(reason).into());
            }
            DataConfig::Idx(config) => public_sets::open_idx(recipe.seed, config, folder)?,
            DataConfig::Cifar10(config) => public_sets::open_cifar10(recipe.seed, config, folder)?,
            DataConfig::Images(config) => {
                images::open(recipe.seed, config, folder, index, skip_bad)?
            }
            DataConfig::Signals(config) => {
                signals::open(recipe.seed, config, folder, index, skip_bad)?
            }
            DataConfig::Windows(config) => cut::open(recipe.seed, config, folder, skip_bad)?,
        };
        data.check(recipe)?;
        data.check_front_end(recipe)?;
        Ok(data)
    }

    /// What the folders or the index of files declare; nothing for data of other kinds.
    ///
    /// # Errors
    /// [`DatasetError`] if files cannot be listed.
    pub(crate) fn declared(
        recipe: &Recipe,
        folder: &Path,
        index: Option<&Path>,
    ) -> Result<Declared, DatasetError> {
        let kind = match &recipe.data {
            DataConfig::Images(_) => FileKind::Images,
            DataConfig::Signals(_) => FileKind::Recordings,
            DataConfig::Idx(_) | DataConfig::Cifar10(_) | DataConfig::Windows(_) => {
                return Ok(Declared::Nothing);
            }
        };
        let listing = files::list(folder, index, kind)?;
        let mut declared = Declared::Nothing;
        for entry in &listing.entries {
            declared = match (entry.subset, declared) {
                (Some(Subset::HeldOut), _) | (_, Declared::HeldOut) => Declared::HeldOut,
                (Some(Subset::Training | Subset::Test), _) => Declared::Others,
                (None, before) => before,
            };
        }
        Ok(declared)
    }

    /// Names of the groups of the files, sorted.
    ///
    /// # Errors
    /// [`DatasetError`] if files cannot be listed, or data of this kind has no groups.
    pub fn groups(
        recipe: &Recipe,
        folder: &Path,
        index: Option<&Path>,
    ) -> Result<Vec<String>, DatasetError> {
        let kind = match &recipe.data {
            DataConfig::Images(_) => FileKind::Images,
            DataConfig::Signals(_) => FileKind::Recordings,
            DataConfig::Idx(_) | DataConfig::Cifar10(_) | DataConfig::Windows(_) => {
                let reason = "folds by group are only for data of the kinds images and signals";
                return Err(RecipeError::new(reason).into());
            }
        };
        let listing = files::list(folder, index, kind)?;
        let groups: BTreeSet<String> =
            listing.entries.iter().filter_map(|entry| entry.group.clone()).collect();
        Ok(groups.into_iter().collect())
    }

    /// Rejects a front end that does not suit the sample rate.
    fn check_front_end(&self, recipe: &Recipe) -> Result<(), RecipeError> {
        match (&recipe.network.front_end, &self.input) {
            (Some(FrontEndConfig::LogMel(log_mel)), InputSpec::Signal(signal)) => {
                log_mel.check_rate(signal.sample_rate_hz).map_err(RecipeError::new)
            }
            (Some(_), InputSpec::Image(_)) | (None, _) => Ok(()),
        }
    }

    /// Rejects a split with too few inputs to train on or to hold out.
    fn check(&self, recipe: &Recipe) -> Result<(), RecipeError> {
        let hold_more_out = match &recipe.data {
            DataConfig::Idx(_) | DataConfig::Cifar10(_) => "a larger data.held_out",
            DataConfig::Images(ImageConfig { split: Split::List { .. }, .. })
            | DataConfig::Signals(SignalConfig { split: Split::List { .. }, .. }) => {
                "data declared as held-out, such as a folder val, or a share of the training data \
                 by --set 'data.split={by=\"list\", held_out_share=0.1}'"
            }
            DataConfig::Windows(WindowConfig { split: Split::List { .. }, .. }) => {
                "data declared as held-out, such as an array X_val or a file …_val.csv, or a share \
                 of the training data by --set 'data.split={by=\"list\", held_out_share=0.1}'"
            }
            DataConfig::Windows(_) => "more windows, or a larger share in data.split",
            DataConfig::Images(_) => "more images, or a larger share in data.split",
            DataConfig::Signals(_) => {
                "longer recordings or more files, or a larger share in data.split"
            }
        };
        let train_on_more = "more data, a smaller batch or a shorter hop";
        let parts = [
            (&self.training, recipe.batch, "to train on", train_on_more),
            (&self.held_out, 2, "to hold out", hold_more_out),
        ];
        for (part, min, purpose, cure) in parts {
            let inputs = part.indices.len();
            if inputs < min {
                return Err(RecipeError::new(format!(
                    "the split leaves {inputs} inputs {purpose}, but at least {min} are required: \
                     use {cure}"
                )));
            }
        }
        Ok(())
    }
}
