//! The residual units of a graph.

use super::layers::{Graph, ints};
use crate::{
    model::{ResidualUnit, channel_padding},
    tensor::TensorError,
};

impl Graph {
    /// Adds a residual unit; updates `size`, height and width, to that of its output.
    pub(super) fn unit(
        &mut self,
        name: &str,
        unit: &ResidualUnit,
        input: &str,
        size: &mut [usize; 2],
    ) -> Result<String, TensorError> {
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

    fn shortcut(&mut self, name: &str, unit: &ResidualUnit, input: &str) -> String {
        let mut stream = input.to_owned();
        if unit.conv1.stride != [1, 1] {
            stream = self.strided(name, unit.conv1.stride, &stream);
        }
        let [_, present, _, _] = unit.conv1.weight.shape().dims();
        let (before, after) = channel_padding(present, unit.channels());
        if before + after > 0 {
            let space = vec![0; self.spatial(&[0, 0]).len()];
            let axes = [&[0, before as i64][..], &space, &[0, after as i64], &space].concat();
            let pads = self.builder.integers(&format!("{name}.pads"), &axes);
            let output = format!("{name}.shortcut");
            stream = self.builder.node("Pad", &[&stream, &pads], &output, &[]);
        }
        stream
    }

    /// Keeps every n-th feature along each spatial axis. For a signal it is a slice, which is
    /// faster than pooling with window 1.
    fn strided(&mut self, name: &str, stride: [usize; 2], input: &str) -> String {
        let output = format!("{name}.kept");
        if self.is_signal {
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
}
