//! Public sets, valid and invalid.

use std::fs;

use ndarray::Array3;

use super::*;
use crate::dataset::Part;

fn array(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Images of 2 x 3 pixels, `count` and half as many for the test.
fn folder(count: u32, labels: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (names, count) in [(&IDX_FILES[..2], count), (&IDX_FILES[2..], count / 2)] {
        let pixels: Vec<u8> = (0..6 * count).map(|x| (x % 256) as u8).collect();
        let labels: Vec<u8> = labels.iter().copied().cycle().take(count as usize).collect();
        fs::write(folder.path().join(names[0]), array(&[count, 2, 3], &pixels)).unwrap();
        fs::write(folder.path().join(names[1]), array(&[count], &labels)).unwrap();
    }
    folder
}

fn config(held_out: usize, limit: Option<usize>) -> IdxConfig {
    IdxConfig { held_out, limit, zero_centre: false }
}

fn first(part: &Part) -> (usize, Array3<f32>) {
    let mut values = Array3::zeros((1, 2, 3));
    part.source.read(1, 0, values.view_mut().into_dyn()).unwrap();
    (part.source.label(1), values)
}

#[test]
fn pixels_are_between_0_and_1_and_belong_to_their_labels() {
    let folder = folder(20, &[7, 3]);
    let data = open_idx(1, &config(5, Some(10)), folder.path()).unwrap();
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (10, 5));
    assert_eq!(data.classes[9], "9");
    assert_eq!(data.input.shape(), [1, 2, 3]);
    let expected = Array3::from_shape_fn((1, 2, 3), |(_, y, x)| (6 + 3 * y + x) as f32 / 255.0);
    assert_eq!(first(&data.training), (3, expected.clone()));
    assert_eq!(first(&data.test.unwrap()), (3, expected));
    assert_eq!(data.training.source.name(1), "train-images-idx3-ubyte, image 1");
}

#[test]
fn the_same_inputs_are_held_out_by_the_same_seed() {
    let folder = folder(100, &[0, 1]);
    let data = open_idx(1, &config(30, Some(50)), folder.path()).unwrap();
    let mut order: Vec<usize> = (0..100).collect();
    order.shuffle(&mut stream(1, Purpose::HeldOut, 0, 0));
    assert_eq!(data.held_out.indices, order[..30]);
    assert_eq!(data.training.indices, order[30..80]);
}

#[test]
fn names_of_classes_are_read_if_there_are_any() {
    let folder = folder(10, &[0, 1]);
    fs::write(folder.path().join(CLASSES_FILE), "T-shirt/top\nTrouser\n").unwrap();
    let data = open_idx(1, &config(5, None), folder.path()).unwrap();
    assert_eq!(data.classes, ["T-shirt/top", "Trouser"]);
    assert_eq!(data.test_name, "Fashion-MNIST test");
    fs::write(folder.path().join(IDX_FILES[1]), array(&[10], &[2; 10])).unwrap();
    let said = open_idx(1, &config(5, None), folder.path()).unwrap_err().to_string();
    assert!(said.contains("found the label 2, expected 0 to 1"), "{said}");
}

/// Regression: an empty file of names made the program panic, and names that are there twice, or a
/// single one, were refused only after the training.
#[test]
fn names_of_classes_that_a_model_cannot_have_are_refused() {
    let folder = folder(10, &[0, 0]);
    for (names, reason) in [
        ("", "at least two class names"),
        ("\n \n", "at least two class names"),
        ("one\n", "at least two class names"),
        ("one\ntwo\n one\n", "the class \"one\" twice"),
    ] {
        fs::write(folder.path().join(CLASSES_FILE), names).unwrap();
        let said = open_idx(1, &config(5, None), folder.path()).unwrap_err().to_string();
        assert!(said.contains(reason) && said.contains(CLASSES_FILE), "{said}");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let data = folder(10, &[0, 1]);
    let open = || open_idx(1, &config(5, None), data.path()).unwrap_err().to_string();
    fs::write(data.path().join(IDX_FILES[2]), array(&[5, 1, 1], &[0; 5])).unwrap();
    assert!(open().contains("1 x 1 pixels, but the training images have 2 x 3"));
    fs::write(data.path().join(IDX_FILES[0]), array(&[9, 2, 3], &[0; 54])).unwrap();
    assert!(open().contains("10 labels for 9 images"));
    fs::write(data.path().join(IDX_FILES[0]), array(&[9, 2, 3], &[0; 53])).unwrap();
    assert!(open().contains("53 bytes follow"));
    fs::remove_file(data.path().join(IDX_FILES[0])).unwrap();
    assert!(open().contains("drsn-train fetch mnist"));
}

#[test]
fn cifar_10_has_five_files_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let open = || open_cifar10(1, &config(5000, None), folder.path());
    assert!(open().unwrap_err().to_string().contains("drsn-train fetch cifar10"));
    fs::write(folder.path().join(cifar10::NAMES_FILE), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    let mut record = vec![9; 3073];
    record[1..].fill(255);
    let bytes = record.repeat(10_000);
    for name in cifar10::TRAINING_FILES {
        fs::write(folder.path().join(name), &bytes).unwrap();
    }
    fs::write(folder.path().join(cifar10::TEST_FILE), &bytes[1..]).unwrap();
    assert!(open().unwrap_err().to_string().contains("found 30729999"));
    fs::write(folder.path().join(cifar10::TEST_FILE), &bytes).unwrap();
    let data = open().unwrap();
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (45_000, 5000));
    let mut values = Array3::zeros((3, 32, 32));
    data.training.source.read(49_999, 0, values.view_mut().into_dyn()).unwrap();
    assert!(values.iter().all(|&x| x == 1.0) && data.training.source.label(49_999) == 9);
    assert_eq!(data.training.source.name(49_999), "data_batch_5.bin, image 9999");
}
