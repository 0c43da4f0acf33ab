//! Pictures in files of their own: headers are looked at when the set is opened, pixels are decoded on demand.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use drsn_bundle::{ImageSpec, InputSpec, input::ImageFile};

use super::{
    Data, DatasetError, Source,
    listing::{Entry, Listing, Side},
    partition,
};
use crate::{
    TrainError,
    recipe::{ImageConfig, Split},
};

/// Pixels of a picture; two hundred million take less than a gigabyte to decode.
const MOST_PIXELS: u64 = 200_000_000;
/// Bytes of a file.
const LARGEST_FILE: u64 = 1 << 30;

/// Pictures that are decoded when they are read.
#[derive(Debug)]
struct ImageFiles {
    entries: Vec<Entry>,
    spec: ImageSpec,
}

/// Opens the pictures of a folder or an index.
pub(super) fn open(
    seed: u64,
    config: &ImageConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
) -> Result<Data, TrainError> {
    check(config).map_err(|reason| TrainError::Config { reason })?;
    let is_picture = |extension: &str| {
        ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    };
    let mut listing = Listing::read(folder, index, is_picture)?;
    let spec = ImageSpec {
        channels: config.channels,
        height: config.height,
        width: config.width,
        geometry: config.geometry,
        filter: config.filter,
        mean: vec![0.0; config.channels],
        std: vec![1.0; config.channels],
    };
    let mut skipped = Vec::new();
    let mut good = Vec::with_capacity(listing.entries.len());
    for entry in std::mem::take(&mut listing.entries) {
        match check_header(&entry.path, &spec) {
            Ok(()) => good.push(entry),
            Err(error) if skip_bad => skipped.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    listing.entries = good;
    let mut of_files = partition::sides(&listing, &config.split)?;
    partition::share_out(&listing, &config.split, seed, &mut of_files);
    let sides = [Side::Training, Side::HeldOut, Side::Test]
        .map(|side| (0..of_files.len()).filter(|&file| of_files[file] == side).collect::<Vec<_>>());
    let source: Arc<dyn Source> =
        Arc::new(ImageFiles { entries: listing.entries.clone(), spec: spec.clone() });
    let what = format!("pictures, {}", partition::in_words(&config.split));
    let input = InputSpec::Image(spec);
    Ok(Data::from_files(seed, config.limit, &listing, &source, sides, input, &what, skipped)?)
}

fn check(config: &ImageConfig) -> Result<(), String> {
    if !matches!(config.channels, 1 | 3) || config.height == 0 || config.width == 0 {
        return Err("pictures have 1 or 3 channels, and at least one row and column".to_owned());
    }
    if matches!(config.split, Split::Time { .. }) {
        return Err(
            "pictures have no time to split: split them by group, list or at random".to_owned()
        );
    }
    partition::check_shares(&config.split)
}

/// Looks at the header; the whole file is read, for a picture that was cut short shows only at its end.
fn check_header(path: &Path, spec: &ImageSpec) -> Result<(), DatasetError> {
    with_file(path, |mut file| file.check_size(spec))
}

fn with_file<T>(
    path: &Path,
    read: impl FnOnce(ImageFile<'_>) -> Result<T, drsn_bundle::ImageError>,
) -> Result<T, DatasetError> {
    let bad = |reason| DatasetError::BadFile { path: path.to_owned(), reason };
    let bytes = contents(path).map_err(|error| bad(format!("it cannot be read: {error}")))?;
    let file = ImageFile::open(&bytes, MOST_PIXELS).map_err(|error| bad(error.to_string()))?;
    read(file).map_err(|error| bad(error.to_string()))
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Source for ImageFiles {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn label(&self, index: usize) -> usize {
        self.entries[index].class
    }

    fn name(&self, index: usize) -> String {
        self.entries[index].name.clone()
    }

    fn read(&self, index: usize, _shift: isize, values: &mut [f32]) -> Result<(), DatasetError> {
        let pixels = with_file(&self.entries[index].path, |file| file.pixels(&self.spec))?;
        values.copy_from_slice(&pixels.into_raw_vec_and_offset().0);
        Ok(())
    }
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
