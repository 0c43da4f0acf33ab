//! Compares the model with its outputs added, as the server will run it, with the model as it was.

use std::collections::BTreeMap;

use drsn_bundle::{
    Block, Golden, InputSpec, Tensor, Tolerance,
    golden::DEFAULT_TOLERANCE,
    onnx,
    runtime::{Outputs, Provider, Runtime, Session, self_check},
};
use ndarray::{Array2, ArrayD, Axis, Ix2, concatenate};

use crate::{
    ImportError,
    adapt::tolerance,
    answers::{Answers, Numbers, near},
    error::refuse,
};

/// The outputs of the blocks on all probes.
#[derive(Debug)]
pub(crate) struct BlockValues {
    /// τ, `[probes, channels]`.
    pub(crate) tau: Array2<f32>,
    /// A, `[probes, channels]`.
    pub(crate) mean_abs: Array2<f32>,
}

/// Runs the finished model on the probes, compares its answers with the model's own, and returns
/// golden inputs with their outputs and what the blocks gave.
///
/// # Errors
/// [`ImportError`] if the answers differ or the model cannot be served.
pub(crate) fn verify(
    runtime: &Runtime,
    model: &[u8],
    input: &InputSpec,
    answers: &Answers,
    blocks: &[Block],
    is_rough: bool,
) -> Result<(Golden, Vec<BlockValues>), ImportError> {
    let mut session = Session::open(runtime, model, &input.shape(), Provider::Cpu)?;
    let runs = answers.probes.iter().map(|probe| session.run(probe.view()));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let tolerance = tolerance(is_rough);
    let own = match answers.numbers {
        Numbers::Logits | Numbers::LogProbabilities => onnx::LOGITS,
        Numbers::Probabilities => onnx::PROBABILITIES,
    };
    for (run, expected) in runs.iter().zip(&answers.expected) {
        if !near(&two_axes(run, own)?, expected, tolerance) {
            return refuse(
                "the model gives other answers once ONNX Runtime optimises it: it cannot be served",
            );
        }
    }
    let values: Vec<_> =
        blocks.iter().map(|block| values(&runs, block)).collect::<Result<_, _>>()?;
    let golden = golden(&mut session, &answers.probes, is_rough)?;
    let counting = onnx::with_shrinkage_outputs(model, blocks)?;
    let mut counting = Session::open(runtime, &counting, &input.shape(), Provider::Cpu)?;
    self_check(&mut counting, &golden)?;
    Ok((golden, values))
}

fn values(runs: &[Outputs], block: &Block) -> Result<BlockValues, ImportError> {
    let tau = stacked(runs, &block.threshold_output)?;
    let mean_abs = stacked(runs, &block.mean_abs_output)?;
    if tau.iter().chain(&mean_abs).any(|value| !value.is_finite()) {
        return refuse(format!(
            "the thresholds of {} are not finite on noise: the model cannot be served",
            block.name
        ));
    }
    Ok(BlockValues { tau, mean_abs })
}

/// The first row of each probe with its outputs.
fn golden(
    session: &mut Session,
    probes: &[ArrayD<f32>],
    is_rough: bool,
) -> Result<Golden, ImportError> {
    let rows: Vec<_> = probes.iter().map(|probe| crate::run::row(probe, 0)).collect();
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    let Ok(input) = concatenate(Axis(0), &views) else {
        return refuse("the probes have different shapes");
    };
    let outputs = session.run(input.view())?;
    let outputs: BTreeMap<String, Tensor> =
        outputs.into_iter().map(|tensor| (tensor.name, Tensor(tensor.values))).collect();
    let mut golden = Golden::new(Tensor(input), outputs);
    if is_rough {
        let rough = Tolerance { rtol: 1e-2, atol: 1e-3 };
        golden.tolerances = BTreeMap::from([(DEFAULT_TOLERANCE.to_owned(), rough)]);
    }
    Ok(golden)
}

fn two_axes(run: &Outputs, name: &str) -> Result<Array2<f32>, ImportError> {
    match run.get(name)?.into_dimensionality::<Ix2>() {
        Ok(values) => Ok(values.to_owned()),
        Err(_) => refuse(format!("the output {name} has not two axes")),
    }
}

fn stacked(runs: &[Outputs], name: &str) -> Result<Array2<f32>, ImportError> {
    let parts = runs.iter().map(|run| two_axes(run, name)).collect::<Result<Vec<_>, _>>()?;
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views).or_else(|_| refuse(format!("the output {name} has no one width")))
}
