//! The nodes between features and shrunk features, and the tensors that enter there.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::operators::{is_before, is_between};
use crate::{graph::Graph, read::inputs};

/// Most tensors that are tried as the threshold's.
const MOST_CUTS: usize = 8;
/// Most nodes between the threshold's tensor and where it meets the features.
const MOST_NEAR: usize = 60;
/// Most nodes to look at between features and shrunk features.
const MOST_BETWEEN: usize = 400;

/// The nodes on the ways from x to y over element-wise and moving operators, sorted.
pub(super) fn between(graph: &Graph<'_>, x: &str, y: &str) -> Vec<usize> {
    let mut leads: HashMap<usize, bool> = HashMap::new();
    let Some(last) = graph.maker(y) else { return Vec::new() };
    leads_from(graph, x, last, &mut leads);
    let mut region: Vec<usize> =
        leads.iter().filter(|(_, leads)| **leads).map(|(&at, _)| at).collect();
    region.sort_unstable();
    region
}

/// Whether a node is on a way from x; fills `leads` for it and all nodes before it.
fn leads_from(graph: &Graph<'_>, x: &str, last: usize, leads: &mut HashMap<usize, bool>) {
    // Nodes are visited after those before them: the order of the graph does that.
    let mut before = BTreeSet::from([last]);
    let mut open = vec![last];
    while let Some(at) = open.pop() {
        for maker in inputs(graph.node(at)).filter(|name| *name != x).filter_map(|n| graph.maker(n))
        {
            if before.len() < MOST_BETWEEN && is_between(graph.node(maker)) && before.insert(maker)
            {
                open.push(maker);
            }
        }
    }
    for at in before {
        let is_on_way = inputs(graph.node(at)).any(|name| {
            name == x || graph.maker(name).is_some_and(|maker| leads.get(&maker) == Some(&true))
        });
        leads.insert(at, is_on_way);
    }
}

/// The tensors that enter a region, apart from x, and depend on the input.
pub(super) fn entering(graph: &Graph<'_>, region: &[usize], x: &str) -> Vec<String> {
    let inside: HashSet<usize> = region.iter().copied().collect();
    let mut entering = Vec::new();
    for name in region.iter().flat_map(|&at| inputs(graph.node(at))) {
        let is_inside = graph.maker(name).is_some_and(|at| inside.contains(&at));
        if !is_inside && name != x && graph.varies(name) && !entering.contains(name) {
            entering.push(name.clone());
        }
    }
    entering
}

/// Tensors from any one of which everything that enters can be computed by simple operators, each
/// with the nodes for that, sorted. The last one that the network computes is first.
pub(super) fn cuts(graph: &Graph<'_>, entering: &[String]) -> Vec<(String, Vec<usize>)> {
    let mut near: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<&str> = entering.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        let Some(at) = graph.maker(name) else { continue };
        if near.len() < MOST_NEAR && near.insert(at) && is_before(graph.node(at)) {
            open.extend(
                inputs(graph.node(at)).map(String::as_str).filter(|name| graph.varies(name)),
            );
        }
    }
    let tensors = near.iter().rev().flat_map(|&at| &graph.node(at).output);
    tensors
        .filter_map(|cut| {
            let mut nodes = BTreeSet::new();
            let is_cut =
                entering.iter().all(|name| computable(graph, name, cut, (&near, &mut nodes)));
            is_cut.then(|| (cut.clone(), nodes.into_iter().collect()))
        })
        .take(MOST_CUTS)
        .collect()
}

/// Whether a tensor can be computed from the cut by nodes that are near; adds them.
fn computable(
    graph: &Graph<'_>,
    name: &str,
    cut: &str,
    (near, nodes): (&BTreeSet<usize>, &mut BTreeSet<usize>),
) -> bool {
    if name == cut || !graph.varies(name) {
        return true;
    }
    let is_usable = |at: &usize| near.contains(at) && is_before(graph.node(*at));
    let Some(at) = graph.maker(name).filter(is_usable) else { return false };
    if nodes.contains(&at) {
        return true;
    }
    let can = inputs(graph.node(at)).all(|name| computable(graph, name, cut, (near, nodes)));
    if can {
        nodes.insert(at);
    }
    can
}
