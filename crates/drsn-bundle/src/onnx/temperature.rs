//! The temperature of a graph: what its logits are divided by before the softmax that makes the
//! probabilities of them. It is in the graph, so that every runtime gives the same probabilities.

use prost::Message as _;

use super::{
    PROBABILITIES,
    proto::{GraphProto, ModelProto, NodeProto, TensorProto, tensor_proto::DataType},
};
use crate::BundleError;

/// The number, and the logits divided by it.
const TEMPERATURE: &str = "temperature";
const CALIBRATED: &str = "calibrated_logits";

/// The temperature of a model: 1 if its graph has none.
pub(super) fn temperature(graph: &GraphProto) -> f32 {
    let is_temperature = |tensor: &&TensorProto| tensor.name() == TEMPERATURE;
    let bytes = graph.initializer.iter().find(is_temperature).map(TensorProto::raw_data);
    let number = bytes.and_then(|bytes| Some(f32::from_le_bytes(bytes.try_into().ok()?)));
    divided(graph).and(number).unwrap_or(1.0)
}

/// The model with a temperature, instead of the one that it may have; `None` if no softmax makes its
/// probabilities.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_temperature(model: &[u8], temperature: f32) -> Result<Option<Vec<u8>>, BundleError> {
    let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
    let mut model = ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))?;
    let graph = model.graph.as_mut().ok_or_else(|| wrong("it has no graph"))?;
    if let Some(logits) = divided(graph).map(str::to_owned) {
        graph.node.retain(|node| !makes(node, CALIBRATED));
        graph.initializer.retain(|tensor| tensor.name() != TEMPERATURE);
        set_input(graph, logits);
    }
    let Some(logits) = softmax(graph).and_then(|at| graph.node[at].input.first().cloned()) else {
        return Ok(None);
    };
    // Exactly 1 leaves the graph as it is.
    if temperature.total_cmp(&1.0).is_ne() {
        graph.initializer.push(TensorProto {
            data_type: Some(DataType::Float as i32),
            name: Some(TEMPERATURE.to_owned()),
            raw_data: Some(temperature.to_le_bytes().to_vec()),
            ..TensorProto::default()
        });
        let divide = NodeProto {
            input: vec![logits, TEMPERATURE.to_owned()],
            output: vec![CALIBRATED.to_owned()],
            name: Some(CALIBRATED.to_owned()),
            op_type: Some("Div".to_owned()),
            ..NodeProto::default()
        };
        // The order of nodes is that of the data flow.
        let place = softmax(graph).unwrap_or(graph.node.len());
        graph.node.insert(place, divide);
        set_input(graph, CALIBRATED.to_owned());
    }
    Ok(Some(model.encode_to_vec()))
}

/// The softmax of the probabilities.
fn softmax(graph: &GraphProto) -> Option<usize> {
    graph.node.iter().position(|node| node.op_type() == "Softmax" && makes(node, PROBABILITIES))
}

fn makes(node: &NodeProto, tensor: &str) -> bool {
    node.output.iter().any(|output| output == tensor)
}

/// Sets the input of the softmax.
fn set_input(graph: &mut GraphProto, tensor: String) {
    if let Some(at) = softmax(graph) {
        graph.node[at].input = vec![tensor];
    }
}

/// The logits that are divided by the temperature; `None` if there is none.
fn divided(graph: &GraphProto) -> Option<&str> {
    let input = graph.node[softmax(graph)?].input.first()?;
    let divide = graph.node.iter().find(|node| input == CALIBRATED && makes(node, CALIBRATED))?;
    match &divide.input[..] {
        [logits, temperature] if divide.op_type() == "Div" && temperature == TEMPERATURE => {
            Some(logits)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Attribute, GraphBuilder, INPUT, LOGITS};

    fn model() -> Vec<u8> {
        let mut graph = GraphBuilder::new("test");
        graph.input(INPUT, &[-1, 3]);
        graph.node("Identity", &[INPUT], LOGITS, &[]);
        graph.node("Softmax", &[LOGITS], PROBABILITIES, &[("axis", Attribute::Int(1))]);
        graph.output(PROBABILITIES, &[-1, 3]);
        graph.finish("test")
    }

    fn found(model: &[u8]) -> f32 {
        temperature(ModelProto::decode(model).unwrap().graph.as_ref().unwrap())
    }

    #[test]
    fn a_temperature_is_set_changed_and_taken_away() {
        let plain = model();
        assert!((found(&plain) - 1.0).abs() < f32::EPSILON);
        let warm = with_temperature(&plain, 1.5).unwrap().unwrap();
        assert!((found(&warm) - 1.5).abs() < f32::EPSILON);
        let warmer = with_temperature(&warm, 2.0).unwrap().unwrap();
        assert!((found(&warmer) - 2.0).abs() < f32::EPSILON);
        assert_eq!(with_temperature(&warmer, 1.0).unwrap().unwrap(), plain);
        let operators = ModelProto::decode(&warm[..]).unwrap().graph.unwrap().node;
        assert!(operators.iter().map(NodeProto::op_type).eq(["Identity", "Div", "Softmax"]));
    }

    #[test]
    fn probabilities_that_no_softmax_makes_have_no_temperature() {
        let mut graph = GraphBuilder::new("test");
        graph.input(INPUT, &[-1, 3]);
        graph.node("Sigmoid", &[INPUT], PROBABILITIES, &[]);
        assert_eq!(with_temperature(&graph.finish("test"), 2.0).unwrap(), None);
        assert!(with_temperature(b"no model", 2.0).is_err());
    }
}
