//! The optimizers against those of Burn.

use burn::{
    module::ParamGroup,
    optim::{
        AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig,
        decay::WeightDecayConfig, momentum::MomentumConfig,
    },
    tensor::{Device, Tensor, TensorData},
};

use super::*;
use crate::{
    model::{Drsn, Initializer},
    random::{Purpose, stream},
    recipe::preset,
    training::parameters::{gradients, parameters, with_parameters},
};

fn config(kind: OptimizerKind, l2: Option<L2>) -> OptimizerConfig {
    OptimizerConfig {
        kind,
        learning_rate: 0.01,
        momentum: 0.9,
        epsilon: 1e-7,
        weight_decay: 0.03,
        l2,
    }
}

/// Burn's optimizer with the same settings.
fn of_burn(config: &OptimizerConfig) -> ModuleOptimizer {
    let penalty = |role| {
        Some(WeightDecayConfig::new(decay(config, role))).filter(|decay| decay.penalty > 0.0)
    };
    let sgd = |role| {
        let momentum = MomentumConfig::new().with_momentum(config.momentum).with_dampening(0.0);
        SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(penalty(role)).build()
    };
    let adam = |role| {
        AdamConfig::new()
            .with_epsilon(config.epsilon as f32)
            .with_weight_decay(penalty(role))
            .build()
    };
    let adam_w = |role| {
        let adam_w = AdamWConfig::new().with_epsilon(config.epsilon as f32);
        adam_w.with_weight_decay(decay(config, role)).build()
    };
    let weight = ParamGroup::from_predicate("weight");
    let head = ParamGroup::from_predicates(vec!["head", "weight"]);
    match config.kind {
        OptimizerKind::Sgd => ModuleOptimizer::from(sgd(Role::Other))
            .with_group(weight, sgd(Role::Weight), None)
            .with_group(head, sgd(Role::HeadWeight), None),
        OptimizerKind::Adam => ModuleOptimizer::from(adam(Role::Other))
            .with_group(weight, adam(Role::Weight), None)
            .with_group(head, adam(Role::HeadWeight), None),
        OptimizerKind::AdamW => ModuleOptimizer::from(adam_w(Role::Other))
            .with_group(weight, adam_w(Role::Weight), None)
            .with_group(head, adam_w(Role::HeadWeight), None),
    }
}

fn network(device: &Device) -> Drsn {
    let recipe = preset("paper-1d").unwrap();
    let rng = stream(3, Purpose::Weights, 0, 0);
    let architecture = recipe.network.architecture();
    Drsn::new(&architecture, [1, 1, 64], 5, 1e-5, &mut Initializer::new(rng, device))
}

fn loss(network: &Drsn, step: usize, device: &Device) -> Tensor<1> {
    let values: Vec<f32> = (0..64 * 3).map(|n| ((n * 31 + step * 17) % 97) as f32 / 97.0).collect();
    let input = Tensor::<4>::from_data(TensorData::new(values, [1, 1, 64, 3]), device);
    network.forward(input).logits.sin().sum()
}

#[test]
fn every_method_makes_the_steps_of_burns_to_the_last_bit() {
    use OptimizerKind::{Adam, AdamW, Sgd};
    let l2 = |form, except_head| Some(L2 { lambda: 0.05, form, except_head });
    let cases = [
        config(Sgd, None),
        config(Sgd, l2(L2Form::Half, false)),
        config(Sgd, l2(L2Form::Sum, true)),
        config(Adam, None),
        config(Adam, l2(L2Form::Sum, false)),
        config(Adam, l2(L2Form::Half, true)),
        config(AdamW, None),
    ];
    let device = Device::flex().autodiff();
    for config in cases {
        let mut of_burn = of_burn(&config);
        let mut theirs = network(&device);
        let (mut values, roles) = parameters(&theirs).unwrap();
        let before = values.clone();
        let mut optimizer = Optimizer::new(config.clone(), &roles);
        for step in 0..4 {
            let rate = 0.01 / (step + 1) as f64;
            let ours = with_parameters(&theirs, &values, &device);
            let found = gradients(&ours, loss(&ours, step, &device).backward()).unwrap();
            optimizer.step(rate, &mut values, &found);
            let found =
                GradientsParams::from_grads(loss(&theirs, step, &device).backward(), &theirs);
            theirs = of_burn.step(rate, theirs, found);
            let theirs = parameters(&theirs).unwrap().0;
            let first = theirs.iter().zip(&values).find(|(theirs, ours)| theirs != ours);
            assert_eq!(first, None, "{config:?} at step {step}");
        }
        assert_ne!(values, before);
    }
}

#[test]
fn kernels_and_matrices_have_a_penalty_and_nothing_else() {
    let (values, roles) = parameters(&network(&Device::flex().autodiff())).unwrap();
    assert_eq!(values.len(), roles.len());
    let of = |role| roles.iter().filter(|&&found| found == role).count();
    // The classifier's matrix has 16 inputs and 5 classes.
    assert_eq!(of(Role::HeadWeight), 80);
    assert!(of(Role::Weight) > of(Role::Other));
    assert!(of(Role::Other) > 0);
}

#[test]
fn a_saved_state_is_restored_and_nothing_else_is() {
    let roles = [Role::Weight, Role::Other, Role::HeadWeight];
    let new = || Optimizer::new(config(OptimizerKind::Adam, None), &roles);
    let mut optimizer = new();
    optimizer.step(0.1, &mut [1.0, 2.0, 3.0], &[0.5, -0.5, 0.25]);
    let bytes = optimizer.to_bytes();
    assert_eq!(new().with_state(&bytes).as_ref(), Some(&optimizer));
    for length in 0..bytes.len() {
        assert!(new().with_state(&bytes[..length]).is_none(), "{length}");
    }
    let other = Optimizer::new(config(OptimizerKind::Sgd, None), &roles);
    assert!(other.with_state(&bytes).is_none());
}
