//! CIFAR-10 in its binary version: 50,000 training and 10,000 test images, 32 by 32 pixels in
//! colour.
//!
//! A file contains 10,000 records of 3,073 bytes: a label and the red, green and blue planes.
//!
//! Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

use std::{
    fs::{self, File},
    path::Path,
};

use super::{
    DatasetError,
    packed::{Bytes, PackedFile, PackedImages},
    text::lines,
};

/// Names of the files with training images.
pub(crate) const TRAINING_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
/// Name of the file with test images.
pub(crate) const TEST_FILE: &str = "test_batch.bin";
/// Name of the file with the class names, one on each line.
pub(crate) const NAMES_FILE: &str = "batches.meta.txt";
/// Images in each file.
pub(crate) const IMAGES_IN_A_FILE: usize = 10_000;
/// Number of classes.
pub(crate) const CLASS_COUNT: usize = 10;

/// Description of the data in manifests.
pub(super) const DESCRIPTION: &str =
    "CIFAR-10 (A. Krizhevsky, \"Learning Multiple Layers of Features from Tiny Images\", 2009)";
/// Channels (red, green, blue), height and width.
pub(super) const SHAPE: [usize; 3] = [3, 32, 32];

/// Bytes in a record.
const RECORD: usize = 1 + SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Maximum size of the file of class names in bytes.
const MAX_NAMES_BYTES: u64 = 1 << 16;

/// Opens the image files with these names.
pub(super) fn open(folder: &Path, names: &[&str]) -> Result<PackedImages, DatasetError> {
    let files: Result<_, _> = names.iter().map(|name| file(folder, name)).collect();
    Ok(PackedImages { files: files? })
}

/// Reads the class names.
pub(super) fn classes(folder: &Path) -> Result<Vec<String>, DatasetError> {
    let path = folder.join(NAMES_FILE);
    let classes = lines(&path, MAX_NAMES_BYTES)?.ok_or_else(|| missing(folder, NAMES_FILE))?;
    if classes.len() == CLASS_COUNT {
        return Ok(classes);
    }
    let reason = format!("expected {CLASS_COUNT} class names, found {}", classes.len());
    Err(DatasetError::Malformed { path, reason })
}

fn missing(folder: &Path, name: &str) -> DatasetError {
    DatasetError::NoFile {
        path: folder.join(name),
        cure: format!("fetch the data with `drsn-train fetch cifar10 --to {}`", folder.display()),
    }
}

fn file(folder: &Path, name: &str) -> Result<PackedFile, DatasetError> {
    let path = folder.join(name);
    if !path.is_file() {
        return Err(missing(folder, name));
    }
    let unreadable = |source| DatasetError::Unreadable { path: path.clone(), source };
    let malformed = |reason| DatasetError::Malformed { path: path.clone(), reason };
    let size = fs::metadata(&path).map_err(unreadable)?.len();
    let expected = (RECORD * IMAGES_IN_A_FILE) as u64;
    if size != expected {
        return Err(malformed(format!("expected {expected} bytes, found {size}")));
    }
    let bytes = fs::read(&path).map_err(unreadable)?;
    let labels: Vec<u8> = bytes.iter().copied().step_by(RECORD).collect();
    if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= CLASS_COUNT) {
        return Err(malformed(format!("found the label {label}, expected 0 to 9")));
    }
    let file = File::open(&path).map_err(unreadable)?;
    Ok(PackedFile { path, bytes: Bytes::File(file), begin: 1, stride: RECORD, labels })
}
