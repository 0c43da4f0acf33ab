//! All parameters of a network in one vector: the optimizer updates it, threads copy it, and the
//! gradients of ghost batches are summed in the same order.

use burn::{
    module::{Module as _, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, TensorData},
};

use crate::{
    model::Drsn,
    tensor::{TensorError, read},
};

/// The role of a parameter for the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the classifier's matrix.
    HeadWeight,
    /// Part of another layer's kernel or matrix.
    Weight,
    /// A bias, or a normalization's γ or β.
    Other,
}

/// Returns the values of all trainable parameters, and their roles.
pub(super) fn parameters(network: &Drsn) -> Result<(Vec<f32>, Vec<Role>), TensorError> {
    let mut reader = ParameterReader::default();
    network.visit(&mut reader);
    reader.failure.map_or(Ok((reader.values, reader.roles)), Err)
}

/// Number of trainable parameters of the first convolution and so many stages: they come first.
pub(super) fn count_first(network: &Drsn, stages: usize) -> Result<usize, TensorError> {
    let mut reader = ParameterReader::default();
    network.stem.visit(&mut reader);
    network.stages.iter().take(stages).flatten().for_each(|unit| unit.visit(&mut reader));
    reader.failure.map_or(Ok(reader.values.len()), Err)
}

/// Returns the network with these values on a device with gradients. Each call makes new tensors,
/// so that threads do not wait for one another's gradients.
pub(super) fn with_parameters(network: &Drsn, values: &[f32], device: &Device) -> Drsn {
    network.clone().map(&mut ParameterWriter { values, device })
}

/// Returns the gradients of all parameters, in the order of [`parameters`]; zero if the loss does
/// not depend on a parameter.
pub(super) fn gradients(network: &Drsn, gradients: Gradients) -> Result<Vec<f32>, TensorError> {
    let mut reader = GradientReader { gradients, values: Vec::new(), failure: None };
    network.visit(&mut reader);
    reader.failure.map_or(Ok(reader.values), Err)
}

#[derive(Default)]
struct ParameterReader {
    path: Vec<String>,
    values: Vec<f32>,
    roles: Vec<Role>,
    failure: Option<TensorError>,
}

impl ModuleVisitor for ParameterReader {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        match read(param.val()) {
            Ok(values) => {
                let role = match &self.path[..] {
                    [head, .., name] if head == "head" && name == "weight" => Role::HeadWeight,
                    [.., name] if name == "weight" => Role::Weight,
                    _ => Role::Other,
                };
                self.roles.resize(self.roles.len() + values.len(), role);
                self.values.extend(values);
            }
            Err(error) => self.failure = Some(error),
        }
    }
}

struct ParameterWriter<'a> {
    /// Values of the parameters not yet visited.
    values: &'a [f32],
    device: &'a Device,
}

impl ModuleMapper for ParameterWriter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.is_require_grad() {
            return param;
        }
        param.map(|old| {
            let shape = old.shape();
            let (values, rest) = self.values.split_at(shape.num_elements());
            self.values = rest;
            let data = TensorData::new(values.to_vec(), shape);
            Tensor::from_data(data, self.device).require_grad()
        })
    }
}

struct GradientReader {
    gradients: Gradients,
    values: Vec<f32>,
    failure: Option<TensorError>,
}

impl ModuleVisitor for GradientReader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        match param.val().grad_remove(&mut self.gradients).map(read) {
            Some(Ok(values)) => self.values.extend(values),
            Some(Err(error)) => self.failure = Some(error),
            None => {
                let length = self.values.len() + param.val().shape().num_elements();
                self.values.resize(length, 0.0);
            }
        }
    }
}
