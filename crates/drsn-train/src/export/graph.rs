//! The network as an ONNX graph, node by node.
//!
//! Each normalization that is the sole consumer of a convolution or a fully connected layer is folded into it.
//! The first normalization of a unit is not: its input is the shortcut's input as well, for the first unit the
//! stem's output. The soft threshold is written as `x − max(min(x, τ), −τ)`.

use burn::nn::BatchNorm;
use drsn_bundle::{
    InputSpec,
    onnx::{
        Attribute, GraphBuilder, INPUT, LOGITS, METADATA_BLOCKS, METADATA_CLASSES, METADATA_FORMAT,
        PROBABILITIES, mean_abs_output, threshold_output,
    },
};

use super::fold::Affine;
use crate::{
    TrainError,
    model::{
        Convolution, Drsn, Excitation, FullyConnected, ResidualUnit, Shrinkage, channel_padding,
    },
    training::{planes, read},
};

/// Name of the tensor with a unit's features after shrinkage.
pub fn shrunk_tensor(block: &str) -> String {
    format!("{block}.shrunk")
}

/// Writes a network with fixed statistics as ONNX: input `[batch, channels, height, width]`, or
/// `[batch, channels, samples]` for signals; outputs
/// `probabilities` and `logits` `[batch, classes]`, and for each shrinkage `threshold.<block>` and
/// `mean_abs.<block>` `[batch, C]`.
///
/// The same network gives the same bytes.
///
/// # Errors
/// [`TrainError::Tensor`] where a weight cannot be read.
pub fn to_onnx(
    network: &Drsn,
    input: &InputSpec,
    classes: &[String],
    format: u32,
) -> Result<Vec<u8>, TrainError> {
    let flat = matches!(input, InputSpec::Signal(_));
    let mut graph = Graph { builder: GraphBuilder::new("drsn"), flat };
    let shape = input.shape().into_iter().map(|size| size as i64);
    graph.builder.input(INPUT, &std::iter::once(-1).chain(shape).collect::<Vec<_>>());
    let [_, height, width] = planes(input);
    let mut size = [height, width];
    let mut stream = graph.convolution("stem", &network.stem, None, INPUT, &mut size)?;
    for (name, unit) in network.units() {
        stream = graph.unit(&name, unit, &stream, &mut size)?;
    }
    let normalized = graph.batch_norm("norm", &network.norm, &stream)?;
    let activated = graph.builder.node("Relu", &[&normalized], "relu", &[]);
    let pooled = graph.mean_over_space(&activated, "pooled");
    graph.fully_connected(LOGITS, &network.head, None, &pooled)?;
    let axis = [("axis", Attribute::Int(1))];
    graph.builder.node("Softmax", &[LOGITS], PROBABILITIES, &axis);
    graph.declare_outputs(network, classes.len());
    graph.metadata(network, classes, format);
    Ok(graph.builder.finish("Deep Residual Shrinkage Network"))
}

struct Graph {
    builder: GraphBuilder,
    /// Whether the inputs are signals: then no node has an axis of height one.
    flat: bool,
}

impl Graph {
    /// Convolution, with what follows folded in; `size` becomes that of the output.
    fn convolution(
        &mut self,
        name: &str,
        layer: &Convolution,
        folded: Option<&BatchNorm>,
        input: &str,
        size: &mut [usize; 2],
    ) -> Result<String, TrainError> {
        let shape: [usize; 4] = layer.weight.shape().dims();
        let mut weight = read(layer.weight.val())?;
        let mut bias = read(layer.bias.val())?;
        if let Some(norm) = folded {
            let kernel = weight.len() / shape[0];
            Affine::of(norm)?.fold(&mut weight, &mut bias, |position| position / kernel);
        }
        let sizes = [&shape[..2], self.along(&shape[2..])].concat();
        let weight = self.builder.tensor(&format!("{name}.weight"), &sizes, &weight);
        let bias = self.builder.tensor(&format!("{name}.bias"), &[shape[0]], &bias);
        let [(top, bottom), (left, right)] = layer.padding(*size);
        for (size, stride) in size.iter_mut().zip(layer.stride) {
            *size = size.div_ceil(stride);
        }
        let attributes = [
            ("kernel_shape", ints(self.along(&shape[2..]))),
            ("strides", ints(self.along(&layer.stride))),
            ("pads", ints(&[self.along(&[top, left]), self.along(&[bottom, right])].concat())),
        ];
        Ok(self.builder.node("Conv", &[input, &weight, &bias], name, &attributes))
    }

