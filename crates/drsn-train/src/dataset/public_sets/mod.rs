//! The public sets of images, which have their own test set: the MNIST family and CIFAR-10.

use std::{collections::HashSet, path::Path, sync::Arc};

use drsn_bundle::{Filter, Geometry, ImageSpec, InputSpec};
use rand::seq::SliceRandom as _;

use super::{
    Data, DatasetError, DatasetSource, Part, cifar10,
    idx::{self, CLASSES_FILE, IDX_FILES},
    packed::{PackedFile, PackedImages},
    text::lines,
};
use crate::{
    random::{Purpose, stream},
    recipe::IdxConfig,
};

/// Description of MNIST in manifests.
const MNIST: &str = "MNIST handwritten digits (Y. LeCun, C. Cortes, C. J. C. Burges), CC BY-SA 3.0";

/// Maximum size of the file of class names in bytes, for at most 256 classes.
const MAX_NAMES_BYTES: u64 = 1 << 20;
const DIGITS: usize = 10;

/// Opens four IDX files.
pub(super) fn open_idx(seed: u64, config: &IdxConfig, folder: &Path) -> Result<Data, DatasetError> {
    let [train_images, train_labels, test_images, test_labels] = IDX_FILES;
    let names_file = folder.join(CLASSES_FILE);
    let names = lines(&names_file, MAX_NAMES_BYTES)?;
    if let Some(names) = &names {
        check_names(&names_file, names)?;
    }
    let classes =
        names.clone().unwrap_or_else(|| (0..DIGITS).map(|digit| digit.to_string()).collect());
    let (training, shape) = idx_images(folder, train_images, train_labels, classes.len())?;
    let (test, test_shape) = idx_images(folder, test_images, test_labels, classes.len())?;
    if test_shape != shape {
        return Err(DatasetError::Malformed {
            path: folder.join(test_images),
            reason: format!(
                "its images have {} x {} pixels, but the training images have {} x {}",
                test_shape[0], test_shape[1], shape[0], shape[1]
            ),
        });
    }
    let (name, description) = match names.as_ref().and_then(|names| names.first()) {
        Some(first) if first == "T-shirt/top" => {
            ("Fashion-MNIST", "Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf; Zalando SE), MIT")
        }
        None if shape == [28, 28] => ("MNIST", MNIST),
        _ => ("IDX", "images in IDX files"),
    };
    let input = image(1, shape[0], shape[1]);
    let sources: [Arc<dyn DatasetSource>; 2] = [Arc::new(training), Arc::new(test)];
    Ok(assemble(seed, config, sources, input, classes, [name, description]))
}

/// Opens the binary version of CIFAR-10.
pub(super) fn open_cifar10(
    seed: u64,
    config: &IdxConfig,
    folder: &Path,
) -> Result<Data, DatasetError> {
    let classes = cifar10::classes(folder)?;
    check_names(&folder.join(cifar10::NAMES_FILE), &classes)?;
    let training = cifar10::open(folder, &cifar10::TRAINING_FILES)?;
    let test = cifar10::open(folder, &[cifar10::TEST_FILE])?;
    let sources: [Arc<dyn DatasetSource>; 2] = [Arc::new(training), Arc::new(test)];
    let [channels, height, width] = cifar10::SHAPE;
    let input = image(channels, height, width);
    let description = ["CIFAR-10", cifar10::DESCRIPTION];
    Ok(assemble(seed, config, sources, input, classes, description))
}

/// Rejects names of classes that a model could not have, before it is trained.
fn check_names(file: &Path, names: &[String]) -> Result<(), DatasetError> {
    let mut seen = HashSet::new();
    let reason = match names.iter().find(|name| !seen.insert(*name)) {
        Some(name) => {
            format!("it names the class \"{name}\" twice: each line must be another name")
        }
        None if names.len() < 2 => {
            format!("expected at least two class names, one on each line, found {}", names.len())
        }
        None => return Ok(()),
    };
    Err(DatasetError::Malformed { path: file.to_owned(), reason })
}

fn image(channels: usize, height: usize, width: usize) -> InputSpec {
    InputSpec::Image(ImageSpec {
        channels,
        height,
        width,
        geometry: Geometry::Stretch,
        filter: Filter::Triangle,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
    })
}

/// Holds out some inputs of the training set; the same seed holds out the same ones.
fn assemble(
    seed: u64,
    config: &IdxConfig,
    [training, test]: [Arc<dyn DatasetSource>; 2],
    input: InputSpec,
    classes: Vec<String>,
    [name, description]: [&str; 2],
) -> Data {
    let inputs = training.len();
    let mut held_out: Vec<usize> = (0..inputs).collect();
    held_out.shuffle(&mut stream(seed, Purpose::HeldOut, 0, 0));
    let mut indices = held_out.split_off(config.held_out.min(inputs));
    indices.truncate(config.limit.unwrap_or(inputs));
    Data {
        input,
        classes,
        description: format!(
            "{description}; trained on {} of its {inputs} training inputs, {} held out",
            indices.len(),
            held_out.len()
        ),
        training: Part { source: Arc::clone(&training), indices },
        held_out: Part { source: training, indices: held_out },
        test: Some(Part { indices: (0..test.len()).collect(), source: test }),
        test_name: format!("{name} test"),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

/// Opens the images and labels of the training or test set; returns them with the images' height
/// and width.
fn idx_images(
    folder: &Path,
    images_name: &str,
    labels_name: &str,
    classes: usize,
) -> Result<(PackedImages, [usize; 2]), DatasetError> {
    let images = idx::open(folder, images_name, 3)?;
    let labels = idx::read(folder, labels_name, 1)?;
    let malformed =
        |name: &str, reason: String| DatasetError::Malformed { path: folder.join(name), reason };
    let [count, height, width] = images.shape[..] else {
        return Err(malformed(images_name, "expected three dimensions".to_owned()));
    };
    if count == 0 || height == 0 || width == 0 {
        return Err(malformed(images_name, "it contains no images".to_owned()));
    }
    if count != labels.data.len() {
        let reason = format!("it contains {} labels for {count} images", labels.data.len());
        return Err(malformed(labels_name, reason));
    }
    if let Some(label) = labels.data.iter().find(|&&label| usize::from(label) >= classes) {
        let reason = format!("found the label {label}, expected 0 to {}", classes - 1);
        return Err(malformed(labels_name, reason));
    }
    let file = PackedFile {
        path: images.path,
        bytes: images.bytes,
        begin: images.begin,
        stride: height * width,
        labels: labels.data,
    };
    Ok((PackedImages { files: vec![file] }, [height, width]))
}

#[cfg(test)]
mod tests;
