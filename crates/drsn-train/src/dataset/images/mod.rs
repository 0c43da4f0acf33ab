//! Image files: their headers are checked when the set is opened, their pixels decoded on demand.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use drsn_bundle::{ImageSpec, InputSpec, input::ImageFile};
use ndarray::ArrayViewMutD;

use super::{
    Data, DatasetError, DatasetSource, Origin,
    copies::Copies,
    file_set::FileSet,
    files::{self, Entry, FileKind, Listing},
    partition,
    subset::Subset,
};
use crate::recipe::{ImageConfig, RecipeError, Split};

/// Maximum number of pixels of an image; decoding this many takes less than a gigabyte.
const MAX_PIXELS: u64 = 200_000_000;
/// Maximum size of a file in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Images that are decoded when they are read.
#[derive(Debug)]
struct ImageFiles {
    entries: Vec<Entry>,
    spec: ImageSpec,
}

/// Opens the images of a folder or an index.
pub(super) fn open(
    seed: u64,
    config: &ImageConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
) -> Result<Data, DatasetError> {
    check(config).map_err(RecipeError::new)?;
    let mut listing = files::list(folder, index, FileKind::Images)?;
    if let Some(entry) = listing.entries.iter().find(|entry| entry.is_part()) {
        let name = &entry.name;
        return Err(listing.unusable(format!(
            "{name} has start_s or stop_s, which are for recordings: remove these columns"
        )));
    }
    let spec = ImageSpec {
        channels: config.channels,
        height: config.height,
        width: config.width,
        geometry: config.geometry,
        filter: config.filter,
        mean: vec![0.0; config.channels],
        std: vec![1.0; config.channels],
    };
    let skipped = check_headers(&mut listing, &spec, skip_bad)?;
    let assigned = partition::assign(&listing, &config.split)?;
    let mut subset_of = assigned.clone();
    let classes: Vec<usize> = listing.entries.iter().map(|entry| entry.class).collect();
    partition::draw(&classes, &config.split, seed, &mut subset_of);
    let copies = Copies::find(&listing);
    copies.keep_together(&assigned, &mut subset_of);
    let mut notes = std::mem::take(&mut listing.notes);
    notes.extend(copies.check(&listing, &subset_of, |_| false)?);
    let subsets = Subset::ALL
        .map(|subset| (0..subset_of.len()).filter(|&file| subset_of[file] == subset).collect());
    let source: Arc<dyn DatasetSource> =
        Arc::new(ImageFiles { entries: listing.entries.clone(), spec: spec.clone() });
    FileSet {
        listing: &listing,
        source,
        subsets,
        input: InputSpec::Image(spec),
        contents: format!("pictures, {}", partition::describe(&config.split)),
        skipped,
        notes,
    }
    .into_data(seed, config.limit)
}

/// Checks the headers of all images. With `skip_bad`, removes those that cannot be used instead of
/// failing, and returns their errors.
fn check_headers(
    listing: &mut Listing,
    spec: &ImageSpec,
    skip_bad: bool,
) -> Result<Vec<String>, DatasetError> {
    let mut skipped = Vec::new();
    let mut good = Vec::with_capacity(listing.entries.len());
    for entry in std::mem::take(&mut listing.entries) {
        match check_header(&entry.path, spec) {
            Ok(()) => good.push(entry),
            Err(error) if skip_bad => skipped.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    listing.entries = good;
    Ok(skipped)
}

fn check(config: &ImageConfig) -> Result<(), String> {
    if !matches!(config.channels, 1 | 3) || config.height == 0 || config.width == 0 {
        return Err(
            "data.channels must be 1 or 3, and data.height and data.width at least 1".to_owned()
        );
    }
    if matches!(config.split, Split::Time { .. }) {
        return Err(
            "images cannot be split in time: split them by group, list or at random".to_owned()
        );
    }
    partition::check_shares(&config.split)
}

/// Checks the size in the header. Reads the whole file, because truncation shows only at its end.
fn check_header(path: &Path, spec: &ImageSpec) -> Result<(), DatasetError> {
    with_file(path, |file| file.check_size(spec))
}

fn with_file<T>(
    path: &Path,
    read: impl FnOnce(ImageFile<'_>) -> Result<T, drsn_bundle::ImageError>,
) -> Result<T, DatasetError> {
    let bad = |reason| DatasetError::BadFile { path: path.to_owned(), reason };
    let bytes = contents(path).map_err(|error| bad(format!("cannot read the file: {error}")))?;
    let file = ImageFile::open(&bytes, MAX_PIXELS).map_err(|error| bad(error.to_string()))?;
    read(file).map_err(|error| bad(error.to_string()))
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl DatasetSource for ImageFiles {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn label(&self, index: usize) -> usize {
        self.entries[index].class
    }

    fn name(&self, index: usize) -> String {
        self.entries[index].name.clone()
    }

    fn origin(&self, index: usize) -> Origin<'_> {
        let Entry { name, group, .. } = &self.entries[index];
        Origin { file: Some(name), group: group.as_deref(), ..Origin::default() }
    }

    fn read(
        &self,
        index: usize,
        _shift: isize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        let pixels = with_file(&self.entries[index].path, |file| file.pixels(&self.spec, None))?;
        values.assign(&pixels);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
