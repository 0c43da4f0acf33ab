//! MNIST: 60,000 and 10,000 handwritten digits of 28 by 28 grey pixels.
//!
//! Source: Y. Le Cun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".

use std::path::Path;

use drsn_bundle::{Filter, Geometry, ImageSpec, InputSpec};

use super::{Dataset, DatasetError, idx};

/// Names of the four files: images and labels for training, images and labels for the test.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What the manifest says of the data.
pub const DESCRIPTION: &str =
    "MNIST handwritten digits, training set (Y. LeCun, C. Cortes, C. J. C. Burges), CC BY-SA 3.0";
/// Name of the test set in evaluations.
pub const TEST_NAME: &str = "MNIST test";

const SIDE: usize = 28;
const CLASSES: usize = 10;

/// Both halves of MNIST.
#[derive(Debug, Clone)]
pub struct Mnist {
    /// For training and for holding out.
    pub train: Dataset,
    /// For the final evaluation, and for nothing else.
    pub test: Dataset,
}

impl Mnist {
    /// Reads the four files, compressed or not, from a folder.
    ///
    /// # Errors
    /// [`DatasetError`] with the file and the reason.
    pub fn load(folder: &Path) -> Result<Self, DatasetError> {
        let [train_images, train_labels, test_images, test_labels] = FILES;
        Ok(Self {
            train: pair(folder, train_images, train_labels)?,
            test: pair(folder, test_images, test_labels)?,
        })
    }

    /// What a network for these digits takes: pixels in [0, 1], as they are.
    pub fn input() -> InputSpec {
        InputSpec::Image(ImageSpec {
            channels: 1,
            height: SIDE,
            width: SIDE,
            geometry: Geometry::Stretch,
            filter: Filter::Triangle,
            mean: vec![0.0],
            std: vec![1.0],
        })
    }

    /// The labels of the classes.
    pub fn classes() -> Vec<String> {
        (0..CLASSES).map(|digit| digit.to_string()).collect()
    }
}

fn pair(folder: &Path, images_name: &str, labels_name: &str) -> Result<Dataset, DatasetError> {
    let images = idx::read(folder, images_name, 3)?;
    let labels = idx::read(folder, labels_name, 1)?;
    let malformed =
        |name: &str, reason: String| DatasetError::Malformed { path: folder.join(name), reason };
    if images.shape[1..] != [SIDE, SIDE] {
        return Err(malformed(
            images_name,
            format!(
                "its images have {} x {} pixels, and {SIDE} x {SIDE} are expected",
                images.shape[1], images.shape[2]
            ),
        ));
    }
    if images.shape[0] == 0 {
        return Err(malformed(images_name, "it has no images".to_owned()));
    }
    if images.shape[0] != labels.shape[0] {
        return Err(malformed(
            labels_name,
            format!("it has {} labels for {} images", labels.shape[0], images.shape[0]),
        ));
    }
    if let Some(label) = labels.data.iter().find(|&&l| usize::from(l) >= CLASSES) {
        return Err(malformed(
            labels_name,
            format!("it has a label {label}, and digits go from 0 to 9"),
        ));
    }
    // The division gives the pixel values that serving gives: see `ImageFile::pixels` of drsn-bundle.
    let values = images.data.iter().map(|&p| f32::from(p) / 255.0).collect();
    let labels = labels.data.into_iter().map(usize::from).collect();
    Ok(Dataset::new(values, labels))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn array(shape: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn folder(side: u32, labels: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for images in [FILES[0], FILES[2]] {
            let pixels = vec![255; 2 * (side * side) as usize];
            fs::write(folder.path().join(images), array(&[2, side, side], &pixels)).unwrap();
        }
        for names in [FILES[1], FILES[3]] {
            fs::write(folder.path().join(names), array(&[labels.len() as u32], labels)).unwrap();
        }
        folder
    }

    #[test]
    fn white_is_one_and_labels_belong_to_their_images() {
        let mnist = Mnist::load(folder(28, &[7, 3]).path()).unwrap();
        assert_eq!(mnist.train.len(), 2);
        assert!(mnist.test.input(1).iter().all(|&p| (p - 1.0).abs() < f32::EPSILON));
        assert_eq!(mnist.test.label(1), 3);
    }

    #[test]
    fn wrong_sizes_counts_and_labels_are_named_with_their_file() {
        for (folder, file, reason) in [
            (folder(27, &[0, 0]), FILES[0], "27 x 27"),
            (folder(28, &[0]), FILES[1], "1 labels for 2 images"),
            (folder(28, &[0, 10]), FILES[1], "label 10"),
        ] {
            let error = Mnist::load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(file) && error.contains(reason), "{error}");
        }
    }
}
