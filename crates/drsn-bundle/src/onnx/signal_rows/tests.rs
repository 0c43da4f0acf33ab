//! Graphs before and after the second axis.

use super::*;
use crate::onnx::{Attribute, GraphBuilder, INPUT};

/// A convolution and an operator that knows the second axis, and one that does not.
fn network(ending: &str) -> Vec<u8> {
    let mut graph = GraphBuilder::new("network");
    graph.input(INPUT, &[-1, 1, 16]);
    let kernel = graph.tensor("kernel", &[4, 1, 3], &[0.5; 12]);
    let options = [
        ("kernel_shape", Attribute::Ints(vec![3])),
        ("strides", Attribute::Ints(vec![2])),
        ("pads", Attribute::Ints(vec![0, 1])),
    ];
    graph.node("Conv", &[INPUT, &kernel], "convolved", &options);
    graph.node("Relu", &["convolved"], "active", &[]);
    graph.node(ending, &["active"], "output", &[]);
    graph.output("output", &[-1, 4, 8]);
    graph.finish("")
}

fn nodes(model: &[u8]) -> Vec<NodeProto> {
    ModelProto::decode(model).unwrap().graph.unwrap().node
}

fn operators(model: &[u8]) -> Vec<String> {
    nodes(model).iter().map(|node| node.op_type().to_owned()).collect()
}

#[test]
fn a_convolution_gets_a_second_axis_and_the_outputs_do_not() {
    let changed = with_signals_as_rows(&network("Sigmoid")).unwrap();
    assert_eq!(operators(&changed), ["Unsqueeze", "Conv", "Relu", "Sigmoid", "Squeeze"]);
    let graph = ModelProto::decode(&changed[..]).unwrap().graph.unwrap();
    assert_eq!(graph.initializer[0].dims, [4, 1, 1, 3]);
    let conv = &graph.node[1];
    let ints: Vec<_> = conv.attribute.iter().map(|attribute| attribute.ints.clone()).collect();
    assert_eq!(ints, [vec![1, 3], vec![1, 2], vec![0, 0, 0, 1]]);
    assert_eq!(graph.output[0].name(), graph.node[4].output[0]);
}

/// Softmax works along the last axis but one of the others, say: it gets what the model gave it.
#[test]
fn an_operator_that_does_not_know_the_axis_gets_features_without_it() {
    let changed = with_signals_as_rows(&network("Softmax")).unwrap();
    assert_eq!(operators(&changed), ["Unsqueeze", "Conv", "Relu", "Squeeze", "Softmax"]);
    assert_eq!(nodes(&changed)[4].input, ["active"]);
}

#[test]
fn a_graph_without_such_convolutions_is_not_changed() {
    let mut graph = GraphBuilder::new("none");
    graph.input(INPUT, &[-1, 1, 16]);
    graph.node("Relu", &[INPUT], "output", &[]);
    graph.output("output", &[-1, 1, 16]);
    let model = graph.finish("");
    assert_eq!(with_signals_as_rows(&model).unwrap(), model);
    let once = with_signals_as_rows(&network("Relu")).unwrap();
    assert_eq!(with_signals_as_rows(&once).unwrap(), once, "its names are taken");
    assert!(with_signals_as_rows(b"no model").is_err());
}
