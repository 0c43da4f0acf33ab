//! Finds soft thresholds and garrotes in a graph by what they compute, without names or patterns.
//!
//! Every tensor x from which element-wise operators make a tensor y is a candidate. It is measured
//! while the model runs (`measure`), and what is not refuted is proved (`prove`): its nodes run alone
//! on features and thresholds of our own, and must shrink by the threshold that they are given. The
//! tensor through which they are given it is the threshold's.

mod candidates;
mod channels;
mod describe;
mod measure;
mod operators;
mod prove;
mod region;
mod share;

use std::collections::HashSet;

use ndarray::ArrayD;

use self::{
    candidates::{Candidate, candidates},
    prove::{Proof, prove},
};
use crate::{
    ImportError,
    graph::Graph,
    report::Form,
    run::{Runner, Tensors},
};

/// Most pairs that are tried without a tensor that may be their threshold's. They are only counted, and long
/// chains of operators have hundreds of thousands.
const MOST_ALONE: usize = 500;

/// A threshold that was proved.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The features before shrinkage, with their shape in the probe and the axis of the channels.
    pub(crate) features: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) axis: usize,
    /// The features after it.
    pub(crate) shrunk: Shrunk,
    /// The threshold's tensor.
    pub(crate) tau: Tau,
    pub(crate) form: Form,
    /// Whether all channels have one threshold.
    pub(crate) is_shared: bool,
    /// Whether features of exactly zero make numbers that are not finite.
    pub(crate) fails_at_zero: bool,
    /// Whether features below the threshold become zero only up to rounding.
    pub(crate) is_rounded: bool,
    /// The least and the largest share of τ in the mean magnitude, for features of our own; `None` if
    /// the threshold does not come from the features alone.
    pub(crate) share: Option<[f32; 2]>,
    /// The operators from features to shrunk ones.
    pub(crate) operators: Vec<String>,
    order: usize,
}

/// The tensor with the shrunk features.
#[derive(Debug, Clone)]
pub(crate) struct Shrunk {
    pub(crate) tensor: String,
    pub(crate) shape: Vec<usize>,
    /// The axis with the channels; `None` if its elements are in the order of the features, but not
    /// in their shape.
    pub(crate) axis: Option<usize>,
    /// Whether its elements are in the shape and the order of the features.
    pub(crate) is_in_place: bool,
}

/// The tensor with the threshold, and how it becomes one number for each channel.
#[derive(Debug, Clone)]
pub(crate) struct Tau {
    pub(crate) tensor: String,
    pub(crate) shape: Vec<usize>,
    /// So many times the tensor is the threshold.
    pub(crate) factor: f32,
    /// The axis that stays; all others are constant.
    pub(crate) axis: usize,
    /// Whether each number is for neighbouring channels, or all numbers are repeated in turn; it
    /// matters if there are fewer than channels.
    pub(crate) is_for_neighbours: bool,
}

/// What was found, and what was only nearly so.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// In the order in which the network computes them.
    pub(crate) found: Vec<Found>,
    /// Soft thresholds whose τ does not depend on the input.
    pub(crate) constant: usize,
    /// Soft thresholds with a τ for each position instead of each channel.
    pub(crate) positional: usize,
}

/// Tensors that [`search`] needs of a run.
pub(crate) fn needed(graph: &Graph<'_>) -> Vec<String> {
    candidates::needed(graph)
}

/// Searches a graph. `probe` is what the model computed for two rows of noise.
///
/// # Errors
/// [`ImportError`] if the runtime fails.
pub(crate) fn search(
    graph: &Graph<'_>,
    runner: Runner<'_>,
    probe: &Tensors,
    tolerance: f32,
) -> Result<Search, ImportError> {
    let mut search = Search::default();
    let mut taken: HashSet<usize> = HashSet::new();
    let mut constant: Vec<Vec<usize>> = Vec::new();
    let mut alone = 0;
    let mut plausible = candidates(graph, probe, tolerance);
    // The shortest way first: a longer one is the same threshold with something around it.
    plausible.sort_by_key(|candidate| (candidate.region.len(), candidate.order));
    for candidate in plausible {
        if candidate.region.iter().any(|node| taken.contains(node)) {
            continue;
        }
        if region::entering(graph, &candidate.region, &candidate.x).is_empty() {
            alone += 1;
            if alone > MOST_ALONE {
                continue;
            }
        }
        match prove(graph, runner, probe, &candidate, tolerance) {
            Proof::Refuted => (),
            Proof::Constant => constant.push(candidate.region),
            Proof::Proved(proved) => {
                taken.extend(&candidate.region);
                let described = describe::describe(graph, probe, &candidate, &proved, tolerance)?;
                let Some(mut found) = described else {
                    search.positional += 1;
                    continue;
                };
                found.share = share::share(graph, runner, probe, &found);
                search.found.push(found);
            }
        }
    }
    // A part of a threshold that was proved may be one with a constant τ.
    for region in constant {
        if region.iter().all(|node| !taken.contains(node)) {
            taken.extend(region);
            search.constant += 1;
        }
    }
    search.found.sort_by_key(|found| found.order);
    Ok(search)
}

/// The values of the shrunk features in the order of the features.
fn aligned(candidate: &Candidate, shrunk: &ArrayD<f32>) -> Vec<f32> {
    let shrunk = shrunk.as_slice_memory_order().unwrap_or_default();
    match &candidate.positions {
        None => shrunk.to_vec(),
        Some(positions) => positions
            .iter()
            .map(|&at| shrunk.get(at as usize).copied().unwrap_or(f32::NAN))
            .collect(),
    }
}

pub(crate) use measure::{FINE, ROUGH};
