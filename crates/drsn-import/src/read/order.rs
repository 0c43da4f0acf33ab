//! The order of the nodes: each after those whose outputs it takes.

use std::collections::{BTreeSet, HashMap, HashSet};

use drsn_bundle::onnx::proto::{GraphProto, TensorProto, ValueInfoProto};

use super::{inputs, outputs};
use crate::{ImportError, error::refuse};

/// Sorts the nodes, and drops inputs that are weights and whatever no output needs.
///
/// # Errors
/// [`ImportError::Refused`] for nodes in a circle, tensors made twice, and tensors that nothing
/// makes.
pub(crate) fn sort(graph: &mut GraphProto) -> Result<(), ImportError> {
    check_names(graph)?;
    let weights: HashSet<String> =
        graph.initializer.iter().map(|tensor| tensor.name().to_owned()).collect();
    graph.input.retain(|input| !weights.contains(input.name()));
    let order = order(graph)?;
    let mut nodes: Vec<_> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.into_iter().filter_map(|at| nodes.get_mut(at)?.take()).collect();
    Ok(())
}

fn check_names(graph: &GraphProto) -> Result<(), ImportError> {
    let weights: HashSet<&str> = graph.initializer.iter().map(TensorProto::name).collect();
    if weights.len() < graph.initializer.len() {
        return refuse("two weights have the same name: the model is damaged");
    }
    let mut made = weights.clone();
    // A weight may also be listed as an input, which gives it a default.
    let given = graph.input.iter().map(ValueInfoProto::name).filter(|name| !weights.contains(name));
    for name in graph.node.iter().flat_map(outputs).map(String::as_str).chain(given) {
        if !made.insert(name) {
            return refuse(format!("the tensor \"{name}\" is made twice: the model is damaged"));
        }
    }
    let taken = graph.node.iter().flat_map(inputs).map(String::as_str);
    for name in taken.chain(graph.output.iter().map(ValueInfoProto::name)) {
        if !made.contains(name) {
            return refuse(format!("nothing makes the tensor \"{name}\": the model is damaged"));
        }
    }
    Ok(())
}

/// The positions of the nodes in an order in which they can run, as near to the given one as
/// possible.
fn order(graph: &GraphProto) -> Result<Vec<usize>, ImportError> {
    let made_by: HashMap<&String, usize> = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(at, node)| outputs(node).map(move |name| (name, at)))
        .collect();
    let mut waits_for: Vec<usize> = vec![0; graph.node.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (at, node) in graph.node.iter().enumerate() {
        let sources: BTreeSet<usize> =
            inputs(node).filter_map(|name| made_by.get(name).copied()).collect();
        waits_for[at] = sources.len();
        for source in sources {
            followers[source].push(at);
        }
    }
    let mut ready: BTreeSet<usize> =
        (0..waits_for.len()).filter(|&at| waits_for[at] == 0).collect();
    let mut order = Vec::with_capacity(waits_for.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for &follower in &followers[at] {
            waits_for[follower] -= 1;
            if waits_for[follower] == 0 {
                ready.insert(follower);
            }
        }
    }
    if order.len() < graph.node.len() {
        return refuse("the model has nodes in a circle: it is damaged");
    }
    Ok(order)
}
