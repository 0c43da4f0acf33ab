//! Describes a threshold that was proved: where its channels are, and how its tensor becomes one
//! number for each.

use ndarray::{Array2, ArrayD, Axis};

use super::{
    Found, Shrunk, Tau,
    candidates::{Candidate, back},
    channels,
    measure::{Layout, Measured, keeps_signs, measure},
    prove::Proved,
};
use crate::{ImportError, error::refuse, graph::Graph, read::inputs, run::Tensors};

/// Operators that change neither values nor their number.
const SAME: [&str; 7] =
    ["Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// Describes a proved candidate; `None` if each position has a threshold, and not each channel.
///
/// # Errors
/// [`ImportError::Refused`] if the threshold is none for each channel.
pub(super) fn describe(
    graph: &Graph<'_>,
    probe: &Tensors,
    candidate: &Candidate,
    proved: &Proved,
    tolerance: f32,
) -> Result<Option<Found>, ImportError> {
    let candidate = origin(graph, probe, candidate, tolerance);
    let shape = probe.get(&candidate.x).map_or(&[][..], |x| x.shape()).to_vec();
    let largest = probe.get(&candidate.x).map_or(0.0, largest);
    let near = channels::axis(graph, probe, &candidate.x);
    let measured = candidate.measured.iter();
    let preferred = measured.clone().find(|(axis, _)| *axis == near.unwrap_or(1));
    if preferred.is_none() && near.is_some() {
        return Ok(None);
    }
    let Some((axis, measured)) = preferred.or_else(|| measured.clone().next()) else {
        return refuse(format!("the threshold of \"{}\" has no channels", candidate.y));
    };
    let allowed = 4.0 * tolerance * largest;
    let Some(tau) = tau(probe, proved, &measured.tau, allowed) else {
        return refuse(format!(
            "the threshold in \"{}\" of the features \"{}\" is not one number for each channel",
            proved.tensor, candidate.x
        ));
    };
    let operators = candidate.region.iter().map(|&at| graph.node(at).op_type().to_owned());
    Ok(Some(Found {
        features: candidate.x.clone(),
        axis: *axis,
        shrunk: shrunk(probe, &candidate, &shape, *axis),
        shape,
        is_shared: is_shared(probe, &tau, measured.tau.ncols()),
        tau,
        form: candidate.form,
        fails_at_zero: proved.fails_at_zero,
        is_rounded: proved.is_rounded,
        share: None,
        operators: operators.collect(),
        order: candidate.order,
    }))
}

fn largest(values: &ArrayD<f32>) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The same features where they were made, before they were moved for the threshold.
fn origin(graph: &Graph<'_>, probe: &Tensors, candidate: &Candidate, tolerance: f32) -> Candidate {
    let ways = back(graph, probe, &candidate.y);
    let (mut best, mut name) = (candidate.clone(), candidate.x.as_str());
    while let Some(at) = graph.maker(name) {
        let node = graph.node(at);
        let source = inputs(node).next().filter(|_| SAME.contains(&node.op_type()));
        let Some(source) = source.filter(|source| graph.varies(source)) else { break };
        let way = ways.iter().find(|(way, _)| way == source);
        let (Some((_, positions)), Some(features)) = (way, probe.get(source)) else { break };
        name = source;
        let moved = Candidate { x: name.to_owned(), positions: positions.clone(), ..best.clone() };
        let measured = measured_again(probe, &moved, tolerance);
        if features.ndim() >= 3 && !measured.is_empty() {
            best = Candidate { measured, ..moved };
        }
    }
    best
}

fn measured_again(
    probe: &Tensors,
    candidate: &Candidate,
    tolerance: f32,
) -> Vec<(usize, Measured)> {
    let (Some(x), Some(y)) = (probe.get(&candidate.x), probe.get(&candidate.y)) else {
        return Vec::new();
    };
    let y = super::aligned(candidate, y);
    let Some(values) = x.as_slice().filter(|values| keeps_signs(values, &y, tolerance)) else {
        return Vec::new();
    };
    let axes = 1..x.ndim();
    axes.filter_map(|axis| {
        let layout = Layout::new(x.shape(), axis);
        Some((axis, measure(values, &y, layout, candidate.form, tolerance)?))
    })
    .collect()
}

/// Whether all channels have one threshold.
fn is_shared(probe: &Tensors, tau: &Tau, channels: usize) -> bool {
    let thresholds = probe.get(&tau.tensor).and_then(|values| tau.gives(values, channels));
    channels > 1
        && thresholds.is_some_and(|thresholds| {
            thresholds
                .rows()
                .into_iter()
                .all(|row| row.iter().all(|tau| (tau - row[0]).abs() <= 1e-6 * tau.abs()))
        })
}

/// The shrunk features, and where their channels are.
fn shrunk(probe: &Tensors, candidate: &Candidate, shape: &[usize], axis: usize) -> Shrunk {
    let tensor = candidate.y.clone();
    let Some(values) = probe.get(&tensor) else {
        return Shrunk { tensor, shape: Vec::new(), axis: None, is_in_place: false };
    };
    let own = values.shape().to_vec();
    if candidate.positions.is_none() {
        let is_in_place = own == shape;
        let axis = is_in_place.then_some(axis);
        return Shrunk { tensor, shape: own, axis, is_in_place };
    }
    // Moved: the axis whose sums are those of the features' channels.
    let aligned = super::aligned(candidate, values);
    let expected = sums(&aligned, Layout::new(shape, axis));
    let flat = values.as_slice().unwrap_or_default();
    let found = (1..own.len()).find(|&axis| {
        let found = sums(flat, Layout::new(&own, axis));
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
        found.dim() == expected.dim() && found.iter().zip(&expected).all(near)
    });
    Shrunk { tensor, shape: own, axis: found, is_in_place: false }
}

fn sums(values: &[f32], layout: Layout) -> Array2<f64> {
    let value = |at: usize| f64::from(values.get(at).copied().unwrap_or(f32::NAN));
    Array2::from_shape_fn((layout.rows, layout.channels), |(row, channel)| {
        layout.channel(row, channel).map(value).sum()
    })
}

/// How the threshold's tensor becomes the thresholds that were measured.
fn tau(probe: &Tensors, proved: &Proved, measured: &Array2<f32>, allowed: f32) -> Option<Tau> {
    let values = probe.get(&proved.tensor)?;
    let channels = measured.ncols();
    let mut axes: Vec<usize> = (1..values.ndim()).collect();
    // As many numbers as channels are tried before fewer.
    axes.sort_by_key(|&axis| std::cmp::Reverse(values.shape()[axis]));
    if axes.is_empty() {
        axes.push(0);
    }
    let ways = axes.into_iter().flat_map(|axis| [(axis, true), (axis, false)]);
    ways.map(|(axis, is_for_neighbours)| Tau {
        tensor: proved.tensor.clone(),
        shape: values.shape().to_vec(),
        factor: proved.factor,
        axis,
        is_for_neighbours,
    })
    .find(|tau| tau.gives(values, channels).is_some_and(|tau| agree(&tau, measured, allowed)))
}

fn agree(tau: &Array2<f32>, measured: &Array2<f32>, allowed: f32) -> bool {
    tau.dim() == measured.dim()
        && tau.iter().zip(measured).all(|(tau, measured)| {
            measured.is_nan() || (tau - measured).abs() <= allowed + 1e-4 * tau.abs()
        })
}

impl Tau {
    /// How many numbers it has for the channels.
    pub(crate) fn numbers(&self) -> usize {
        if self.axis == 0 { 1 } else { self.shape[self.axis] }
    }

    /// The threshold of each channel, from the tensor's values.
    pub(super) fn gives(&self, values: &ArrayD<f32>, channels: usize) -> Option<Array2<f32>> {
        let rows = values.shape().first().copied()?;
        let numbers = self.numbers();
        if numbers == 0 || !channels.is_multiple_of(numbers) {
            return None;
        }
        let kept = values.view().into_shape_with_order(values.raw_dim()).ok()?;
        let repeat = channels / numbers;
        let reduced = |row: usize, number: usize| {
            let row = kept.index_axis(Axis(0), row);
            let part =
                if self.axis == 0 { row } else { row.index_axis_move(Axis(self.axis - 1), number) };
            part.iter().fold(f32::MIN, |largest, &value| largest.max(value))
        };
        Some(Array2::from_shape_fn((rows, channels), |(row, channel)| {
            let number = if self.is_for_neighbours { channel / repeat } else { channel % numbers };
            self.factor * reduced(row, number)
        }))
    }
}
