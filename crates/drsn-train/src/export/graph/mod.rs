//! The network as an ONNX graph, node by node.
//!
//! Each normalization that is the sole consumer of a convolution or a fully connected layer is
//! folded into it. The first normalization of a unit is not, because its input is also the input of
//! the shortcut. The soft threshold is written as `x − max(min(x, τ), −τ)`.

mod layers;
mod log_mel;
mod shrinkage;
mod unit;

use drsn_bundle::{
    InputSpec,
    onnx::{
        Attribute, FEATURES, GraphBuilder, INPUT, LOGITS, METADATA_BLOCKS, METADATA_CLASSES,
        METADATA_FORMAT, PROBABILITIES, mean_abs_output, threshold_output,
    },
};

use crate::{model::Drsn, tensor::TensorError, training::chw_shape};

use layers::Graph;
pub(crate) use shrinkage::shrunk_tensor;

/// Converts a network with fixed statistics to ONNX. The same network gives the same bytes.
///
/// * input: `[batch, channels, height, width]`, or `[batch, channels, samples]` for signals
/// * outputs `probabilities` and `logits`: `[batch, classes]`
/// * outputs `threshold.<block>` and `mean_abs.<block>` for each shrinkage: `[batch, C]`
/// * output `features`, which the last layer makes the logits of: `[batch, F]`
///
/// # Errors
/// [`TensorError`] if a weight cannot be read.
pub fn to_onnx(
    network: &Drsn,
    input: &InputSpec,
    classes: &[String],
    format: u32,
) -> Result<Vec<u8>, TensorError> {
    let is_signal = matches!(input, InputSpec::Signal(_));
    let mut graph = Graph { builder: GraphBuilder::new("drsn"), is_signal };
    let shape = input.shape().into_iter().map(|size| size as i64);
    graph.builder.input(INPUT, &std::iter::once(-1).chain(shape).collect::<Vec<_>>());
    let [_, height, width] = chw_shape(input);
    let mut size = [height, width];
    let input = match &network.front_end {
        Some(front_end) => graph.log_mel(front_end, INPUT, &mut size)?,
        None => INPUT.to_owned(),
    };
    let mut stream = graph.convolution("stem", &network.stem, None, &input, &mut size)?;
    for (name, unit) in network.units() {
        stream = graph.unit(&name, unit, &stream, &mut size)?;
    }
    let normalized = graph.batch_norm("norm", &network.norm, &stream)?;
    let activated = graph.builder.node("Relu", &[&normalized], "relu", &[]);
    let features = graph.mean_over_space(&activated, FEATURES);
    graph.fully_connected(LOGITS, &network.head, None, &features)?;
    let axis = [("axis", Attribute::Int(1))];
    graph.builder.node("Softmax", &[LOGITS], PROBABILITIES, &axis);
    graph.declare_outputs(network, classes.len());
    graph.metadata(network, classes, format);
    Ok(graph.builder.finish("Deep Residual Shrinkage Network"))
}

impl Graph {
    fn declare_outputs(&mut self, network: &Drsn, classes: usize) {
        self.builder.output(PROBABILITIES, &[-1, classes as i64]);
        self.builder.output(LOGITS, &[-1, classes as i64]);
        for (name, unit) in network.units().filter(|(_, unit)| unit.shrinkage.is_some()) {
            let shape = [-1, unit.channels() as i64];
            self.builder.output(&threshold_output(&name), &shape);
            self.builder.output(&mean_abs_output(&name), &shape);
        }
        self.builder.output(FEATURES, &[-1, network.features() as i64]);
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
