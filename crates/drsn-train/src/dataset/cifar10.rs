//! CIFAR-10 in its binary version: 50,000 and 10,000 pictures of 32 by 32 pixels in colour.
//!
//! A file holds 10,000 records of a label and the red, the green and the blue plane, 3,073 bytes together.
//!
//! Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

use std::{
    fs::{self, File},
    path::Path,
};

use super::{
    DatasetError,
    packed::{Bytes, PackedFile, PackedImages},
};

/// Names of the files with pictures to train on.
pub(crate) const TRAINING_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
/// Name of the file with pictures to test on.
pub(crate) const TEST_FILE: &str = "test_batch.bin";
/// Name of the file that names the classes, one a line.
pub(crate) const NAMES_FILE: &str = "batches.meta.txt";
/// Pictures in a file.
pub(crate) const IMAGES_IN_A_FILE: usize = 10_000;
/// Kinds of picture.
pub(crate) const CLASS_COUNT: usize = 10;

/// What the manifest says of the data.
pub(super) const DESCRIPTION: &str =
    "CIFAR-10 (A. Krizhevsky, \"Learning Multiple Layers of Features from Tiny Images\", 2009)";
/// Red, green, blue; rows; columns.
pub(super) const SHAPE: [usize; 3] = [3, 32, 32];

const RECORD: usize = 1 + SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Far more than ten names need.
const LONGEST_NAMES: u64 = 1 << 16;

/// Opens some of the files.
pub(super) fn open(folder: &Path, names: &[&str]) -> Result<PackedImages, DatasetError> {
    let files: Result<_, _> = names.iter().map(|name| file(folder, name)).collect();
    Ok(PackedImages { files: files? })
}

/// The names of the classes.
pub(super) fn classes(folder: &Path) -> Result<Vec<String>, DatasetError> {
    let path = folder.join(NAMES_FILE);
    let classes = super::lines(&path, LONGEST_NAMES)?.ok_or_else(|| missing(folder, NAMES_FILE))?;
    if classes.len() == CLASS_COUNT {
        return Ok(classes);
    }
    let reason = format!("it names {} classes, and {CLASS_COUNT} are expected", classes.len());
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
        return Err(malformed(format!("it has {size} bytes, and {expected} are expected")));
    }
    let bytes = fs::read(&path).map_err(unreadable)?;
    let labels: Vec<u8> = bytes.iter().copied().step_by(RECORD).collect();
    if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= CLASS_COUNT) {
        return Err(malformed(format!("it has a label {label}, and labels go from 0 to 9")));
    }
    let file = File::open(&path).map_err(unreadable)?;
    Ok(PackedFile { path, bytes: Bytes::File(file), begin: 1, stride: RECORD, labels })
}
