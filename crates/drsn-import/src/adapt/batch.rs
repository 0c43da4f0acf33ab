//! A batch of any size, of a model that was exported with a fixed one.

use drsn_bundle::onnx::proto::{GraphProto, ValueInfoProto};
use drsn_bundle::{InputSpec, onnx, runtime::RuntimeError};
use ndarray::{ArrayD, Axis};

use crate::{
    ImportError,
    error::refuse,
    graph::{Graph, stored_integers},
    noise::Noise,
    run::{Runner, Tensors, row},
};

/// Rows of the batch on which it is tried.
const ROWS: usize = 3;

/// Makes the batch variable, and says so if it was not.
///
/// # Errors
/// [`ImportError::Refused`] if that is not possible.
pub(super) fn make_variable(
    graph: &mut GraphProto,
    runner: Runner<'_>,
    input: &InputSpec,
    fixed: Option<usize>,
    tolerance: f32,
) -> Result<Option<String>, ImportError> {
    let shape: Vec<usize> = std::iter::once(ROWS).chain(input.shape()).collect();
    let noise = Noise::new(3).array(&shape, 1.0);
    let fixed = match fixed {
        Some(fixed) => fixed,
        // Some models say that their batch is variable, and run with one input only.
        None => match run(runner, graph, &noise) {
            Ok(_) => return Ok(None),
            Err(error) if run(runner, graph, &row(&noise, 0)).is_err() => return Err(error.into()),
            Err(_) => 1,
        },
    };
    let original = with_batch(graph, input, fixed);
    let expected: Vec<Tensors> = (0..ROWS)
        .map(|at| run(runner, &original, &repeated(&noise, at, fixed)))
        .collect::<Result<_, RuntimeError>>()?;
    let mut variable = graph.clone();
    open_reshapes(&mut variable, runner, &original, &repeated(&noise, 0, fixed), fixed)?;
    let is_same = run(runner, &variable, &noise)
        .is_ok_and(|found| (0..ROWS).all(|at| agree(&found, at, &expected[at], tolerance)));
    if !is_same {
        return refuse(format!(
            "the model takes batches of {fixed} only, and does not give the same answers with others: \
             export it with a variable batch (in PyTorch dynamic_axes or dynamic_shapes, in Keras and \
             tf2onnx None as the first size)"
        ));
    }
    *graph = variable;
    Ok(Some(format!("the model's fixed batch of {fixed} was made variable, with the same answers")))
}

/// The graph with a fixed batch.
fn with_batch(graph: &GraphProto, input: &InputSpec, batch: usize) -> GraphProto {
    let sizes: Vec<i64> =
        std::iter::once(batch).chain(input.shape()).map(|size| size as i64).collect();
    GraphProto { input: vec![onnx::value_info(onnx::INPUT, &sizes)], ..graph.clone() }
}

fn run(
    runner: Runner<'_>,
    graph: &GraphProto,
    input: &ArrayD<f32>,
) -> Result<Tensors, RuntimeError> {
    let outputs: Vec<&str> = graph.output.iter().map(ValueInfoProto::name).collect();
    runner.run(graph, &outputs, input.view())
}

/// One row as often as a fixed batch needs it.
fn repeated(batch: &ArrayD<f32>, at: usize, times: usize) -> ArrayD<f32> {
    let indices = vec![at; times];
    batch.select(Axis(0), &indices)
}

/// Gives every reshape whose result begins with the batch sizes that leave it open.
fn open_reshapes(
    variable: &mut GraphProto,
    runner: Runner<'_>,
    original: &GraphProto,
    input: &ArrayD<f32>,
    fixed: usize,
) -> Result<(), RuntimeError> {
    let index = Graph::new(original);
    let is_reshape = |graph: &Graph<'_>, at: usize| {
        let node = graph.node(at);
        let (data, output) = (node.input.first()?, node.output.first()?);
        (node.op_type() == "Reshape" && graph.varies(data)).then(|| output.clone())
    };
    let reshapes: Vec<(usize, String)> =
        (0..original.node.len()).filter_map(|at| Some((at, is_reshape(&index, at)?))).collect();
    let names: Vec<&str> = reshapes.iter().map(|(_, name)| name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let run = runner.run(original, &names, input.view())?;
    for (at, name) in &reshapes {
        let shape = run.get(name).map_or(&[][..], |tensor| tensor.shape());
        if shape.first() == Some(&fixed) && !shape.contains(&0) {
            let rest = shape[1..].iter().map(|&size| size as i64);
            let sizes: Vec<i64> = std::iter::once(-1).chain(rest).collect();
            let weight = format!("import/shape.{at}");
            variable.initializer.push(stored_integers(&weight, &sizes));
            let node = &mut variable.node[*at];
            node.input.truncate(1);
            node.input.push(weight);
            node.attribute.clear();
        }
    }
    Ok(())
}

/// Whether a row of each output is the first row of another run's.
fn agree(found: &Tensors, at: usize, expected: &Tensors, tolerance: f32) -> bool {
    expected.iter().all(|(name, expected)| {
        let Some(found) = found.get(name).filter(|found| found.shape().first() == Some(&ROWS))
        else {
            return false;
        };
        let Some(expected) = expected.axis_iter(Axis(0)).next() else { return false };
        let found = found.index_axis(Axis(0), at);
        let largest = expected.iter().fold(1e-3_f32, |largest, value| largest.max(value.abs()));
        found.shape() == expected.shape()
            && found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= tolerance * largest)
    })
}
