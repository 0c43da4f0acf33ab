//! The log-mel front end of a graph.

use burn::tensor::Device;

use super::layers::Graph;
use crate::{model::LogMel, tensor::TensorError};

impl Graph {
    /// Adds the front end; updates `size`, height and width, to that of its output.
    pub(super) fn log_mel(
        &mut self,
        layer: &LogMel,
        input: &str,
        size: &mut [usize; 2],
    ) -> Result<String, TensorError> {
        let device = Device::flex();
        let part = |part: &str| format!("front_end.{part}");
        let waves = self.convolution(&part("waves"), &layer.waves(&device), None, input, size)?;
        let power = self.builder.node("Mul", &[&waves, &waves], &part("power"), &[]);
        let bands = self.convolution(&part("bands"), &layer.bands(&device), None, &power, size)?;
        let logarithm = self.builder.node("Log", &[&bands], &part("logarithm"), &[]);
        let [scale, offset] = layer.scale();
        let scale = self.builder.tensor(&part("scale"), &[], &[scale]);
        let offset = self.builder.tensor(&part("offset"), &[], &[offset]);
        let scaled = self.builder.node("Mul", &[&logarithm, &scale], &part("scaled"), &[]);
        Ok(self.builder.node("Add", &[&scaled, &offset], &part("normalized"), &[]))
    }
}
