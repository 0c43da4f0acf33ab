//! Recordings: each is decoded once, checked against the recipe, and stored in memory or in a
//! temporary file.

mod constant;
mod loader;
mod notices;
mod origin;
mod rates;
mod short;
mod spec;

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, sync::Arc};

use drsn_bundle::InputSpec;

use super::{
    Data, DatasetError, DatasetSource,
    copies::Copies,
    file_set::FileSet,
    files::{self, FileKind, Listing},
    note::Note,
    partition,
    samples::MAX_IN_MEMORY,
    subset::Subset,
    windows::{WindowSpec, Windows},
};
use crate::recipe::{RecipeError, SignalConfig, Split};

use loader::{Loaded, Loader};

/// Opens the recordings of a folder or an index.
pub(super) fn open(
    seed: u64,
    config: &SignalConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
) -> Result<Data, DatasetError> {
    open_within(seed, config, folder, index, skip_bad, MAX_IN_MEMORY)
}

/// Like [`open`], with at most `max_in_memory` bytes of samples in memory.
fn open_within(
    seed: u64,
    config: &SignalConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
    max_in_memory: u64,
) -> Result<Data, DatasetError> {
    let spec = check(config).map_err(RecipeError::new)?;
    let mut listing = files::list(folder, index, FileKind::Recordings)?;
    let subset_of = partition::assign(&listing, &config.split)?;
    let mut notes = std::mem::take(&mut listing.notes);
    let divides = |subset| partition::divides(&config.split, subset);
    let mut copies = Copies::find(&listing);
    if !skip_bad {
        notes.extend(copies.check(&listing, &subset_of, divides)?);
    }
    let mut loader = Loader::new(config, spec, max_in_memory);
    let skipped = load(&mut loader, &listing, &subset_of, skip_bad)?;
    if skip_bad {
        // Copies of a file that is left out are left out as well, whatever their labels.
        copies.leave_out(|entry| skipped.contains_key(&entry));
        notes.extend(copies.check(&listing, &subset_of, divides)?);
    }
    let skipped = skipped.into_values().collect();
    let mut set = loader.finish()?;
    set.short.draw(&config.split, seed, &listing.entries, &copies, &mut set.segments);
    notes.extend(set.notes(config, &listing, skip_bad)?);
    let Loaded { channels, sample_rate_hz, source, samples, recordings, segments, .. } = set;
    let windows = Windows::new(samples, recordings, segments, spec);
    let input = InputSpec::Signal(spec::spec(config, channels, sample_rate_hz, source));
    let subsets = Subset::ALL.map(|subset| windows.of(subset));
    let contents = format!(
        "recordings cut into windows of {} samples, {}",
        config.window,
        partition::describe(&config.split)
    );
    let source: Arc<dyn DatasetSource> = Arc::new(windows);
    FileSet { listing: &listing, source, subsets, input, contents, skipped, notes }
        .into_data(seed, config.limit)
}

impl Loaded {
    /// What is to be told of the recordings.
    ///
    /// # Errors
    /// [`DatasetError`] if most windows of a class are constant, without `skip_bad`.
    fn notes(
        &mut self,
        config: &SignalConfig,
        listing: &Listing,
        skip_bad: bool,
    ) -> Result<Vec<Note>, DatasetError> {
        if !skip_bad {
            let class = |index: usize| listing.classes.get(index).cloned().unwrap_or_default();
            self.constant.check(class).map_err(|reason| listing.unusable(reason))?;
        }
        let mut notes = Vec::from_iter(self.constant.note());
        notes.extend(self.short.notes(config, &listing.entries));
        notes.append(&mut self.notes);
        Ok(notes)
    }
}

/// Loads all files. With `skip_bad`, those that cannot be used are left out, and returned by their
/// places with the reasons.
fn load(
    loader: &mut Loader<'_>,
    listing: &Listing,
    subset_of: &[Subset],
    skip_bad: bool,
) -> Result<BTreeMap<usize, String>, DatasetError> {
    let mut skipped = BTreeMap::new();
    for (place, (entry, &subset)) in listing.entries.iter().zip(subset_of).enumerate() {
        match loader.load(place, entry, subset) {
            Err(bad @ DatasetError::BadFile { .. }) if skip_bad => {
                skipped.insert(place, bad.to_string());
            }
            result => result?,
        }
    }
    Ok(skipped)
}

/// Rejects invalid windows and splits.
fn check(config: &SignalConfig) -> Result<WindowSpec, String> {
    let positive = |value: usize, name: &str| {
        NonZeroUsize::new(value).ok_or_else(|| format!("data.{name} must be at least 1"))
    };
    positive(config.window, "window")?;
    let spec = WindowSpec {
        length: config.window,
        hop: positive(config.hop, "hop")?,
        test_hop: positive(config.test_hop.unwrap_or(config.window), "test_hop")?,
    };
    if config.sample_rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err("data.sample_rate_hz must be a positive number".to_owned());
    }
    if config.resample && config.sample_rate_hz.is_none() {
        let reason = "data.resample requires data.sample_rate_hz, the rate to resample to";
        return Err(reason.to_owned());
    }
    if matches!(config.split, Split::Random { .. }) {
        return Err("recordings cannot be split at random: there are too few of them, and \
                    overlapping windows would be in two subsets; split them by time, group or list"
            .to_owned());
    }
    partition::check_shares(&config.split)?;
    Ok(spec)
}

#[cfg(test)]
mod tests;
