//! Shrinkage and excitation in a graph.

use drsn_bundle::onnx::{Attribute, mean_abs_output, threshold_output};

use super::layers::Graph;
use crate::{
    model::{Excitation, Shrinkage},
    tensor::TensorError,
};

/// Name of the tensor with a unit's features after shrinkage.
pub(crate) fn shrunk_tensor(block: &str) -> String {
    format!("{block}.shrunk")
}

impl Graph {
    /// Adds the shrinkage of a unit.
    pub(super) fn shrinkage(
        &mut self,
        name: &str,
        layer: &Shrinkage,
        channels: usize,
        features: &str,
    ) -> Result<String, TensorError> {
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
        let axes = self.spatial_axes(name);
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

    /// `x − τ² / x` if |x| > τ, else 0; the unused quotients are divided by 1 instead.
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

    /// Adds squeeze and excitation: scales each channel by a function of all channels' means.
    pub(super) fn excitation(
        &mut self,
        name: &str,
        layer: &Excitation,
        features: &str,
    ) -> Result<String, TensorError> {
        let part = |part: &str| format!("{name}.{part}");
        let means = self.mean_over_space(features, &part("means"));
        let hidden = self.fully_connected(&part("squeeze"), &layer.squeeze, None, &means)?;
        let active = self.builder.node("Relu", &[&hidden], &part("relu3"), &[]);
        let logit = self.fully_connected(&part("excite"), &layer.excite, None, &active)?;
        let scale = self.builder.node("Sigmoid", &[&logit], &part("scale"), &[]);
        let axes = self.spatial_axes(name);
        let scale = self.builder.node("Unsqueeze", &[&scale, &axes], &part("scales"), &[]);
        Ok(self.builder.node("Mul", &[features, &scale], &part("scaled"), &[]))
    }

    /// τ = α · mean of A, the same for every channel.
    fn shared_threshold(&mut self, name: &str, scale: &str, mean_abs: &str, channels: usize) {
        let part = |part: &str| format!("{name}.{part}");
        let mean = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
        let magnitude = self.builder.node("ReduceMean", &[mean_abs], &part("magnitude"), &mean);
        let shared = self.builder.node("Mul", &[scale, &magnitude], &part("shared"), &[]);
        let ones = self.builder.tensor(&part("ones"), &[1, channels], &vec![1.0; channels]);
        self.builder.node("Mul", &[&shared, &ones], &threshold_output(name), &[]);
    }
}