    /// Fully connected layer, with what follows folded in.
    fn fully_connected(
        &mut self,
        name: &str,
        layer: &FullyConnected,
        folded: Option<&BatchNorm>,
        input: &str,
    ) -> Result<String, TrainError> {
        let shape: [usize; 2] = layer.weight.shape().dims();
        let mut weight = read(layer.weight.val())?;
        let mut bias = read(layer.bias.val())?;
        if let Some(norm) = folded {
            Affine::of(norm)?.fold(&mut weight, &mut bias, |position| position % shape[1]);
        }
        let weight = self.builder.tensor(&format!("{name}.weight"), &shape, &weight);
        let bias = self.builder.tensor(&format!("{name}.bias"), &[shape[1]], &bias);
        Ok(self.builder.node("Gemm", &[input, &weight, &bias], name, &[]))
    }

    /// A normalization that stays a node of its own.
    fn batch_norm(
        &mut self,
        name: &str,
        layer: &BatchNorm,
        input: &str,
    ) -> Result<String, TrainError> {
        let parameters = [
            ("gamma", read(layer.gamma.val())?),
            ("beta", read(layer.beta.val())?),
            ("mean", read(layer.running_mean.value())?),
            ("variance", read(layer.running_var.value())?),
        ];
        let names = parameters.map(|(parameter, values)| {
            self.builder.tensor(&format!("{name}.{parameter}"), &[values.len()], &values)
        });
        let inputs: Vec<&str> =
            std::iter::once(input).chain(names.iter().map(String::as_str)).collect();
        let epsilon = [("epsilon", Attribute::Float(layer.epsilon as f32))];
        Ok(self.builder.node("BatchNormalization", &inputs, name, &epsilon))
    }

