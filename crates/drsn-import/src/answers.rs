//! Which output has the classes, what its numbers are, and whether they can be relied upon.

use drsn_bundle::onnx::proto::ValueInfoProto;
use ndarray::{Array2, ArrayD, Axis};

use crate::{
    ImportError, Options,
    adapt::{Adapted, tolerance},
    error::refuse,
    graph::{Graph, keep_needed},
    noise::Noise,
    run::{Probe, Runner, Tensors, row},
};

/// Strengths of the noise on which a model is tried.
pub(crate) const STRENGTHS: [f32; 3] = [1.0, 0.3, 3.0];
/// Strength of noise for which no logit stays between 0 and 1.
const STRONG: f32 = 1e4;
/// Rows of a batch of noise.
const ROWS: usize = 3;

/// What the numbers of an output are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Inputs of a softmax.
    Logits,
    /// Logarithms of probabilities.
    LogProbabilities,
    /// Probabilities.
    Probabilities,
}

impl Numbers {
    /// In words, for the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::LogProbabilities => "log-probabilities",
            Self::Probabilities => "probabilities",
        }
    }
}

/// The output with the classes.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) tensor: String,
    pub(crate) numbers: Numbers,
    /// The probes, `[rows, …]`, and the model's own answers to them, `[rows, classes]`.
    pub(crate) probes: Vec<ArrayD<f32>>,
    pub(crate) expected: Vec<Array2<f32>>,
}

/// Finds the output with the classes and tries it. The graph keeps only what it needs.
///
/// # Errors
/// [`ImportError`] if there is none, or its answers are not finite, not repeatable, or depend on the
/// other inputs of a batch.
pub(crate) fn find(
    adapted: &mut Adapted,
    runner: Runner<'_>,
    options: &Options,
) -> Result<Answers, ImportError> {
    let shape: Vec<usize> = std::iter::once(ROWS).chain(adapted.input.shape()).collect();
    let mut noise = Noise::new(1);
    let probes: Vec<_> = STRENGTHS.iter().map(|&strength| noise.array(&shape, strength)).collect();
    let names: Vec<String> =
        adapted.graph.output.iter().map(|output| output.name().to_owned()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut model = runner.open(&adapted.graph, &names)?;
    let runs = probes.iter().map(|probe| model.run(probe.view())).collect::<Result<Vec<_>, _>>()?;
    let tensor = choose(&runs[0], &names, options)?;
    let expected: Option<Vec<_>> = runs.iter().map(|run| answers(run.get(&tensor)?)).collect();
    let Some(expected) = expected else {
        return refuse("the model gives answers of different shapes to different inputs");
    };
    if expected.iter().flatten().any(|number| !number.is_finite()) {
        return refuse(
            "the model's answers to noise are not finite numbers: its weights are damaged, or it \
             divides by numbers that can be zero",
        );
    }
    let tolerance = tolerance(adapted.is_rough());
    check(&mut model, &tensor, &probes, &expected, tolerance)?;
    let numbers = match numbers(&expected, if adapted.is_rough() { 1e-2 } else { 1e-3 }) {
        Some(numbers) => numbers,
        None => logits_or_labels(&mut model, &tensor, &probes[0], adapted.is_quantised)?,
    };
    adapted.graph.output =
        vec![ValueInfoProto { name: Some(tensor.clone()), ..ValueInfoProto::default() }];
    keep_needed(&mut adapted.graph);
    Ok(Answers { tensor, numbers, probes, expected })
}

/// An output `[batch, classes]`, perhaps with further axes of one, as rows of numbers.
pub(crate) fn answers(values: &ArrayD<f32>) -> Option<Array2<f32>> {
    let (rows, classes) = classes(values.shape())?;
    values.to_shape((rows, classes)).ok().map(ndarray::CowArray::into_owned)
}

fn classes(shape: &[usize]) -> Option<(usize, usize)> {
    match shape {
        [rows, classes, rest @ ..] if *classes > 1 && rest.iter().all(|&size| size == 1) => {
            Some((*rows, *classes))
        }
        _ => None,
    }
}

fn choose(run: &Tensors, names: &[&str], options: &Options) -> Result<String, ImportError> {
    let shape = |name: &str| run.get(name).map_or(&[][..], |tensor| tensor.shape());
    let listed = || {
        let each = names.iter().map(|name| format!("\"{name}\" {:?}", shape(name)));
        each.collect::<Vec<_>>().join(", ")
    };
    let of_classes = |name: &&&str| classes(shape(name)).is_some_and(|(rows, _)| rows == ROWS);
    let fitting: Vec<&&str> = match &options.output {
        Some(output) => names.iter().filter(|name| *name == output).filter(of_classes).collect(),
        None => names.iter().filter(of_classes).collect(),
    };
    let labels = options.labels.len();
    let has_labels = |name: &&&&str| classes(shape(name)).is_some_and(|(_, n)| n == labels);
    let with_labels: Vec<_> = fitting.iter().filter(has_labels).collect();
    match (&with_labels[..], &fitting[..]) {
        ([only], _) => Ok((**only).to_string()),
        ([], [only]) => {
            let numbers = classes(shape(only)).map_or(0, |(_, numbers)| numbers);
            refuse(format!(
                "the model's output \"{only}\" has {numbers} numbers for each input, and {labels} labels \
                 are given: give one label for each number with --labels"
            ))
        }
        ([], []) => refuse(format!(
            "the model is no classifier of two or more classes: an output [batch, classes] is expected, \
             and it has {} for a batch of {ROWS}",
            listed()
        )),
        ([], _) => refuse(format!(
            "none of the model's outputs has {labels} numbers for each input, one for each label ({}): give \
             as many labels as one of them has numbers, or export the model without what follows its classes",
            listed()
        )),
        _ => refuse(format!(
            "several of the model's outputs may have the classes ({}): say which with --output NAME",
            listed()
        )),
    }
}

/// Checks that answers are the same every time, and the same for a single input.
fn check(
    model: &mut Probe,
    tensor: &str,
    probes: &[ArrayD<f32>],
    expected: &[Array2<f32>],
    tolerance: f32,
) -> Result<(), ImportError> {
    for (probe, expected) in probes.iter().zip(expected) {
        let again = model.run(probe.view())?;
        if again
            .get(tensor)
            .and_then(answers)
            .is_none_or(|again| !near(&again, expected, tolerance))
        {
            return refuse(
                "the model gives other answers to the same input each time, as with dropout: export it \
                 for inference, in PyTorch after model.eval()",
            );
        }
        for at in 0..ROWS {
            let alone = model.run(row(probe, at).view())?;
            let expected = expected.index_axis(Axis(0), at).insert_axis(Axis(0)).to_owned();
            let alone = alone.get(tensor).and_then(answers);
            if alone.is_none_or(|alone| !near(&alone, &expected, tolerance)) {
                return refuse(
                    "the model's answer depends on the other inputs of its batch, as with batch \
                     normalisation in training mode: export it for inference, in PyTorch after \
                     model.eval()",
                );
            }
        }
    }
    Ok(())
}

/// Whether two arrays agree, relative to the largest number.
pub(crate) fn near(found: &Array2<f32>, expected: &Array2<f32>, tolerance: f32) -> bool {
    let largest = expected.iter().fold(1e-2_f32, |largest, value| largest.max(value.abs()));
    found.dim() == expected.dim()
        && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance * largest)
}

