//! Adds what a bundle needs to a graph: probabilities and logits, and for each block the thresholds
//! and mean magnitudes, `[batch, channels]`.

use drsn_bundle::{
    Block, Name, ThresholdKind,
    onnx::{
        self, Attribute, LOGITS, PROBABILITIES, attribute, mean_abs_output,
        proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType},
        threshold_output,
    },
};

use crate::{
    ImportError,
    answers::{Answers, Numbers, before_softmax},
    find::{Found, Shrunk, Tau},
    graph::{Graph, cast, node, stored_floats, stored_integers},
};

/// Smallest probability whose logarithm is taken.
const LEAST: f32 = 1e-37;

/// Nodes and weights to add to a graph.
struct Addition<'g> {
    graph: &'g Graph<'g>,
    operator_set: i64,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Addition<'_> {
    fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) {
        let attributes: Vec<AttributeProto> = attributes.iter().map(attribute).collect();
        self.nodes.push(node(operator, inputs, output, attributes));
    }

    /// A tensor with 32-bit floats: itself, or converted.
    fn floats(&mut self, tensor: &str, name: &str) -> String {
        if self.graph.element_type(tensor) == DataType::Float as i32 {
            return tensor.to_owned();
        }
        let output = format!("import/{name}.floats");
        self.nodes.push(cast(tensor, &output, DataType::Float as i32));
        output
    }

    fn reshape(&mut self, input: &str, output: &str, sizes: &[i64]) {
        let weight = format!("{output}.shape");
        self.weights.push(stored_integers(&weight, sizes));
        self.add("Reshape", &[input, &weight], output, &[]);
    }

    /// Reduces all axes but the first and another; nothing is to be reduced if there are no others.
    fn reduce(&mut self, operator: &str, input: &str, output: &str, axes: &[i64]) {
        let keep = ("keepdims", Attribute::Int(0));
        if axes.is_empty() {
            self.add("Identity", &[input], output, &[]);
        } else if self.operator_set < 18 {
            self.add(operator, &[input], output, &[("axes", Attribute::Ints(axes.to_vec())), keep]);
        } else {
            let weight = format!("{output}.axes");
            self.weights.push(stored_integers(&weight, axes));
            self.add(operator, &[input, &weight], output, &[keep]);
        }
    }
}

/// Adds the outputs to a graph, and returns the blocks for the manifest.
///
/// # Errors
/// [`ImportError::Bundle`] if a name is not possible.
pub(crate) fn instrument(
    graph: &mut GraphProto,
    operator_set: i64,
    answers: &Answers,
    classes: usize,
    found: &[Found],
) -> Result<Vec<Block>, ImportError> {
    let source = graph.clone();
    let index = Graph::new(&source);
    let mut addition =
        Addition { graph: &index, operator_set, nodes: Vec::new(), weights: Vec::new() };
    add_answers(&mut addition, answers, classes);
    let mut blocks = Vec::with_capacity(found.len());
    for (position, found) in found.iter().enumerate() {
        blocks.push(add_block(&mut addition, &format!("block{}", position + 1), found)?);
    }
    let Addition { nodes, weights, .. } = addition;
    graph.node.extend(nodes);
    graph.initializer.extend(weights);
    let width = classes as i64;
    graph.output =
        [PROBABILITIES, LOGITS].iter().map(|name| onnx::value_info(name, &[-1, width])).collect();
    for block in &blocks {
        for output in [&block.threshold_output, &block.mean_abs_output] {
            graph.output.push(onnx::value_info(output, &[-1, block.channels as i64]));
        }
    }
    Ok(blocks)
}

fn add_answers(addition: &mut Addition<'_>, answers: &Answers, classes: usize) {
    let width = classes as i64;
    let numbers = addition.floats(&answers.tensor, "answers");
    let over_classes = [("axis", Attribute::Int(1))];
    match answers.numbers {
        Numbers::Logits | Numbers::LogProbabilities => {
            addition.reshape(&numbers, LOGITS, &[-1, width]);
            addition.add("Softmax", &[LOGITS], PROBABILITIES, &over_classes);
        }
        Numbers::Probabilities => {
            addition.reshape(&numbers, PROBABILITIES, &[-1, width]);
            if let Some(logits) = before_softmax(addition.graph, &answers.tensor) {
                let logits = addition.floats(&logits, "logits");
                addition.reshape(&logits, LOGITS, &[-1, width]);
            } else {
                addition.weights.push(stored_floats("import/least", &[1], &[LEAST]));
                addition.add("Max", &[PROBABILITIES, "import/least"], "import/positive", &[]);
                addition.add("Log", &["import/positive"], LOGITS, &[]);
            }
        }
    }
}

