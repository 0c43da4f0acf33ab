//! Burn and ONNX Runtime give the same logits, probabilities, thresholds and mean magnitudes.
//!
//! The networks have random statistics and factors in every normalization, so a fold into the wrong layer (the
//! stem's, whose output is the shortcut as well) or a padding on the wrong side shows at once.

use crate::skip;
use crate::support::{
    NEEDS_MNIST, classes, mnist_folder, random_images, random_network, runtime, session,
};
use drsn_bundle::{Tolerance, Unit, manifest::FORMAT};
use drsn_train::{
    dataset::Mnist,
    export::{compare, network_outputs, to_onnx},
};

const UNITS: [Unit; 3] = [Unit::Cw, Unit::Cs, Unit::Resnet];

fn assert_parity(unit: Unit, size: usize, inputs: &[f32]) {
    let runtime = runtime().unwrap();
    let network = random_network(unit);
    let model = to_onnx(&network, [1, size, size], &classes(), FORMAT).unwrap();
    let mut session = session(&runtime, &model, size);
    let expected = network_outputs(&network, inputs, [1, size, size]).unwrap();
    let found = compare(&network, &mut session, inputs, [1, size, size]).unwrap();
    assert_eq!(expected.len(), found.len(), "{unit:?}: the model has other outputs");
    let mut worst = 0.0_f32;
    for tensor in &found {
        let expected = &expected[&tensor.name];
        let largest = expected.iter().fold(0.0_f32, |max, b| max.max(b.abs()));
        assert!(largest > 1e-3, "{} is trivial", tensor.name);
        let pairs = expected.iter().zip(&tensor.data);
        let difference = pairs.fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
        worst = worst.max(difference / largest);
    }
    eprintln!("{unit:?} {size} x {size}: largest difference {worst:e} of a tensor's largest value");
}

#[test]
fn random_images_of_even_and_odd_size_agree() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    for unit in UNITS {
        for size in [26, 27, 28, 29] {
            assert_parity(unit, size, &random_images(32, size));
        }
    }
}

#[test]
fn a_thousand_test_digits_agree() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let Some(folder) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    let test = Mnist::load(&folder).unwrap().test;
    let digits: Vec<f32> = (0..1_000).flat_map(|i| test.input(i)).copied().collect();
    for unit in UNITS {
        assert_parity(unit, 28, &digits);
    }
}

/// Were the first normalization of a unit folded into what is before it, the shortcut would carry the folded
/// values: this model, changed so by hand in the network, must be told apart by the comparison.
#[test]
fn a_network_that_differs_in_its_first_normalization_alone_is_told_apart() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let network = random_network(Unit::Cw);
    let model = to_onnx(&network, [1, 28, 28], &classes(), FORMAT).unwrap();
    let mut session = session(&runtime, &model, 28);
    let mut other = network.clone();
    let first = &mut other.stages[0][0].norm1;
    first.gamma = first.gamma.clone().map(|gamma| gamma * 1.01);
    let error = compare(&other, &mut session, &random_images(4, 28), [1, 28, 28]).unwrap_err();
    assert!(error.to_string().contains("disagrees"), "{error}");
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let bytes = || to_onnx(&random_network(Unit::Cs), [1, 28, 28], &classes(), FORMAT).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn the_tolerance_is_the_golden_one() {
    assert_eq!(Tolerance::CPU, Tolerance { rtol: 1e-4, atol: 1e-5 });
}
