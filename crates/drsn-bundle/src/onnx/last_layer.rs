//! The features of a graph, which its last fully connected layer makes the logits of, as an output.

use std::collections::HashSet;

use prost::Message as _;

use super::{
    FEATURES, LOGITS, METADATA_FORMAT,
    builder::value_info,
    proto::{GraphProto, ModelProto, NodeProto, TensorProto},
};
use crate::{BundleError, Features, manifest};

/// Most nodes between the last fully connected layer and the logits.
const MOST_NODES: usize = 8;

/// A model whose last layer is looked for.
#[derive(Debug, Clone)]
pub struct LastLayer {
    model: ModelProto,
}

impl LastLayer {
    /// Reads a model.
    ///
    /// # Errors
    /// [`BundleError::Model`] if the bytes are not an ONNX model.
    pub fn of(model: &[u8]) -> Result<Self, BundleError> {
        let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
        let model = ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))?;
        if model.graph.is_none() {
            return Err(wrong("it has no graph"));
        }
        Ok(Self { model })
    }

    /// Makes the input of the last fully connected layer an output, [`FEATURES`]. `None`, without a
    /// change, if the logits are not made by such a layer, or the graph has a tensor of that name.
    pub fn give_features(&mut self) -> Option<Features> {
        let graph = self.model.graph.as_mut()?;
        let (tensor, width) = features_of(graph)?;
        if tensor != FEATURES {
            if is_used(graph, FEATURES) || graph.input.iter().any(|i| i.name() == tensor) {
                return None;
            }
            rename(graph, &tensor, FEATURES);
        }
        graph.output.push(value_info(FEATURES, &[-1, width as i64]));
        Some(Features { output: FEATURES.to_owned(), width })
    }

    /// The model's bytes, in the format that this program writes.
    pub fn finish(mut self) -> Vec<u8> {
        let format = self.model.metadata_props.iter_mut().find(|p| p.key() == METADATA_FORMAT);
        if let Some(format) = format {
            format.value = Some(manifest::FORMAT.to_string());
        }
        self.model.encode_to_vec()
    }
}

/// The tensor that the last fully connected layer takes, and its width.
fn features_of(graph: &GraphProto) -> Option<(String, usize)> {
    let weight = |name: &str| graph.initializer.iter().find(|tensor| tensor.name() == name);
    let mut tensor = LOGITS.to_owned();
    for _ in 0..MOST_NODES {
        let node = graph.node.iter().find(|node| node.output.contains(&tensor))?;
        let [first, rest @ ..] = &node.input[..] else { return None };
        let second = rest.first().and_then(|name| weight(name));
        match (node.op_type(), second) {
            ("Gemm", Some(matrix)) if !is_set(node, "transA") => {
                let axis = usize::from(is_set(node, "transB"));
                return Some((first.clone(), width(matrix, axis)?));
            }
            ("MatMul", Some(matrix)) => return Some((first.clone(), width(matrix, 0)?)),
            ("Add", Some(_)) | ("Identity" | "Reshape" | "Flatten" | "Squeeze", _) => {
                tensor.clone_from(first);
            }
            ("Add", None) if weight(first).is_some() => tensor.clone_from(rest.first()?),
            _ => return None,
        }
    }
    None
}

/// Whether an attribute is a number other than 0.
fn is_set(node: &NodeProto, attribute: &str) -> bool {
    node.attribute.iter().any(|a| a.name() == attribute && a.i() != 0)
}

/// The size of a matrix along an axis.
fn width(matrix: &TensorProto, axis: usize) -> Option<usize> {
    let [_, _] = matrix.dims[..] else { return None };
    usize::try_from(matrix.dims[axis]).ok().filter(|&width| width > 0)
}

fn is_used(graph: &GraphProto, name: &str) -> bool {
    let of_nodes = graph.node.iter().flat_map(|node| node.input.iter().chain(&node.output));
    let mut names: HashSet<&str> = of_nodes.map(String::as_str).collect();
    names.extend(graph.initializer.iter().map(TensorProto::name));
    names.contains(name)
}

/// Renames a tensor that a node makes.
fn rename(graph: &mut GraphProto, from: &str, to: &str) {
    let of_nodes =
        graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
    of_nodes.filter(|name| *name == from).for_each(|name| to.clone_into(name));
    for value in graph.value_info.iter_mut().chain(&mut graph.output) {
        if value.name() == from {
            value.name = Some(to.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Attribute, GraphBuilder, INPUT, PROBABILITIES, proto::ValueInfoProto};

    /// Pooled features, then a fully connected layer written in one of the ways of exporters.
    fn model(layer: &str) -> Vec<u8> {
        let mut graph = GraphBuilder::new("test");
        graph.input(INPUT, &[-1, 3, 8]);
        let mean = [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(0))];
        graph.node("ReduceMean", &[INPUT], "pooled", &mean);
        let weights = [0.5; 6];
        match layer {
            "Gemm" => {
                graph.tensor("w", &[2, 3], &weights);
                graph.tensor("b", &[2], &[0.0; 2]);
                let transposed = [("transB", Attribute::Int(1))];
                graph.node("Gemm", &["pooled", "w", "b"], LOGITS, &transposed);
            }
            "MatMul" => {
                graph.tensor("w", &[3, 2], &weights);
                graph.tensor("b", &[2], &[0.0; 2]);
                graph.node("MatMul", &["pooled", "w"], "product", &[]);
                graph.node("Add", &["b", "product"], "sum", &[]);
                graph.node("Identity", &["sum"], LOGITS, &[]);
            }
            _ => {
                graph.node(layer, &["pooled"], LOGITS, &[]);
            }
        }
        graph.node("Softmax", &[LOGITS], PROBABILITIES, &[("axis", Attribute::Int(1))]);
        graph.output(PROBABILITIES, &[-1, 2]);
        graph.output(LOGITS, &[-1, 2]);
        graph.metadata(METADATA_FORMAT, "1");
        graph.finish("test")
    }

    fn graph(bytes: &[u8]) -> GraphProto {
        ModelProto::decode(bytes).unwrap().graph.unwrap()
    }

    #[test]
    fn the_input_of_the_last_layer_becomes_an_output_however_it_is_written() {
        for layer in ["Gemm", "MatMul"] {
            let mut last = LastLayer::of(&model(layer)).unwrap();
            let features = last.give_features();
            assert_eq!(
                features,
                Some(Features { output: FEATURES.to_owned(), width: 3 }),
                "{layer}"
            );
            let bytes = last.finish();
            let graph = graph(&bytes);
            assert_eq!(graph.output.last().map(ValueInfoProto::name), Some(FEATURES));
            assert_eq!(graph.node[0].output, [FEATURES]);
            assert!(graph.node.iter().all(|node| !node.input.contains(&"pooled".to_owned())));
            let format = ModelProto::decode(&bytes[..]).unwrap().metadata_props.remove(0);
            assert_eq!(format.value(), manifest::FORMAT.to_string());
        }
    }

    #[test]
    fn logits_that_no_such_layer_makes_have_no_features() {
        let mut last = LastLayer::of(&model("Relu")).unwrap();
        assert_eq!(last.give_features(), None);
        assert_eq!(graph(&last.finish()).output.len(), 2);
        assert!(LastLayer::of(b"no model").is_err());
    }
}
