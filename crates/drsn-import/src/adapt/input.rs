//! Nodes in front of a model that make its input from that of a bundle.

use std::collections::HashMap;

use drsn_bundle::{
    ImageSpec, InputSpec, Normalization, SignalSpec,
    onnx::{
        self, Attribute, attribute,
        proto::{GraphProto, NodeProto, TensorProto, tensor_proto::DataType},
    },
};

use super::shape::Shape;
use crate::{
    ImportError, Layout, Options,
    error::refuse,
    graph::{cast, node, rename, stored_floats, stored_integers},
    options::Normalize,
};

/// ε of the normalisation of windows, as `drsn-train` has it.
const EPSILON: f64 = 1e-8;

/// Nodes, each of which takes what the one before it makes.
struct Front {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    last: String,
    notes: Vec<String>,
}

impl Front {
    fn add(&mut self, operator: &str, others: &[&str], attributes: &[(&str, Attribute)]) {
        let output = format!("import/input{}", self.nodes.len());
        let inputs: Vec<&str> =
            [self.last.as_str()].into_iter().chain(others.iter().copied()).collect();
        let attributes = attributes.iter().map(attribute).collect();
        self.nodes.push(node(operator, &inputs, &output, attributes));
        self.last = output;
    }

    fn number(&mut self, name: &str, value: f32) {
        self.weights.push(stored_floats(name, &[1], &[value]));
    }
}

/// Puts the nodes in front, and returns how the server prepares the input.
///
/// # Errors
/// [`ImportError::Refused`] if the flags do not fit the input.
pub(super) fn put_in_front(
    graph: &mut GraphProto,
    shape: &Shape,
    options: &Options,
) -> Result<(InputSpec, Vec<String>), ImportError> {
    let mut front = Front {
        nodes: Vec::new(),
        weights: Vec::new(),
        last: onnx::INPUT.to_owned(),
        notes: Vec::new(),
    };
    let input = match shape.bundle[..] {
        [channels, window] => signal(&mut front, channels, window, options)?,
        [channels, height, width] => image(&mut front, [channels, height, width], options)?,
        _ => return refuse("the input is neither a signal nor an image"),
    };
    reshape(&mut front, shape);
    if shape.element_type != DataType::Float as i32 {
        let output = format!("import/input{}", front.nodes.len());
        front.nodes.push(cast(&front.last, &output, shape.element_type));
        front.last = output;
        front.notes.push("the input is converted to the model's type of numbers".to_owned());
    }
    // The last tensor takes the place of the model's input.
    rename(graph, &HashMap::from([(shape.name.clone(), front.last.clone())]));
    graph.node.splice(0..0, front.nodes);
    graph.initializer.extend(front.weights);
    let sizes = shape.bundle.iter().map(|&size| size as i64);
    let dims: Vec<i64> = std::iter::once(-1).chain(sizes).collect();
    graph.input = vec![onnx::value_info(onnx::INPUT, &dims)];
    Ok((input, front.notes))
}

fn signal(
    front: &mut Front,
    channels: usize,
    window: usize,
    options: &Options,
) -> Result<InputSpec, ImportError> {
    let normalization = match options.signal.normalize {
        Normalize::None => Normalization::None,
        Normalize::ZScore => Normalization::ZScore { epsilon: EPSILON },
        Normalize::Fixed { mean, std } => {
            if !mean.is_finite() || !std.is_normal() {
                return refuse(
                    "--normalize needs a finite mean and a standard deviation other than 0",
                );
            }
            front.number("import/mean", mean);
            front.number("import/std", std);
            front.add("Sub", &["import/mean"], &[]);
            front.add("Div", &["import/std"], &[]);
            Normalization::None
        }
    };
    Ok(InputSpec::Signal(SignalSpec {
        channels,
        window,
        sample_rate_hz: options.signal.sample_rate_hz,
        normalization,
        source: None,
        padding: None,
    }))
}

fn image(
    front: &mut Front,
    [channels, height, width]: [usize; 3],
    options: &Options,
) -> Result<InputSpec, ImportError> {
    let image = &options.image;
    if !matches!(channels, 1 | 3) {
        return refuse(format!(
            "the model takes images of {channels} channels, and the server prepares images of 1 or 3; \
             --kind signal takes the rows of one as a signal"
        ));
    }
    let mut mean = each("--mean", &image.mean, 0.0, channels)?;
    let mut std = each("--std", &image.std, 1.0, channels)?;
    if image.is_bgr {
        if channels != 3 {
            return refuse("--color bgr needs a model of images with 3 channels");
        }
        // The numbers are given in the model's order, and applied before the channels change theirs.
        mean.reverse();
        std.reverse();
        front.weights.push(stored_integers("import/bgr", &[2, 1, 0]));
        front.add("Gather", &["import/bgr"], &[("axis", Attribute::Int(1))]);
    }
    // The server's pixels are in [0, 1].
    let scaled = |values: Vec<f32>| values.into_iter().map(|value| value / image.white).collect();
    Ok(InputSpec::Image(ImageSpec {
        channels,
        height,
        width,
        geometry: image.geometry,
        filter: image.filter,
        mean: scaled(mean),
        std: scaled(std),
    }))
}

/// One number for each channel of an image.
fn each(
    flag: &str,
    values: &[f32],
    default: f32,
    channels: usize,
) -> Result<Vec<f32>, ImportError> {
    match *values {
        [] => Ok(vec![default; channels]),
        [one] => Ok(vec![one; channels]),
        _ if values.len() == channels => Ok(values.to_vec()),
        _ => refuse(format!(
            "{flag} has {} numbers, and the model's images have {channels} channels",
            values.len()
        )),
    }
}

/// Moves the channels to their place, and adds or removes axes of one.
fn reshape(front: &mut Front, shape: &Shape) {
    let mut sizes = shape.bundle.clone();
    if shape.layout == Layout::Last {
        let axes = sizes.len() as i64;
        let perm = std::iter::once(0).chain(2..=axes).chain([1]).collect();
        sizes.rotate_left(1);
        front.add("Transpose", &[], &[("perm", Attribute::Ints(perm))]);
        front.notes.push("the channels, which the model has last, are moved there".to_owned());
    }
    if sizes != shape.model {
        let model = shape.model.iter().map(|&size| size as i64);
        let target: Vec<i64> = std::iter::once(-1).chain(model).collect();
        front.weights.push(stored_integers("import/shape", &target));
        front.add("Reshape", &["import/shape"], &[]);
    }
}
