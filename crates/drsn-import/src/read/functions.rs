//! Functions that a model defines: each call becomes the nodes of the function.

use std::collections::HashMap;

use drsn_bundle::onnx::proto::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto,
};

use super::{MAX_NODES, is_standard};
use crate::{ImportError, error::refuse};

/// From this operator set on most operators stay as they are.
const OLDEST_ALIKE: i64 = 13;
/// Operators that have changed since, by the beginnings of their names.
const CHANGED: [&str; 8] = [
    "Reduce",
    "Split",
    "Pad",
    "Resize",
    "BatchNormalization",
    "GroupNormalization",
    "GridSample",
    "DFT",
];
/// Deepest nesting of calls.
const MAX_DEPTH: usize = 32;

/// Replaces every call of one of the functions, also in functions, by the function's nodes.
///
/// # Errors
/// [`ImportError::Refused`] if functions call themselves or need another operator set.
pub(super) fn inline(
    graph: &mut GraphProto,
    functions: &[FunctionProto],
    operator_set: i64,
) -> Result<(), ImportError> {
    let by_name: HashMap<_, _> =
        functions.iter().map(|f| ((domain(f.domain()), f.name(), f.overload()), f)).collect();
    let mut calls = 0;
    // A function may call others: each round replaces one level of calls.
    for _ in 0..MAX_DEPTH {
        let mut is_done = true;
        let mut nodes = Vec::with_capacity(graph.node.len());
        for node in std::mem::take(&mut graph.node) {
            let key = (domain(node.domain()), node.op_type(), node.overload());
            let Some(function) = by_name.get(&key) else {
                nodes.push(node);
                continue;
            };
            check_operator_set(function, operator_set)?;
            calls += 1;
            is_done = false;
            nodes.extend(expand(&node, function, calls));
            if nodes.len() > MAX_NODES {
                return refuse(format!(
                    "the model's functions expand to more than {MAX_NODES} nodes: export it without \
                     functions"
                ));
            }
        }
        graph.node = nodes;
        if is_done {
            return Ok(());
        }
    }
    refuse("the model's functions call each other without end: export it without functions")
}

fn domain(domain: &str) -> &str {
    if is_standard(domain) { "" } else { domain }
}

/// A function may be written for another operator set than the model, as those of `PyTorch`'s
/// exporter are, if its operators mean the same in both.
fn check_operator_set(function: &FunctionProto, operator_set: i64) -> Result<(), ImportError> {
    let standard = function.opset_import.iter().find(|set| is_standard(set.domain()));
    let Some(version) = standard.map(OperatorSetIdProto::version) else { return Ok(()) };
    let is_changed = |node: &NodeProto| {
        CHANGED.iter().any(|start| is_standard(node.domain()) && node.op_type().starts_with(start))
    };
    let is_old = version.min(operator_set) < OLDEST_ALIKE;
    if version == operator_set || !(is_old || function.node.iter().any(is_changed)) {
        return Ok(());
    }
    refuse(format!(
        "the model's function {} is written for operator set {version} and the model for \
         {operator_set}: export it without functions",
        function.name()
    ))
}

/// The nodes of one call. Tensors inside get a prefix of their own.
fn expand(call: &NodeProto, function: &FunctionProto, number: usize) -> Vec<NodeProto> {
    let prefix = format!("call{number}");
    let mut names: HashMap<&str, String> = HashMap::new();
    for (position, formal) in function.input.iter().enumerate() {
        // An optional input that is not given stays empty inside.
        names.insert(formal, call.input.get(position).cloned().unwrap_or_default());
    }
    for (formal, actual) in function.output.iter().zip(&call.output) {
        if !actual.is_empty() {
            names.insert(formal, actual.clone());
        }
    }
    let rename = |name: &String| match names.get(name.as_str()) {
        Some(actual) => actual.clone(),
        None if name.is_empty() => String::new(),
        None => format!("{prefix}/{name}"),
    };
    function
        .node
        .iter()
        .map(|node| NodeProto {
            input: node.input.iter().map(rename).collect(),
            output: node.output.iter().map(rename).collect(),
            name: Some(format!("{prefix}/{}", node.name())),
            attribute: node.attribute.iter().filter_map(|a| bound(a, call, function)).collect(),
            ..node.clone()
        })
        .collect()
}

/// An attribute inside of a function, with the value that the call or the function gives it.
fn bound(
    attribute: &AttributeProto,
    call: &NodeProto,
    function: &FunctionProto,
) -> Option<AttributeProto> {
    let reference = attribute.ref_attr_name();
    if reference.is_empty() {
        return Some(attribute.clone());
    }
    let given = call.attribute.iter().chain(&function.attribute_proto);
    let value = given.into_iter().find(|a| a.name() == reference)?;
    Some(AttributeProto { name: attribute.name.clone(), ..value.clone() })
}