fn add_block(addition: &mut Addition<'_>, name: &str, found: &Found) -> Result<Block, ImportError> {
    let channels = found.shape[found.axis];
    let features = addition.floats(&found.features, &format!("{name}.features"));
    let magnitude = format!("import/{name}.magnitude");
    addition.add("Abs", &[&features], &magnitude, &[]);
    add_mean(addition, name, &magnitude, found);
    add_threshold(addition, name, &found.tau, channels);
    let shrunk_tensor = add_shrunk(addition, name, &found.shrunk, &found.shape, found.axis);
    Ok(Block {
        name: Name::new(name)?,
        channels,
        threshold: if found.is_shared {
            ThresholdKind::ChannelShared
        } else {
            ThresholdKind::ChannelWise
        },
        threshold_output: threshold_output(name),
        mean_abs_output: mean_abs_output(name),
        shrunk_tensor,
    })
}

/// The mean of magnitudes, as the server's graph for a processor expects it where it can.
fn add_mean(addition: &mut Addition<'_>, name: &str, magnitude: &str, found: &Found) {
    let output = mean_abs_output(name);
    if found.axis == 1 && found.shape.len() > 2 {
        let pooled = format!("import/{name}.pooled");
        addition.add("GlobalAveragePool", &[magnitude], &pooled, &[]);
        addition.add("Flatten", &[&pooled], &output, &[("axis", Attribute::Int(1))]);
    } else {
        let others = other_axes(found.shape.len(), found.axis);
        addition.reduce("ReduceMean", magnitude, &output, &others);
    }
}

/// The axes but the first and a given one.
fn other_axes(rank: usize, axis: usize) -> Vec<i64> {
    (1..rank).filter(|&other| other != axis).map(|other| other as i64).collect()
}

fn add_threshold(addition: &mut Addition<'_>, name: &str, tau: &Tau, channels: usize) {
    let part = |what: &str| format!("import/{name}.{what}");
    let numbers = tau.numbers();
    let values = addition.floats(&tau.tensor, &format!("{name}.threshold"));
    let of_row: usize = tau.shape[1..].iter().product();
    if of_row == channels && numbers == channels && tau.factor.to_bits() == 1.0_f32.to_bits() {
        addition.reshape(&values, &threshold_output(name), &[-1, channels as i64]);
        return;
    }
    let reduced = part("numbers");
    if of_row == numbers {
        addition.reshape(&values, &reduced, &[-1, numbers as i64]);
    } else {
        let others = other_axes(tau.shape.len(), tau.axis);
        addition.reduce("ReduceMax", &values, &reduced, &others);
    }
    let (factor, scaled) = (part("factor"), part("scaled"));
    addition.weights.push(stored_floats(&factor, &[1], &[tau.factor]));
    addition.add("Mul", &[&reduced, &factor], &scaled, &[]);
    let repeat = channels / numbers;
    let (count, times) = (numbers as i64, repeat as i64);
    let (sizes, zeros) = if tau.is_for_neighbours {
        ([-1, count, 1], [numbers, repeat])
    } else {
        ([-1, 1, count], [repeat, numbers])
    };
    let output = threshold_output(name);
    if times == 1 {
        addition.reshape(&scaled, &output, &[-1, channels as i64]);
        return;
    }
    let (apart, none, full) = (part("apart"), part("zeros"), part("repeated"));
    addition.reshape(&scaled, &apart, &sizes);
    addition.weights.push(stored_floats(&none, &zeros, &vec![0.0; channels]));
    addition.add("Add", &[&apart, &none], &full, &[]);
    addition.reshape(&full, &output, &[-1, channels as i64]);
}

/// The shrunk features as `[batch, channels, …]`, for counting zeros.
fn add_shrunk(
    addition: &mut Addition<'_>,
    name: &str,
    shrunk: &Shrunk,
    shape: &[usize],
    axis: usize,
) -> String {
    let mut tensor = addition.floats(&shrunk.tensor, &format!("{name}.shrunk"));
    let mut rank = shrunk.shape.len();
    let at = shrunk.axis.unwrap_or_else(|| {
        let output = format!("import/{name}.in_shape");
        let sizes: Vec<i64> =
            std::iter::once(-1).chain(shape[1..].iter().map(|&size| size as i64)).collect();
        addition.reshape(&tensor, &output, &sizes);
        (tensor, rank) = (output, shape.len());
        axis
    });
    if rank == 2 {
        let output = format!("import/{name}.with_space");
        addition.reshape(&tensor, &output, &[-1, shape[axis] as i64, 1]);
        return output;
    }
    if at == 1 {
        return tensor;
    }
    let output = format!("import/{name}.channels_first");
    let perm = [0, at as i64].into_iter().chain(other_axes(rank, at)).collect();
    addition.add("Transpose", &[&tensor], &output, &[("perm", Attribute::Ints(perm))]);
    output
}
