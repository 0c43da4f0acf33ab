//! Burn and ONNX Runtime give the same logits, probabilities, thresholds and mean magnitudes, for
//! every kind of network on images and on signals.
//!
//! The networks have random statistics and factors in every normalization, so a fold into the wrong
//! layer (such as the stem, whose output is also a shortcut) or padding on the wrong side is
//! detected.

use crate::skip;
use crate::support::{
    CW, Kind, NEEDS_MNIST, classes, image, kinds, mnist_folder, random_inputs, random_network,
    random_network_of, recipe, runtime, session, signal,
};
use drsn_bundle::{InputSpec, Tolerance, manifest::FORMAT};
use drsn_train::{
    dataset::Data,
    export::{compare, network_outputs, to_onnx},
    model::{Drsn, LogMel},
    recipe::LogMelConfig,
};
use ndarray::{ArrayD, ArrayViewD};

fn assert_parity(kind: Kind, input: &InputSpec, inputs: ArrayViewD<'_, f32>) {
    assert_parity_of(&random_network(kind, input), kind, input, inputs);
}

fn assert_parity_of(network: &Drsn, kind: Kind, input: &InputSpec, inputs: ArrayViewD<'_, f32>) {
    let runtime = runtime().unwrap();
    let model = to_onnx(network, input, &classes(), FORMAT).unwrap();
    let mut session = session(&runtime, &model, input);
    let expected = network_outputs(network, inputs.view()).unwrap();
    let found = compare(network, &mut session, inputs).unwrap();
    assert_eq!(expected.len(), found.iter().len(), "{kind:?}: the model has other outputs");
    let mut worst = 0.0_f32;
    for tensor in &found {
        let expected = &expected[&tensor.name];
        let largest = expected.iter().fold(0.0_f32, |max, b| max.max(b.abs()));
        assert!(largest > 1e-3, "{} is trivial", tensor.name);
        let pairs = expected.iter().zip(&tensor.values);
        let difference = pairs.fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
        worst = worst.max(difference / largest);
    }
    let shape = input.shape_in_words();
    eprintln!("{kind:?}, {shape}: largest difference {worst:e} of a tensor's largest value");
}

#[test]
fn every_unit_and_shrinkage_agrees_on_images_and_signals_of_even_and_odd_size() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    for kind in kinds() {
        for size in [26, 27, 28, 29] {
            assert_parity(kind, &image(size), random_inputs(32, &image(size)).view());
            let window = signal(8 * size);
            assert_parity(kind, &window, random_inputs(32, &window).view());
        }
    }
}

/// The power in mel bands is made of standard operators, so a model takes windows as they are.
#[test]
fn the_log_mel_front_end_agrees_for_every_channel() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let config =
        LogMelConfig { frame: 64, hop: 24, bands: 6, low_hz: 50.0, high_hz: None, floor: 1e-4 };
    for window in [480, 501] {
        let layer = LogMel::new(config, 2, 8_000.0);
        let network = random_network_of(CW, layer.output(window));
        let network = Drsn { front_end: Some(layer), ..network };
        let input = signal(window);
        assert_parity_of(&network, CW, &input, random_inputs(32, &input).view());
    }
}

#[test]
fn a_thousand_test_digits_agree() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let Some(folder) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    let test = Data::open(&recipe(&[]), &folder, None, false).unwrap().test.unwrap();
    let mut digits = ArrayD::zeros(vec![1_000, 1, 28, 28]);
    for (index, digit) in digits.outer_iter_mut().enumerate() {
        test.source.read(index, 0, digit).unwrap();
    }
    for kind in kinds() {
        assert_parity(kind, &image(28), digits.view());
    }
}

/// If the first normalization of a unit were folded into the layer before it, the shortcut would
/// get the folded values. The comparison must detect a network changed in this way.
#[test]
fn a_network_that_differs_only_in_its_first_normalization_is_detected() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let input = image(28);
    let network = random_network(CW, &input);
    let model = to_onnx(&network, &input, &classes(), FORMAT).unwrap();
    let mut session = session(&runtime, &model, &input);
    let mut other = network.clone();
    let first = &mut other.stages[0][0].norm1;
    first.gamma = first.gamma.clone().map(|gamma| gamma * 1.01);
    let inputs = random_inputs(4, &input);
    let error = compare(&other, &mut session, inputs.view()).unwrap_err();
    assert!(error.to_string().contains("differs from the trained network"), "{error}");
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    for input in [image(28), signal(64)] {
        let bytes = || to_onnx(&random_network(CW, &input), &input, &classes(), FORMAT).unwrap();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn the_tolerance_is_the_golden_one() {
    assert_eq!(Tolerance::CPU, Tolerance { rtol: 1e-4, atol: 1e-5 });
}
