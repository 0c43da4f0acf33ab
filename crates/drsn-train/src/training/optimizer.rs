//! Optimizers over all parameters in one row.
//!
//! Burn's own take each parameter by itself, with up to fifteen operations: on small networks one thread did that for a
//! tenth of a step while the others waited. The arithmetic is that of Burn, to the last bit (a test holds it).

use super::parameters::Role;
use crate::recipe::{L2, L2Form, OptimizerConfig, OptimizerKind};

/// How much of Adam's mean of the gradients stays at each step (D. P. Kingma and J. Ba, ICLR 2015).
const BETA_1: f32 = 0.9;
/// How much of its mean of their squares stays.
const BETA_2: f32 = 0.999;

/// A method, and what it remembers of the steps before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Optimizer {
    config: OptimizerConfig,
    /// Of each parameter: SGD and Adam: what the L2 penalty adds to the gradient, as a factor of the value; `AdamW`: its
    /// decay at a learning rate of 1. Only kernels and matrices have one: neither biases nor a normalization's γ and β
    /// should be small.
    decay: Vec<f32>,
    steps: i32,
    /// Of each parameter: SGD: its last change; Adam: the mean of its gradients.
    first: Vec<f32>,
    /// Of each parameter: Adam: the mean of its squared gradients; empty for SGD.
    second: Vec<f32>,
}

impl Optimizer {
    /// One that has made no step yet, for parameters of these roles.
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

    /// Changes the parameters by their gradients.
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
        let [missing_1, missing_2] = self.missing();
        let root = missing_2.sqrt();
        let (factor, epsilon) = (root / missing_1, self.config.epsilon as f32 * root);
        let rows = values.iter_mut().zip(gradients).zip(&self.decay);
        for (((value, gradient), decay), means) in
            rows.zip(self.first.iter_mut().zip(&mut self.second))
        {
            let (mean, square) = averaged(means, *value * decay + gradient);
            *value -= (mean * factor) / (square.sqrt() + epsilon) * rate;
        }
    }

    fn adam_w(&mut self, rate: f64, values: &mut [f32], gradients: &[f32]) {
        let [missing_1, missing_2] = self.missing();
        let epsilon = self.config.epsilon as f32;
        let rows = values.iter_mut().zip(gradients).zip(&self.decay);
        for (((value, gradient), decay), means) in
            rows.zip(self.first.iter_mut().zip(&mut self.second))
        {
            let (mean, square) = averaged(means, *gradient);
            let change = (mean / missing_1) / ((square / missing_2).sqrt() + epsilon);
            let kept = (1.0 - rate * f64::from(*decay)) as f32;
            *value = *value * kept - change * rate as f32;
        }
    }

    /// What share of the gradients both means of Adam have seen: they began at zero.
    fn missing(&self) -> [f32; 2] {
        [BETA_1, BETA_2].map(|beta| 1.0 - beta.powi(self.steps))
    }

    /// All that it remembers.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let numbers = self.first.iter().chain(&self.second).flat_map(|number| number.to_le_bytes());
        self.steps.to_le_bytes().into_iter().chain(numbers).collect()
    }

    /// The same optimizer with what another one remembered; none where that had other parameters.
    pub(super) fn reminded_of(mut self, bytes: &[u8]) -> Option<Self> {
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

/// Adam's means after one more gradient.
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
