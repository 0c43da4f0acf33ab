//! Burn's optimizers as a recipe asks for them.

use burn::{
    module::ParamGroup,
    optim::{
        Adam, AdamConfig, AdamWConfig, ModuleOptimizer, Sgd, SgdConfig, decay::WeightDecayConfig,
        momentum::MomentumConfig,
    },
};

use crate::recipe::{L2, L2Form, OptimizerConfig, OptimizerKind};

/// The optimizer, with penalty or decay of what is named `weight` only: neither biases nor a normalization's γ and β
/// should be small.
pub(super) fn optimizer(config: &OptimizerConfig) -> ModuleOptimizer {
    let weights = || ParamGroup::from_predicate("weight");
    let head = || ParamGroup::from_predicates(vec!["head", "weight"]);
    let exempt = config.l2.is_some_and(|l2| l2.except_head);
    let penalty = config.l2.map(gradient_factor);
    match config.kind {
        OptimizerKind::Sgd => {
            let mut optimizer = ModuleOptimizer::from(sgd(config, None));
            optimizer = optimizer.with_group(weights(), sgd(config, penalty), None);
            if exempt { optimizer.with_group(head(), sgd(config, None), None) } else { optimizer }
        }
        OptimizerKind::Adam => {
            let mut optimizer = ModuleOptimizer::from(adam(config, None));
            optimizer = optimizer.with_group(weights(), adam(config, penalty), None);
            if exempt { optimizer.with_group(head(), adam(config, None), None) } else { optimizer }
        }
        OptimizerKind::AdamW => {
            // Burn's own ε, 1e-5, would damp the steps of weights with small gradients.
            let adam = AdamWConfig::new().with_epsilon(config.epsilon as f32);
            let decaying = adam.clone().with_weight_decay(config.weight_decay as f32).build();
            ModuleOptimizer::from(adam.with_weight_decay(0.0).build()).with_group(
                weights(),
                decaying,
                None,
            )
        }
    }
}

/// What the penalty adds to a weight's gradient, as a factor of the weight.
fn gradient_factor(l2: L2) -> f32 {
    let factor = match l2.form {
        L2Form::Sum => 2.0 * l2.lambda,
        L2Form::Half => l2.lambda,
    };
    factor as f32
}

fn sgd(config: &OptimizerConfig, penalty: Option<f32>) -> Sgd {
    // Burn damps by a tenth where nothing else is said.
    let momentum = MomentumConfig::new().with_momentum(config.momentum).with_dampening(0.0);
    SgdConfig::new()
        .with_momentum(Some(momentum))
        .with_weight_decay(penalty.map(WeightDecayConfig::new))
        .build()
}

fn adam(config: &OptimizerConfig, penalty: Option<f32>) -> Adam {
    AdamConfig::new()
        .with_epsilon(config.epsilon as f32)
        .with_weight_decay(penalty.map(WeightDecayConfig::new))
        .build()
}
