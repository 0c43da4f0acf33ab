//! Proves a candidate: its nodes alone, on features and thresholds of our own, must shrink by the
//! threshold.

use std::collections::{BTreeSet, HashSet};

use drsn_bundle::{
    onnx::{
        self,
        proto::{GraphProto, NodeProto, TensorProto},
    },
    runtime::RuntimeError,
};
use ndarray::{ArrayD, Axis, IxDyn};

use super::{
    candidates::Candidate,
    measure::{FINE, Layout, Measured, keeps_signs, measure},
    region,
};
use crate::{
    graph::{Graph, add_weights, cast, keep_needed, stored_floats, stored_integers},
    noise::Noise,
    read::inputs,
    run::{Probe, Runner, Tensors},
};

/// Fewest features of a channel that are tried, over several runs where it has fewer.
const LEAST_FEATURES: usize = 96;
/// Standard deviation of the features.
const DEVIATION: f32 = 2.0;
/// Name of the weight with our thresholds.
const OURS: &str = "import/threshold";
/// Thresholds are multiples of its reciprocal, from 1/2 on: exact in 16-bit floats, too.
const GRID: usize = 64;

/// What became of a candidate.
#[derive(Debug)]
pub(super) enum Proof {
    /// It is no threshold.
    Refuted,
    /// It is one whose τ does not depend on the input.
    Constant,
    /// It is one.
    Proved(Proved),
}

/// A threshold and the tensor that sets it.
#[derive(Debug)]
pub(super) struct Proved {
    /// The tensor; so many times it is τ.
    pub(super) tensor: String,
    pub(super) factor: f32,
    /// Whether features of exactly zero make numbers that are not finite.
    pub(super) fails_at_zero: bool,
    /// Whether features below the threshold become zero only up to rounding.
    pub(super) is_rounded: bool,
}

/// Tries to prove a candidate. A region that cannot run alone proves nothing.
pub(super) fn prove(
    graph: &Graph<'_>,
    runner: Runner<'_>,
    probe: &Tensors,
    candidate: &Candidate,
    tolerance: f32,
) -> Proof {
    let trial = Trial { graph, runner, probe, candidate, tolerance };
    let entering = region::entering(graph, &candidate.region, &candidate.x);
    if entering.is_empty() {
        let is_one = trial.open(None).and_then(|mut alone| trial.measured(&mut alone));
        let shrinks = |measured: &Measured| measured.zeroed > 0 && measured.reduced > 0;
        return match is_one {
            Ok(Some(measured)) if shrinks(&measured) => Proof::Constant,
            Ok(_) | Err(_) => Proof::Refuted,
        };
    }
    for (cut, nodes) in region::cuts(graph, &entering) {
        for sign in [1.0, -1.0] {
            if let Ok(Some(proved)) = trial.with(&cut, &nodes, sign) {
                return Proof::Proved(proved);
            }
        }
    }
    Proof::Refuted
}

#[derive(Clone, Copy)]
struct Trial<'t> {
    graph: &'t Graph<'t>,
    runner: Runner<'t>,
    probe: &'t Tensors,
    candidate: &'t Candidate,
    tolerance: f32,
}

/// A tensor in place of the model's, with the nodes that lead from it into the region.
struct Cut<'c> {
    tensor: &'c str,
    nodes: &'c [usize],
    values: ArrayD<f32>,
}