    /// `[batch, C, height, width]` to its mean over space, `[batch, C]`. Of a signal one node gives it; that of images has
    /// another layout while ONNX Runtime computes with it, which only pooling understands.
    fn mean_over_space(&mut self, input: &str, output: &str) -> String {
        if self.flat {
            let mean = [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(0))];
            return self.builder.node("ReduceMean", &[input], output, &mean);
        }
        let means = format!("{output}.means");
        self.builder.node("GlobalAveragePool", &[input], &means, &[]);
        self.builder.node("Flatten", &[&means], output, &[("axis", Attribute::Int(1))])
    }

    /// What belongs to height and width: of a signal only the latter.
    fn along<'a, T>(&self, axes: &'a [T]) -> &'a [T] {
        if self.flat { &axes[1..] } else { axes }
    }

    /// The axes of space in `[batch, C, …]`, as a stored tensor.
    fn space(&mut self, name: &str) -> String {
        let axes: &[i64] = if self.flat { &[2] } else { &[2, 3] };
        self.builder.integers(&format!("{name}.axes"), axes)
    }

    fn unit(
        &mut self,
        name: &str,
        unit: &ResidualUnit,
        input: &str,
        size: &mut [usize; 2],
    ) -> Result<String, TrainError> {
        let part = |part: &str| format!("{name}.{part}");
        let normalized = self.batch_norm(&part("norm1"), &unit.norm1, input)?;
        let active = self.builder.node("Relu", &[&normalized], &part("relu1"), &[]);
        let conv1 = part("conv1");
        let hidden = self.convolution(&conv1, &unit.conv1, Some(&unit.norm2), &active, size)?;
        let active = self.builder.node("Relu", &[&hidden], &part("relu2"), &[]);
        let features = self.convolution(&part("conv2"), &unit.conv2, None, &active, size)?;
        let branch = match (&unit.shrinkage, &unit.excitation) {
            (Some(shrinkage), _) => self.shrinkage(name, shrinkage, unit.channels(), &features)?,
            (None, Some(excitation)) => self.excitation(name, excitation, &features)?,
            (None, None) => features,
        };
        let shortcut = self.shortcut(name, unit, input);
        Ok(self.builder.node("Add", &[&branch, &shortcut], &part("sum"), &[]))
    }

    fn shrinkage(
        &mut self,
        name: &str,
        layer: &Shrinkage,
        channels: usize,
        features: &str,
    ) -> Result<String, TrainError> {
        let part = |part: &str| format!("{name}.{part}");
        let magnitudes = self.builder.node("Abs", &[features], &part("abs"), &[]);
        let mean_abs = self.mean_over_space(&magnitudes, &mean_abs_output(name));
        let squeeze = part("squeeze");
        let hidden =
            self.fully_connected(&squeeze, &layer.squeeze, Some(&layer.norm), &mean_abs)?;
        let active = self.builder.node("Relu", &[&hidden], &part("relu3"), &[]);
        let logit = self.fully_connected(&part("excite"), &layer.excite, None, &active)?;
        let scale = self.builder.node("Sigmoid", &[&logit], &part("scale"), &[]);
        let [thresholds] = layer.excite.bias.shape().dims();
        let threshold = threshold_output(name);
        if thresholds == channels {
            self.builder.node("Mul", &[&scale, &mean_abs], &threshold, &[]);
        } else {
            self.shared_threshold(name, &scale, &mean_abs, channels);
        }
        let axes = self.space(name);
        let tau = self.builder.node("Unsqueeze", &[&threshold, &axes], &part("tau"), &[]);
        Ok(if layer.garrote {
            self.garrote(name, features, &magnitudes, &tau)
        } else {
            self.soft_threshold(name, features, &tau)
        })
    }

    /// `x − max(min(x, τ), −τ)`.
    fn soft_threshold(&mut self, name: &str, features: &str, tau: &str) -> String {
        let part = |part: &str| format!("{name}.{part}");
        let negative = self.builder.node("Neg", &[tau], &part("minus_tau"), &[]);
        let low = self.builder.node("Min", &[features, tau], &part("at_most_tau"), &[]);
        let middle = self.builder.node("Max", &[&low, &negative], &part("middle"), &[]);
        self.builder.node("Sub", &[features, &middle], &shrunk_tensor(name), &[])
    }

    /// `x − τ² / x` where |x| > τ, else 0; the division is by 1 where its result is not used.
    fn garrote(&mut self, name: &str, features: &str, magnitudes: &str, tau: &str) -> String {
        let part = |part: &str| format!("{name}.{part}");
        let kept = self.builder.node("Greater", &[magnitudes, tau], &part("beyond_tau"), &[]);
        let one = self.builder.tensor(&part("one"), &[], &[1.0]);
        let zero = self.builder.tensor(&part("zero"), &[], &[0.0]);
        let safe = self.builder.node("Where", &[&kept, features, &one], &part("safe"), &[]);
        let square = self.builder.node("Mul", &[tau, tau], &part("tau_squared"), &[]);
        let less = self.builder.node("Div", &[&square, &safe], &part("less"), &[]);
        let outside = self.builder.node("Sub", &[features, &less], &part("outside"), &[]);
        self.builder.node("Where", &[&kept, &outside, &zero], &shrunk_tensor(name), &[])
    }

    /// Scales each channel by what the excitation network makes of all channels' means.
    fn excitation(
        &mut self,
        name: &str,
        layer: &Excitation,
        features: &str,
    ) -> Result<String, TrainError> {
        let part = |part: &str| format!("{name}.{part}");
        let means = self.mean_over_space(features, &part("means"));
        let hidden = self.fully_connected(&part("squeeze"), &layer.squeeze, None, &means)?;
        let active = self.builder.node("Relu", &[&hidden], &part("relu3"), &[]);
        let logit = self.fully_connected(&part("excite"), &layer.excite, None, &active)?;
        let scale = self.builder.node("Sigmoid", &[&logit], &part("scale"), &[]);
        let axes = self.space(name);
        let scale = self.builder.node("Unsqueeze", &[&scale, &axes], &part("scales"), &[]);
        Ok(self.builder.node("Mul", &[features, &scale], &part("scaled"), &[]))
    }

    /// τ = α · mean of A, the same number for each of the channels.
    fn shared_threshold(&mut self, name: &str, scale: &str, mean_abs: &str, channels: usize) {
        let part = |part: &str| format!("{name}.{part}");
        let mean = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
        let magnitude = self.builder.node("ReduceMean", &[mean_abs], &part("magnitude"), &mean);
        let shared = self.builder.node("Mul", &[scale, &magnitude], &part("shared"), &[]);
        let ones = self.builder.tensor(&part("ones"), &[1, channels], &vec![1.0; channels]);
        self.builder.node("Mul", &[&shared, &ones], &threshold_output(name), &[]);
    }

    fn shortcut(&mut self, name: &str, unit: &ResidualUnit, input: &str) -> String {
        let mut stream = input.to_owned();
        if unit.conv1.stride != [1, 1] {
            stream = self.kept(name, unit.conv1.stride, &stream);
        }
        let [_, present, _, _] = unit.conv1.weight.shape().dims();
        let (before, after) = channel_padding(present, unit.channels());
        if before + after > 0 {
            let space = vec![0; self.along(&[0, 0]).len()];
            let axes = [&[0, before as i64][..], &space, &[0, after as i64], &space].concat();
            let pads = self.builder.integers(&format!("{name}.pads"), &axes);
            let output = format!("{name}.shortcut");
            stream = self.builder.node("Pad", &[&stream, &pads], &output, &[]);
        }
        stream
    }

    /// Every so many-th feature along each axis of space: of a signal a slice, which is faster than pooling over one.
    fn kept(&mut self, name: &str, stride: [usize; 2], input: &str) -> String {
        let output = format!("{name}.kept");
        if self.flat {
            let [start, end, axis, step] =
                [("start", 0), ("end", i64::MAX), ("axis", 2), ("step", stride[1] as i64)].map(
                    |(part, value)| self.builder.integers(&format!("{output}.{part}"), &[value]),
                );
            let inputs = [input, &start, &end, &axis, &step];
            return self.builder.node("Slice", &inputs, &output, &[]);
        }
        let attributes = [("kernel_shape", ints(&[1, 1])), ("strides", ints(&stride))];
        self.builder.node("AveragePool", &[input], &output, &attributes)
    }

    fn declare_outputs(&mut self, network: &Drsn, classes: usize) {
        self.builder.output(PROBABILITIES, &[-1, classes as i64]);
        self.builder.output(LOGITS, &[-1, classes as i64]);
        for (name, unit) in network.units().filter(|(_, unit)| unit.shrinkage.is_some()) {
            let shape = [-1, unit.channels() as i64];
            self.builder.output(&threshold_output(&name), &shape);
            self.builder.output(&mean_abs_output(&name), &shape);
        }
    }

    fn metadata(&mut self, network: &Drsn, classes: &[String], format: u32) {
        let blocks: Vec<String> = network
            .units()
            .filter(|(_, unit)| unit.shrinkage.is_some())
            .map(|(name, _)| name)
            .collect();
        let list = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
        self.builder.metadata(METADATA_FORMAT, &format.to_string());
        self.builder.metadata(METADATA_CLASSES, &list(classes));
        self.builder.metadata(METADATA_BLOCKS, &list(&blocks));
    }
}

fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}