/// Tells logits, which can be between 0 and 1 by chance and are not for strong inputs, from the
/// shares of several labels.
fn logits_or_labels(
    model: &mut Probe,
    tensor: &str,
    probe: &ArrayD<f32>,
    is_quantised: bool,
) -> Result<Numbers, ImportError> {
    let strong = model.run(probe.mapv(|value| STRONG * value).view())?;
    if strong
        .get(tensor)
        .and_then(answers)
        .is_some_and(|strong| !strong.iter().copied().all(is_share))
    {
        return Ok(Numbers::Logits);
    }
    if is_quantised {
        return refuse(
            "the model's probabilities are quantised, and do not sum to 1: quantise its convolutions only \
             (op_types_to_quantize=[\"Conv\"]), or import it as it was before",
        );
    }
    refuse(
        "the model's answers are between 0 and 1 and do not sum to 1, as if an input could have several \
         labels, and the server answers with one: export the model with its last sigmoid left out if \
         each input has one label",
    )
}

fn is_share(number: f32) -> bool {
    (0.0..=1.0).contains(&number)
}

/// What the answers are; `None` if they are shares of something else than 1.
fn numbers(answers: &[Array2<f32>], tolerance: f32) -> Option<Numbers> {
    let rows = || answers.iter().flat_map(|batch| batch.rows());
    let all = |is: fn(f32) -> bool| answers.iter().flatten().all(|&number| is(number));
    let sums_to_one = |each: fn(f32) -> f32| {
        rows().all(|row| {
            (row.iter().map(|&number| each(number)).sum::<f32>() - 1.0).abs() < tolerance
        })
    };
    if all(|number| number >= 0.0) && sums_to_one(|number| number) {
        return Some(Numbers::Probabilities);
    }
    if all(|number| number <= 1e-3) && sums_to_one(f32::exp) {
        return Some(Numbers::LogProbabilities);
    }
    (!all(is_share)).then_some(Numbers::Logits)
}

/// Whether a tensor is the output of a softmax over classes; returns the softmax's input then.
pub(crate) fn before_softmax(graph: &Graph<'_>, tensor: &str) -> Option<String> {
    let node = graph.node(graph.maker(tensor)?);
    (node.op_type() == "Softmax").then(|| node.input.first().cloned()).flatten()
}