impl Trial<'_> {
    /// Runs the region with our values for one tensor.
    fn with(self, cut: &str, nodes: &[usize], sign: f32) -> Result<Option<Proved>, RuntimeError> {
        let Some(model) = self.probe.get(cut) else { return Ok(None) };
        let values = thresholds(model, sign);
        let wanted = values.clone();
        let mut alone = self.open(Some(&Cut { tensor: cut, nodes, values }))?;
        let Some(measured) = self.measured(&mut alone)? else { return Ok(None) };
        if measured.zeroed == 0 || measured.reduced == 0 {
            return Ok(None);
        }
        let rough = self.tolerance > FINE;
        let allowed = if rough { 4e-3 } else { 1e-4 };
        let Some(size) = ratio(&measured.tau, &wanted, allowed) else { return Ok(None) };
        let fails_at_zero = !self.is_finite_at_zero(&mut alone)?;
        let factor = sign * rounded(size, allowed);
        let is_rounded = measured.is_rounded;
        Ok(Some(Proved { tensor: cut.to_owned(), factor, fails_at_zero, is_rounded }))
    }

    /// Runs the region on noise and measures it; `None` if it is refuted.
    fn measured(self, alone: &mut Probe) -> Result<Option<Measured>, RuntimeError> {
        let shape = self.shape();
        let mut noise = Noise::new(7);
        for (axis, _) in &self.candidate.measured {
            let features = shape[1..].iter().product::<usize>() / shape[*axis].max(1);
            let runs = LEAST_FEATURES.div_ceil(features.max(1));
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for _ in 0..runs {
                let features = noise.array(shape, DEVIATION);
                let shrunk = self.shrunk(alone, &features)?;
                x.push(features);
                y.push(ArrayD::from_shape_vec(IxDyn(shape), shrunk).ok());
            }
            let y: Option<Vec<_>> = y.into_iter().collect();
            let Some((x, y)) = y.and_then(|y| Some((stacked(&x)?, stacked(&y)?))) else { continue };
            let (Some(x_values), Some(y_values)) = (x.as_slice(), y.as_slice()) else { continue };
            if !keeps_signs(x_values, y_values, self.tolerance) {
                return Ok(None);
            }
            let layout = Layout::new(x.shape(), *axis);
            let form = self.candidate.form;
            let measured = measure(x_values, y_values, layout, form, self.tolerance);
            if measured.is_some() {
                return Ok(measured);
            }
        }
        Ok(None)
    }

    fn shape(&self) -> &[usize] {
        self.probe.get(&self.candidate.x).map_or(&[], |features| features.shape())
    }

    /// The region's output in the order of its input.
    fn shrunk(self, alone: &mut Probe, x: &ArrayD<f32>) -> Result<Vec<f32>, RuntimeError> {
        let tensors = alone.run(x.view())?;
        let shrunk = tensors.get(&self.candidate.y);
        Ok(shrunk.map(|shrunk| super::aligned(self.candidate, shrunk)).unwrap_or_default())
    }

    fn is_finite_at_zero(self, alone: &mut Probe) -> Result<bool, RuntimeError> {
        let mut features = Noise::new(8).array(self.shape(), DEVIATION);
        features.iter_mut().step_by(3).for_each(|feature| *feature = 0.0);
        Ok(self.shrunk(alone, &features)?.iter().all(|value| value.is_finite()))
    }

    /// A graph of the region alone, with x as its input.
    fn open(self, cut: Option<&Cut<'_>>) -> Result<Probe, RuntimeError> {
        let (graph, x) = (self.graph, &self.candidate.x);
        let mut made: HashSet<&str> = HashSet::from([x.as_str()]);
        let mut alone = GraphProto::default();
        let dims: Vec<i64> = self.shape().iter().map(|&size| size as i64).collect();
        alone.input.push(onnx::value_info("import/features", &dims));
        alone.node.push(cast("import/features", x, graph.element_type(x)));
        let mut nodes: BTreeSet<usize> = self.candidate.region.iter().copied().collect();
        if let Some(cut) = cut {
            made.insert(cut.tensor);
            nodes.extend(cut.nodes);
            let values: Vec<f32> = cut.values.iter().copied().collect();
            alone.initializer.push(stored_floats(OURS, cut.values.shape(), &values));
            alone.node.push(cast(OURS, cut.tensor, graph.element_type(cut.tensor)));
        }
        self.add_constants(&mut nodes, &made);
        for &at in &nodes {
            let node = self.graph.node(at);
            match self.size(node) {
                Some(sizes) => alone.initializer.push(sizes),
                None if node.output.iter().any(|name| made.contains(name.as_str())) => (),
                None => alone.node.push(node.clone()),
            }
        }
        alone.output.push(onnx::value_info(&self.candidate.y, &[]));
        keep_needed(&mut alone);
        add_weights(&mut alone, graph.proto);
        self.runner.open(&alone, &[&self.candidate.y])
    }

    /// Adds the nodes that make what the region takes and the input does not change.
    fn add_constants(&self, nodes: &mut BTreeSet<usize>, made: &HashSet<&str>) {
        let mut open: Vec<usize> = nodes.iter().copied().collect();
        while let Some(at) = open.pop() {
            if self.size(self.graph.node(at)).is_some() {
                continue;
            }
            for name in inputs(self.graph.node(at)) {
                let maker = self.graph.maker(name).filter(|_| !self.graph.varies(name));
                if let Some(maker) = maker.filter(|_| !made.contains(name.as_str()))
                    && nodes.insert(maker)
                {
                    open.push(maker);
                }
            }
        }
    }

    /// The sizes that a node tells, as the run had them.
    fn size(&self, node: &NodeProto) -> Option<TensorProto> {
        if !matches!(node.op_type(), "Shape" | "Size") {
            return None;
        }
        let name = node.output.first()?;
        let sizes: Vec<i64> = self.probe.get(name)?.iter().map(|&size| size as i64).collect();
        let mut weight = stored_integers(name, &sizes);
        if node.op_type() == "Size" {
            weight.dims.clear();
        }
        Some(weight)
    }
}

