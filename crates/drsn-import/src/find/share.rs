//! Whether a threshold is a share of the mean magnitude of its features, whatever they are.

use drsn_bundle::onnx::{self, proto::GraphProto};
use ndarray::{Array2, ArrayD, Axis};

use super::Found;
use crate::{
    graph::{Graph, add_weights, cast, keep_needed},
    noise::Noise,
    read::inputs,
    run::{Runner, Tensors},
};

/// Name of the input that takes the place of the features.
const OURS: &str = "import/features";
/// Standard deviation of features that are small beside every bias.
const SMALL: f32 = 1e-3;

/// The least and the largest share for small and one-signed features; `None` if the threshold does
/// not come from the features alone.
pub(super) fn share(
    graph: &Graph<'_>,
    runner: Runner<'_>,
    probe: &Tensors,
    found: &Found,
) -> Option<[f32; 2]> {
    let alone = alone(graph, found)?;
    let mut open = runner.open(&alone, &[&found.tau.tensor]).ok()?;
    let noise = Noise::new(9).array(probe.get(&found.features)?.shape(), 1.0);
    let mut extremes = [f32::MAX, f32::MIN];
    for features in [noise.mapv(|x| SMALL * x), noise.mapv(f32::abs), noise.mapv(|x| -x.abs())] {
        let run = open.run(features.view()).ok()?;
        let mean_abs = found.mean_abs(&features)?;
        let tau = found.tau.gives(run.get(&found.tau.tensor)?, mean_abs.ncols())?;
        for share in found.shares(&tau, &mean_abs) {
            extremes = [extremes[0].min(share), extremes[1].max(share)];
        }
    }
    Some(extremes)
}

/// The graph from the features to the threshold.
fn alone(graph: &Graph<'_>, found: &Found) -> Option<GraphProto> {
    let maker = graph.maker(&found.features)?;
    let features = found.features.as_str();
    if graph.node(maker).output.len() > 1 {
        return None;
    }
    let dims: Vec<i64> = found.shape.iter().map(|&size| size as i64).collect();
    let mut alone = GraphProto {
        node: graph.proto.node.clone(),
        input: vec![onnx::value_info(OURS, &dims)],
        output: vec![onnx::value_info(&found.tau.tensor, &[])],
        ..GraphProto::default()
    };
    alone.node[maker] = cast(OURS, features, graph.element_type(features));
    keep_needed(&mut alone);
    add_weights(&mut alone, graph.proto);
    let is_of_model = |name: &String| graph.proto.input.iter().any(|input| input.name() == name);
    if alone.node.iter().flat_map(inputs).any(is_of_model) {
        return None;
    }
    Some(alone)
}

impl Found {
    /// A of each channel.
    fn mean_abs(&self, features: &ArrayD<f32>) -> Option<Array2<f32>> {
        let mut magnitudes = features.mapv(f32::abs);
        for axis in (1..features.ndim()).rev().filter(|&axis| axis != self.axis) {
            magnitudes = magnitudes.mean_axis(Axis(axis))?;
        }
        magnitudes.into_dimensionality().ok()
    }

    /// τ as a share of the mean of A over the channels that it is for.
    pub(crate) fn shares(&self, tau: &Array2<f32>, mean_abs: &Array2<f32>) -> Array2<f32> {
        let channels = tau.ncols();
        let numbers = if self.is_shared { 1 } else { self.tau.numbers().min(channels) };
        let each = channels / numbers.max(1);
        let are_neighbours = self.tau.is_for_neighbours || self.is_shared;
        let group = |channel: usize| {
            if are_neighbours { channel / each.max(1) } else { channel % numbers.max(1) }
        };
        Array2::from_shape_fn(tau.dim(), |(row, channel)| {
            let members = (0..channels).filter(|&other| group(other) == group(channel));
            let (sum, count) = members
                .fold((0.0, 0.0), |(sum, count), at| (sum + mean_abs[[row, at]], count + 1.0));
            let mean: f32 = sum / count;
            // A dead channel has A = 0 and, in a DRSN, τ = 0.
            if mean == 0.0 { 0.0 } else { tau[[row, channel]] / mean }
        })
    }
}
