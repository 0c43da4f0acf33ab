//! Pairs of tensors that may be features before and after shrinkage.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use drsn_bundle::onnx::proto::NodeProto;

use super::{
    measure::{Layout, Measured, keeps_signs, measure, seem_unlike},
    operators::{is_before, is_between, is_element_wise},
    region,
};
use crate::{
    graph::{Graph, attribute, is_float},
    read::{inputs, outputs},
    report::Form,
    run::Tensors,
};

/// Most tensors to go back from y.
const MOST_BACK: usize = 60;

/// The positions in y of the elements of another tensor; `None` if they are the same.
pub(super) type Positions = Option<Rc<Vec<u32>>>;

/// A pair that the run did not refute.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) form: Form,
    /// For each element of x its position in y.
    pub(super) positions: Positions,
    /// The nodes on the ways from x to y, sorted.
    pub(super) region: Vec<usize>,
    /// The axes of x, each with what was measured if it has the channels.
    pub(super) measured: Vec<(usize, Measured)>,
    /// The position of the node that makes y.
    pub(super) order: usize,
}

/// The tensors whose values the search needs: whatever element-wise and moving operators take and
/// make, and sizes.
pub(super) fn needed(graph: &Graph<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for node in &graph.proto.node {
        let are_sizes = matches!(node.op_type(), "Shape" | "Size");
        let taken = inputs(node).filter(|name| !are_sizes && graph.varies(name));
        let made = outputs(node).filter(|name| are_sizes || graph.varies(name));
        if are_sizes || is_before(node) {
            for name in taken.chain(made) {
                if seen.insert(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    names
}

/// The pairs that the run does not refute.
pub(super) fn candidates(graph: &Graph<'_>, probe: &Tensors, tolerance: f32) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (order, node) in graph.proto.node.iter().enumerate() {
        if !is_element_wise(node) {
            continue;
        }
        for y in outputs(node).filter(|y| is_feature(graph, probe, y)) {
            for (x, positions) in back(graph, probe, y) {
                found.extend(candidate(graph, probe, tolerance, (&x, y, order), positions));
            }
        }
    }
    found
}

fn is_feature(graph: &Graph<'_>, probe: &Tensors, name: &str) -> bool {
    let shape = probe.get(name).map_or(&[][..], |tensor| tensor.shape());
    shape.len() >= 2 && graph.varies(name) && is_float(graph.element_type(name))
}

fn candidate(
    graph: &Graph<'_>,
    probe: &Tensors,
    tolerance: f32,
    (x, y, order): (&str, &str, usize),
    positions: Positions,
) -> Option<Candidate> {
    let mut candidate = Candidate {
        x: x.to_owned(),
        y: y.to_owned(),
        form: Form::Soft,
        positions,
        region: Vec::new(),
        measured: Vec::new(),
        order,
    };
    let (features, shrunk) = (probe.get(x)?, probe.get(y)?);
    let (values, moved) = (features.as_slice()?, shrunk.as_slice()?);
    let place = |at: usize| candidate.positions.as_ref().map_or(at, |to| to[at] as usize);
    if !is_feature(graph, probe, x) || seem_unlike(values, |at| moved[place(at)]) {
        return None;
    }
    let shrunk = super::aligned(&candidate, shrunk);
    if !keeps_signs(values, &shrunk, tolerance) {
        return None;
    }
    for form in [Form::Soft, Form::Garrote] {
        let shape = features.shape();
        let measured = (1..shape.len()).filter_map(|axis| {
            let layout = Layout::new(shape, axis);
            Some((axis, measure(values, &shrunk, layout, form, tolerance)?))
        });
        candidate.measured = measured.collect();
        if !candidate.measured.is_empty() {
            candidate.form = form;
            candidate.region = region::between(graph, x, y);
            return Some(candidate);
        }
    }
    None
}

/// Goes back from y, and returns every tensor of its size with the positions of its elements in y.
pub(super) fn back(graph: &Graph<'_>, probe: &Tensors, y: &str) -> Vec<(String, Positions)> {
    let Some(size) = probe.get(y).map(ndarray::ArrayD::len) else { return Vec::new() };
    let mut seen: HashMap<&str, Positions> = HashMap::new();
    let mut ways: Vec<(String, Positions)> = Vec::new();
    let mut next: Vec<(usize, Positions)> =
        graph.maker(y).map(|at| (at, None)).into_iter().collect();
    while let Some((at, positions)) = next.pop() {
        let node = graph.node(at);
        for name in inputs(node) {
            let is_full = probe.get(name).is_some_and(|tensor| tensor.len() == size);
            if !is_full || !graph.varies(name) || seen.contains_key(name.as_str()) {
                continue;
            }
            let Some(moved) = moved(node, probe, &positions) else { continue };
            seen.insert(name, moved.clone());
            ways.push((name.clone(), moved.clone()));
            if ways.len() >= MOST_BACK {
                return ways;
            }
            let maker = graph.maker(name).filter(|&at| is_between(graph.node(at)));
            next.extend(maker.map(|at| (at, moved)));
        }
    }
    ways
}

/// The positions of the elements of a node's input, from those of its output.
fn moved(node: &NodeProto, probe: &Tensors, positions: &Positions) -> Option<Positions> {
    if node.op_type() != "Transpose" {
        return Some(positions.clone());
    }
    let from = probe.get(node.input.first()?)?.shape();
    let axes: Vec<usize> = match attribute(node, "perm") {
        Some(perm) => perm.ints.iter().map(|&axis| axis as usize).collect(),
        None => (0..from.len()).rev().collect(),
    };
    // Where each element of the input is in the output.
    let size = from.iter().product::<usize>();
    let to: Vec<usize> = axes.iter().map(|&axis| from.get(axis).copied()).collect::<Option<_>>()?;
    let mut steps = vec![0; from.len()];
    let mut step = 1;
    for (at, &axis) in axes.iter().enumerate().rev() {
        steps[axis] = step;
        step *= to[at];
    }
    let mut moved = Vec::with_capacity(size);
    for element in 0..size {
        let (mut rest, mut at) = (element, 0);
        for axis in (0..from.len()).rev() {
            at += rest % from[axis] * steps[axis];
            rest /= from[axis];
        }
        let at = u32::try_from(at).ok()?;
        moved.push(positions.as_ref().map_or(at, |positions| positions[at as usize]));
    }
    Some(Some(Rc::new(moved)))
}
