//! Optimizers that update all parameters as one vector.
//!
//! Burn's optimizers update each parameter separately, with up to fifteen operations: on small
//! networks one thread spent a tenth of each step on that while the others waited. The results are
//! the same as Burn's, to the last bit, which a test checks.

use super::parameters::Role;
use crate::recipe::{L2, L2Form, OptimizerConfig, OptimizerKind};

/// Decay of Adam's mean of the gradients (D. P. Kingma and J. Ba, ICLR 2015).
const BETA_1: f32 = 0.9;
/// Decay of Adam's mean of the squared gradients.
const BETA_2: f32 = 0.999;

/// An optimizer and its state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Optimizer {
    config: OptimizerConfig,
    /// For each parameter. SGD and Adam: the L2 penalty's part of the gradient, relative to the
    /// value; `AdamW`: the decay at a learning rate of 1. Zero for all but kernels and matrices:
    /// biases and a normalization's γ and β need not be small.
    decay: Vec<f32>,
    steps: i32,
    /// For each parameter. SGD: its velocity; Adam: the mean of its gradients.
    first: Vec<f32>,
    /// For each parameter. Adam: the mean of its squared gradients; empty for SGD.
    second: Vec<f32>,
}

impl Optimizer {
    /// An optimizer before its first step, for parameters with these roles.
    pub(super) fn new(config: OptimizerConfig, roles: &[Role]) -> Self {
        let count = roles.len();
        let second = if config.kind == OptimizerKind::Sgd { 0 } else { count };
        Self {
            decay: roles.iter().map(|&role| decay(&config, role)).collect(),
            config,
            steps: 0,
            first: vec![0.0; count],
            second: vec![0.0; second],
        }
    }

    /// Updates the parameters with their gradients.
    pub(super) fn step(&mut self, rate: f64, values: &mut [f32], gradients: &[f32]) {
        self.steps = self.steps.saturating_add(1);
        match self.config.kind {
            OptimizerKind::Sgd => self.sgd(rate as f32, values, gradients),
            OptimizerKind::Adam => self.adam(rate as f32, values, gradients),
            OptimizerKind::AdamW => self.adam_w(rate, values, gradients),
        }
    }

    fn sgd(&mut self, rate: f32, values: &mut [f32], gradients: &[f32]) {
        let momentum = self.config.momentum as f32;
        let rows = values.iter_mut().zip(gradients).zip(&self.decay).zip(&mut self.first);
        for (((value, gradient), decay), velocity) in rows {
            *velocity = (*value * decay + gradient) + *velocity * momentum;
            *value -= *velocity * rate;
        }
    }

    fn adam(&mut self, rate: f32, values: &mut [f32], gradients: &[f32]) {
        let [correction_1, correction_2] = self.bias_corrections();
        let root = correction_2.sqrt();
        let (factor, epsilon) = (root / correction_1, self.config.epsilon as f32 * root);
        let rows = values.iter_mut().zip(gradients).zip(&self.decay);
        for (((value, gradient), decay), means) in
            rows.zip(self.first.iter_mut().zip(&mut self.second))
        {
            let (mean, square) = averaged(means, *value * decay + gradient);
            *value -= (mean * factor) / (square.sqrt() + epsilon) * rate;
        }
    }

    fn adam_w(&mut self, rate: f64, values: &mut [f32], gradients: &[f32]) {
        let [correction_1, correction_2] = self.bias_corrections();
        let epsilon = self.config.epsilon as f32;
        let rows = values.iter_mut().zip(gradients).zip(&self.decay);
        for (((value, gradient), decay), means) in
            rows.zip(self.first.iter_mut().zip(&mut self.second))
        {
            let (mean, square) = averaged(means, *gradient);
            let change = (mean / correction_1) / ((square / correction_2).sqrt() + epsilon);
            let kept = (1.0 - rate * f64::from(*decay)) as f32;
            *value = *value * kept - change * rate as f32;
        }
    }

    /// Bias corrections of Adam's two means, which start at zero.
    fn bias_corrections(&self) -> [f32; 2] {
        [BETA_1, BETA_2].map(|beta| 1.0 - beta.powi(self.steps))
    }

    /// The state as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let numbers = self.first.iter().chain(&self.second).flat_map(|number| number.to_le_bytes());
        self.steps.to_le_bytes().into_iter().chain(numbers).collect()
    }

    /// Restores a state from bytes; `None` if it belongs to other parameters.
    pub(super) fn with_state(mut self, bytes: &[u8]) -> Option<Self> {
        let (steps, numbers) = bytes.split_first_chunk::<4>()?;
        let (numbers, rest) = numbers.as_chunks::<4>();
        if !rest.is_empty() || numbers.len() != self.first.len() + self.second.len() {
            return None;
        }
        self.steps = i32::from_le_bytes(*steps);
        let places = self.first.iter_mut().chain(&mut self.second);
        places.zip(numbers).for_each(|(place, number)| *place = f32::from_le_bytes(*number));
        Some(self)
    }
}

/// Updates Adam's means with a gradient.
fn averaged((mean, square): (&mut f32, &mut f32), gradient: f32) -> (f32, f32) {
    *mean = *mean * BETA_1 + gradient * (1.0 - BETA_1);
    *square = *square * BETA_2 + gradient * gradient * (1.0 - BETA_2);
    (*mean, *square)
}

fn decay(config: &OptimizerConfig, role: Role) -> f32 {
    match (role, config.kind, config.l2) {
        (Role::Other, ..) | (_, OptimizerKind::Sgd | OptimizerKind::Adam, None) => 0.0,
        (_, OptimizerKind::AdamW, _) => config.weight_decay as f32,
        (Role::HeadWeight, _, Some(L2 { except_head: true, .. })) => 0.0,
        (_, _, Some(L2 { lambda, form: L2Form::Sum, .. })) => (2.0 * lambda) as f32,
        (_, _, Some(L2 { lambda, form: L2Form::Half, .. })) => lambda as f32,
    }
}

#[cfg(test)]
mod tests;
