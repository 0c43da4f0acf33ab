//! What a model must not contain, each with a sentence for the person who exports it.

use drsn_bundle::onnx::proto::{AttributeProto, GraphProto, NodeProto};

use super::{MAX_NODES, is_standard};
use crate::{ImportError, error::refuse, graph::attribute};

/// Operators whose results are random.
const RANDOM: [&str; 6] = [
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
];
/// Operators with graphs inside.
const CONTROL_FLOW: [&str; 4] = ["If", "Loop", "Scan", "SequenceMap"];

/// Refuses operators that cannot be served.
///
/// # Errors
/// [`ImportError::Refused`] with the first one.
pub(super) fn check_operators(graph: &GraphProto) -> Result<(), ImportError> {
    if graph.node.len() > MAX_NODES {
        return refuse(format!(
            "the model has {} nodes, and at most {MAX_NODES} can be imported",
            graph.node.len()
        ));
    }
    graph.node.iter().try_for_each(check_operator)
}

fn check_operator(node: &NodeProto) -> Result<(), ImportError> {
    let (domain, operator) = (node.domain(), node.op_type());
    if !is_standard(domain) {
        return refuse(format!(
            "the model uses the operator {domain}.{operator}: {}",
            advice(domain, operator)
        ));
    }
    if CONTROL_FLOW.contains(&operator) || node.attribute.iter().any(has_graph) {
        return refuse(format!(
            "the model has control flow (the operator {operator}), in which thresholds cannot be \
             found: export it without branches and loops that depend on the input"
        ));
    }
    check_inference(node)?;
    let others = |a: &AttributeProto| {
        a.sparse_tensor.is_some() || !a.sparse_tensors.is_empty() || !a.tensors.is_empty()
    };
    if node.attribute.iter().any(others) {
        return refuse(format!(
            "the operator {operator} holds sparse tensors or a list of tensors, which cannot be served"
        ));
    }
    Ok(())
}

/// Refuses operators whose results are not a matter of the input alone.
fn check_inference(node: &NodeProto) -> Result<(), ImportError> {
    let operator = node.op_type();
    if RANDOM.contains(&operator) {
        return refuse(format!(
            "the model draws random numbers (the operator {operator}): export it for inference, in \
             PyTorch after model.eval()"
        ));
    }
    if operator == "BatchNormalization"
        && attribute(node, "training_mode").is_some_and(|a| a.i() != 0)
    {
        return refuse(
            "the model has batch normalisation in training mode (the operator BatchNormalization), so that \
             its answer depends on the other inputs of its batch: export it for inference, in PyTorch \
             after model.eval()",
        );
    }
    if operator == "DynamicQuantizeLinear" {
        return refuse(
            "the model is quantised dynamically: its scales are of the whole batch, so that an answer \
             depends on the other inputs in its batch; import the model as it was before, or quantise \
             it statically",
        );
    }
    Ok(())
}

fn has_graph(attribute: &AttributeProto) -> bool {
    attribute.g.is_some() || !attribute.graphs.is_empty()
}

/// Parts of the names of operators that ONNX Runtime's quantiser writes.
const QUANTISED: [&str; 5] = ["uantize", "QLinear", "QGemm", "Integer", "NBits"];

/// What to do about an operator of a domain.
fn advice(domain: &str, operator: &str) -> &'static str {
    if domain == "com.microsoft" && QUANTISED.iter().any(|part| operator.contains(part)) {
        "only ONNX's standard operators can be served, and ONNX Runtime's quantiser writes its own: quantise \
         with quant_format=QuantFormat.QDQ and 8 bits, or import the model as it was before"
    } else if domain.starts_with("ai.onnx.ml") {
        "only ONNX's standard operators can be served, and not those of classical machine learning: export \
         the network alone, which takes and returns arrays of numbers (with skl2onnx \
         options={'zipmap': False})"
    } else if domain.starts_with("com.microsoft") || domain.starts_with("ai.onnx.") {
        "only ONNX's standard operators can be served; ONNX Runtime writes its own when it optimises \
         a model: import the model as it was before it was optimised"
    } else if domain.starts_with("com.mathworks") {
        "MATLAB could not export this layer and wrote a placeholder for it: replace the layer by \
         standard ones before exportONNXNetwork"
    } else {
        "only ONNX's standard operators can be served: export the model without custom operators"
    }
}
