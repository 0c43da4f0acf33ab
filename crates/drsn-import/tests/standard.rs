//! Thresholds of foreign networks become the server's own operators where they are the same function.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod network;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use drsn_bundle::{
    onnx::{Attribute, decode, with_fused_shrinkage, with_shrinkage_outputs},
    runtime::{Provider, Runtime, Session, self_check},
};
use drsn_import::Imported;
use network::{CHANNELS, Network};

/// `sign(x) · max(|x| − τ, 0)` as programs in `PyTorch` write it.
fn shrink(network: &mut Network, x: &str, tau: &str) -> String {
    let magnitude = network.op("Abs", &[x]);
    let less = network.op("Sub", &[&magnitude, tau]);
    let zeros = network.op("Sub", &[&less, &less]);
    let kept = network.op("Max", &[&less, &zeros]);
    let sign = network.op("Sign", &[x]);
    network.op("Mul", &[&sign, &kept])
}

/// A network of two blocks, each followed by the normalization and activation of the next one.
fn imported(
    runtime: &Runtime,
    threshold: fn(&mut Network, &str) -> String,
    operator_set: i64,
) -> Imported {
    let mut network = Network::new(5);
    network.operator_set = operator_set;
    let mut features = network.conv("signal", 1);
    for _ in 0..2 {
        let x = network.conv(&features, CHANNELS);
        let tau = threshold(&mut network, &x);
        let shrunk = shrink(&mut network, &x, &tau);
        let sum = network.op("Add", &[&shrunk, &features]);
        let [scale, bias, mean, variance] =
            [1.0, 0.0, 0.2, 2.0].map(|middle| network.weight(&[CHANNELS], middle, 0.5));
        let norm = network.op("BatchNormalization", &[&sum, &scale, &bias, &mean, &variance]);
        features = network.op("Relu", &[&norm]);
    }
    let folder = tempfile::tempdir().unwrap();
    network.import(runtime, &features, folder.path(), false).unwrap()
}

/// The threshold of a DRSN, from a mean without the axis of the samples.
fn from_flat_mean(network: &mut Network, x: &str) -> String {
    let magnitude = network.op("Abs", &[x]);
    let pooled = network.op("GlobalAveragePool", &[&magnitude]);
    let shape = network.integers(&[0, CHANNELS as i64, 1]);
    let flat = network.op("Flatten", &[&pooled]);
    let mean = network.op("Reshape", &[&flat, &shape]);
    let gate = network.gate(&mean, CHANNELS);
    network.op("Mul", &[&mean, &gate])
}

/// A share of A that may be negative.
fn of_any_sign(network: &mut Network, x: &str) -> String {
    let magnitude = network.op("Abs", &[x]);
    let mean = network.mean(&magnitude);
    let (gate, less) = (network.gate(&mean, CHANNELS), network.number(0.1));
    let share = network.op("Sub", &[&gate, &less]);
    network.op("Mul", &[&mean, &share])
}

/// One threshold for all channels.
fn shared(network: &mut Network, x: &str) -> String {
    let magnitude = network.op("Abs", &[x]);
    let mean = network.mean(&magnitude);
    network.gate(&mean, 1)
}

fn operators(model: &[u8]) -> Vec<String> {
    let graph = decode(model).unwrap().graph.unwrap();
    graph.node.iter().map(|node| node.op_type().to_owned()).collect()
}

fn check(runtime: &Runtime, imported: &Imported, model: &[u8]) {
    let shape = imported.manifest.input.shape();
    let mut session = Session::open(runtime, model, &shape, Provider::Cpu).unwrap();
    self_check(&mut session, &imported.golden).unwrap();
}

#[test]
fn thresholds_that_are_never_negative_are_served_by_our_operators() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    for threshold in [Network::threshold, from_flat_mean, shared] {
        let imported = imported(&runtime, threshold, 17);
        let blocks = &imported.manifest.blocks;
        for model in [&imported.model, &with_shrinkage_outputs(&imported.model, blocks).unwrap()] {
            let fused = with_fused_shrinkage(model, blocks).unwrap();
            let operators = operators(&fused);
            let count = |name: &str| operators.iter().filter(|other| *other == name).count();
            assert_eq!(count("ShrinkAndAdd"), 2, "{operators:?}");
            assert_eq!(count("MeanMagnitude"), 2, "{operators:?}");
            // Nothing of the model's own threshold passes over the features a second time.
            let others = ["Abs", "Sign", "ReduceMean", "GlobalAveragePool"].map(count);
            assert!(others.iter().sum::<usize>() <= 1, "{operators:?}");
            check(&runtime, &imported, &fused);
        }
    }
}

#[test]
fn a_threshold_that_may_be_negative_keeps_its_own_form() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    for (threshold, operator_set) in
        [(of_any_sign as fn(&mut Network, &str) -> String, 17), (Network::threshold, 12)]
    {
        let imported = imported(&runtime, threshold, operator_set);
        let blocks = &imported.manifest.blocks;
        assert_eq!(blocks.len(), 2);
        assert!(operators(&imported.model).contains(&"Sign".to_owned()));
        assert_eq!(with_fused_shrinkage(&imported.model, blocks).unwrap(), imported.model);
        check(&runtime, &imported, &imported.model);
    }
}

/// Pads with a zero before the signal as `PyTorch`'s older exporter writes it: the sizes are computed.
fn padded(network: &mut Network, x: &str) -> String {
    let [float, integer] = [1, 7].map(|to| [("to", Attribute::Int(to))]);
    let [four, of_time, pairs, one_list] =
        [&[4][..], &[1, 0], &[-1, 2], &[-1]].map(|n| network.integers(n));
    let zeros = network.op("ConstantOfShape", &[&four]);
    let of_time = network.with("Cast", &[&of_time], &float);
    let all = network.with("Concat", &[&zeros, &of_time], &[("axis", Attribute::Int(0))]);
    let pairs = network.op("Reshape", &[&all, &pairs]);
    let ordered = network.with("Transpose", &[&pairs], &[("perm", Attribute::Ints(vec![1, 0]))]);
    let sizes = network.op("Reshape", &[&ordered, &one_list]);
    let sizes = network.with("Cast", &[&sizes], &integer);
    network.op("Pad", &[x, &sizes])
}

/// Regression: an imported network computed its padding anew for each batch, and its convolutions could
/// not take it over: it cost more than the same network of drsn-train.
#[test]
fn padding_with_computed_sizes_becomes_a_part_of_its_convolution() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let mut network = Network::new(7);
    let x = padded(&mut network, "signal");
    let x = network.conv(&x, 1);
    let tau = network.threshold(&x);
    let features = shrink(&mut network, &x, &tau);
    let folder = tempfile::tempdir().unwrap();
    let imported = network.import(&runtime, &features, folder.path(), false).unwrap();
    let graph = decode(&imported.model).unwrap().graph.unwrap();
    let made = operators(&imported.model);
    assert!(made.iter().all(|name| name != "ConstantOfShape" && name != "Pad"), "{made:?}");
    let first = graph.node.iter().find(|node| node.op_type() == "Conv").unwrap();
    let pads = first.attribute.iter().find(|attribute| attribute.name() == "pads").unwrap();
    assert_eq!(pads.ints, [2, 1]);
}
