//! Models that a quantiser wrote: served if their thresholds are in floats, or refused with what to do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "other tests need more operators")]
mod network;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::fs;

use drsn_bundle::{
    Name,
    onnx::{
        Attribute, GraphBuilder,
        proto::{ModelProto, NodeProto, TensorProto, tensor_proto::DataType},
    },
    runtime::Runtime,
};
use drsn_import::{ImportError, Imported, Options, import};
use network::{CHANNELS, Network};
use prost::Message as _;

/// A tensor of 8-bit integers.
fn bytes(name: &str, dims: &[i64], values: impl Iterator<Item = i8>) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Int8 as i32),
        raw_data: Some(values.map(|value| value as u8).collect()),
        ..TensorProto::default()
    }
}

/// A classifier whose convolution is quantised. Its sums are multiples of 1/166 of a step of the result,
/// so that many lie in the middle of a step.
fn classifier() -> ModelProto {
    let mut graph = GraphBuilder::new("classifier");
    graph.input("signal", &[-1, 1, 256]);
    let (of_input, of_kernel) = (0.005, 0.3);
    graph.tensor("of input", &[], &[of_input]);
    graph.tensor("of kernel", &[], &[of_kernel]);
    graph.tensor("of result", &[], &[of_input * of_kernel * 166.0]);
    graph.node("QuantizeLinear", &["signal", "of input", "zero"], "steps", &[]);
    graph.node("DequantizeLinear", &["steps", "of input", "zero"], "rounded", &[]);
    graph.node("DequantizeLinear", &["integers", "of kernel", "zero"], "kernel", &[]);
    graph.node("Conv", &["rounded", "kernel"], "exact", &[]);
    graph.node("QuantizeLinear", &["exact", "of result", "zero"], "result", &[]);
    graph.node("DequantizeLinear", &["result", "of result", "zero"], "features", &[]);
    graph.node("Relu", &["features"], "positive", &[]);
    graph.node("GlobalAveragePool", &["positive"], "pooled", &[]);
    graph.node("Flatten", &["pooled"], "scores", &[]);
    graph.output("scores", &[-1, 3]);
    let mut model = ModelProto::decode(&graph.finish("a classifier for tests")[..]).unwrap();
    let weights = &mut model.graph.as_mut().unwrap().initializer;
    weights.push(bytes("zero", &[], [0].into_iter()));
    weights.push(bytes("integers", &[3, 1, 5], (0..15).map(|at| (at * 37 % 121 - 60) as i8)));
    model
}

fn imported(runtime: &Runtime, model: &ModelProto) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
    let mut options =
        Options::new(Name::new("quantised").unwrap(), Name::new("1").unwrap(), labels);
    options.allow_plain = true;
    import(runtime, &path, &options)
}

/// The runtime rounds such sums to the other side once it computes the convolution with integers; the
/// import said that the model could not be served.
#[test]
fn a_model_that_rounds_differently_once_it_is_optimised_is_imported() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let imported = imported(&runtime, &classifier()).unwrap();
    assert!(imported.tolerance > 1e-3, "{}", imported.tolerance);
}

#[test]
fn operators_that_cannot_be_served_are_refused_with_what_to_do() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    for (domain, operator, advice) in [
        ("com.microsoft", "QLinearAdd", "QuantFormat.QDQ"),
        ("com.microsoft", "DequantizeLinear", "QuantFormat.QDQ"),
        ("com.microsoft", "MatMulNBits", "QuantFormat.QDQ"),
        ("com.microsoft", "FusedConv", "before it was optimised"),
        ("com.microsoft.nchwc", "Conv", "before it was optimised"),
        ("ai.onnx.ml", "ZipMap", "{'zipmap': False}"),
    ] {
        let mut model = classifier();
        model.graph.as_mut().unwrap().node.push(NodeProto {
            input: vec!["features".to_owned()],
            output: vec!["other".to_owned()],
            op_type: Some(operator.to_owned()),
            domain: Some(domain.to_owned()),
            ..NodeProto::default()
        });
        let sentence = imported(&runtime, &model).unwrap_err().to_string();
        assert!(sentence.contains(advice), "{domain}.{operator}: {sentence}");
    }
}

/// Probabilities in steps of 1/127 were taken for shares of several labels.
#[test]
fn probabilities_that_are_quantised_are_not_called_several_labels() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let mut network = Network::new(3);
    let features = network.conv("signal", 1);
    let probabilities = network.with("Softmax", &[&features], &[("axis", Attribute::Int(1))]);
    let step = network.number(0.2);
    let rounded = network.op("QuantizeLinear", &[&probabilities, &step]);
    let shares = network.op("DequantizeLinear", &[&rounded, &step]);
    network.graph.node("GlobalAveragePool", &[&shares], "shares", &[]);
    network.graph.output("shares", &[-1, CHANNELS as i64, 1]);
    let model = ModelProto::decode(&network.graph.finish("a network for tests")[..]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    let labels = (0..CHANNELS).map(|class| class.to_string()).collect();
    let options = Options::new(Name::new("quantised").unwrap(), Name::new("1").unwrap(), labels);
    let sentence = import(&runtime, &path, &options).unwrap_err().to_string();
    assert!(sentence.contains("probabilities are quantised"), "{sentence}");
}

#[test]
fn a_threshold_with_quantised_operators_is_refused_with_how_to_keep_it() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let mut network = Network::new(4);
    let x = network.conv("signal", 1);
    let tau = network.threshold(&x);
    let magnitude = network.op("Abs", &[&x]);
    let step = network.number(0.05);
    let rounded = network.op("QuantizeLinear", &[&magnitude, &step]);
    let magnitude = network.op("DequantizeLinear", &[&rounded, &step]);
    let less = network.op("Sub", &[&magnitude, &tau]);
    let kept = network.op("Relu", &[&less]);
    let sign = network.op("Sign", &[&x]);
    let shrunk = network.op("Mul", &[&sign, &kept]);
    let folder = tempfile::tempdir().unwrap();
    let refused = network.import(&runtime, &shrunk, folder.path(), false).unwrap_err().to_string();
    assert!(
        refused.contains("the model is quantised: quantise its convolutions only"),
        "{refused}"
    );
}