/// Runs one after the other become a last axis.
fn stacked(runs: &[ArrayD<f32>]) -> Option<ArrayD<f32>> {
    let views: Vec<_> = runs.iter().map(|run| run.view()).collect();
    let last = Axis(runs.first()?.ndim());
    ndarray::stack(last, &views).ok().map(|stacked| stacked.as_standard_layout().into_owned())
}

/// Thresholds in the shape of the model's, constant along the axes along which those are.
fn thresholds(model: &ArrayD<f32>, sign: f32) -> ArrayD<f32> {
    let mut shape = model.shape().to_vec();
    for (axis, size) in shape.iter_mut().enumerate().skip(1) {
        let first = model.index_axis(Axis(axis), 0);
        if model.axis_iter(Axis(axis)).all(|part| part == first) {
            *size = 1;
        }
    }
    let mut at = 0;
    let distinct = ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
        at += 1;
        // 37 has no factor in common with the number of steps: neighbours differ much.
        sign * (0.5 + (at * 37 % (GRID + 1)) as f32 / GRID as f32)
    });
    distinct.broadcast(model.raw_dim()).map_or(distinct.clone(), |full| full.to_owned())
}

/// How many times our thresholds those measured are: the different values of both, in ascending
/// order, must have one ratio.
fn ratio(measured: &ndarray::Array2<f32>, ours: &ArrayD<f32>, allowed: f32) -> Option<f32> {
    let measured = distinct(measured.iter().copied().filter(|tau| !tau.is_nan()));
    let ours = distinct(ours.iter().map(|threshold| threshold.abs()));
    let (last, of) = (measured.last()?, ours.last()?);
    let ratio = last / of;
    let fits =
        |(measured, ours): (&f32, &f32)| (measured - ratio * ours).abs() <= allowed * ratio * ours;
    let is_one =
        ratio > 0.0 && measured.len() == ours.len() && measured.iter().zip(&ours).all(fits);
    is_one.then_some(ratio)
}

/// The different values, ascending; neighbours nearer than half a step of the grid are one.
fn distinct(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.dedup_by(|next, kept| (*next - *kept).abs() <= 4e-3 * kept.abs());
    values
}

/// A factor without the error of measuring it.
fn rounded(factor: f32, allowed: f32) -> f32 {
    let usual = [1.0, 2.0, 0.5].into_iter().find(|usual| (factor / usual - 1.0).abs() <= allowed);
    usual.unwrap_or(factor)
}
