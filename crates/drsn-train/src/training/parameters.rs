//! A network's parameters in one row, one after the other: what an optimizer changes, threads start from, and
//! gradients of shards are added up in.

use burn::{
    module::{Module as _, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, TensorData},
};

use super::read;
use crate::{TrainError, model::Drsn};

/// What a parameter is to an optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the classifier's matrix.
    HeadWeight,
    /// Part of another layer's kernel or matrix.
    Weight,
    /// A bias, or a normalization's γ or β.
    Other,
}

/// The values of all parameters that are trained, and their roles.
///
/// # Errors
/// [`TrainError::Tensor`] where a tensor cannot be read.
pub(super) fn parameters(network: &Drsn) -> Result<(Vec<f32>, Vec<Role>), TrainError> {
    let mut reader = Reader::default();
    network.visit(&mut reader);
    reader.failure.map_or(Ok((reader.values, reader.roles)), Err)
}

/// The network with these values, on a device with gradients; each call gives it tensors of its own, so that threads
/// do not wait for one another's gradients.
pub(super) fn with_parameters(network: &Drsn, values: &[f32], device: &Device) -> Drsn {
    network.clone().map(&mut Writer { values, device })
}

/// The gradients of all parameters in the row's order; zero where the loss does not depend on one.
///
/// # Errors
/// [`TrainError::Tensor`] where a tensor cannot be read.
pub(super) fn gradients(network: &Drsn, gradients: Gradients) -> Result<Vec<f32>, TrainError> {
    let mut taker = Taker { gradients, values: Vec::new(), failure: None };
    network.visit(&mut taker);
    taker.failure.map_or(Ok(taker.values), Err)
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    values: Vec<f32>,
    roles: Vec<Role>,
    failure: Option<TrainError>,
}

impl ModuleVisitor for Reader {
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

struct Writer<'a> {
    /// Those of the parameters that are still to come.
    values: &'a [f32],
    device: &'a Device,
}

impl ModuleMapper for Writer<'_> {
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

struct Taker {
    gradients: Gradients,
    values: Vec<f32>,
    failure: Option<TrainError>,
}

impl ModuleVisitor for Taker {
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
