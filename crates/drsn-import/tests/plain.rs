//! Networks without thresholds: none is found to have one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod network;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::time::{Duration, Instant};

use drsn_bundle::{onnx::Attribute, runtime::Runtime};
use network::{CHANNELS, Network, WINDOW};

const NETWORKS: u64 = 120;

/// What is done with features in the middle of a network.
type Activation = fn(&mut Network, &str) -> String;

const ACTIVATIONS: [Activation; 22] = [
    |n, x| n.op("Relu", &[x]),
    |n, x| n.op("LeakyRelu", &[x]),
    |n, x| {
        let slope = n.weight(&[CHANNELS, 1], 0.2, 0.1);
        n.op("PRelu", &[x, &slope])
    },
    |n, x| n.op("HardSwish", &[x]),
    gelu,
    |n, x| n.op("Elu", &[x]),
    |n, x| n.op("Softsign", &[x]),
    squeeze_and_excite,
    |n, x| layer_norm(n, x),
    group_norm,
    attention,
    bias_and_relu,
    |n, x| {
        let (low, high) = (n.number(-0.7), n.number(0.7));
        n.op("Clip", &[x, &low, &high])
    },
    clip_at_threshold,
    one_sided,
    hard_threshold,
    |n, x| {
        let tanh = n.op("Tanh", &[x]);
        n.op("Sub", &[x, &tanh])
    },
    centered,
    |n, x| {
        let sign = n.op("Sign", &[x]);
        let mean = n.threshold(x);
        n.op("Mul", &[&sign, &mean])
    },
    magnitude_above,
    |n, x| {
        let negative = n.op("Neg", &[x]);
        let below = n.op("Relu", &[&negative]);
        let above = n.op("Relu", &[x]);
        n.op("Sub", &[&above, &below])
    },
    unmasked_garrote,
];

/// A number from 0 to below `limit`.
fn below(n: &mut Network, limit: usize) -> usize {
    (n.uniform() * limit as f32) as usize % limit
}

/// Batch normalisation with fixed statistics.
fn norm(n: &mut Network, x: &str) -> String {
    let (scale, bias) = (n.weight(&[CHANNELS], 1.0, 0.4), n.weight(&[CHANNELS], 0.0, 0.3));
    let (mean, variance) = (n.weight(&[CHANNELS], 0.0, 0.2), n.weight(&[CHANNELS], 1.0, 0.4));
    n.op("BatchNormalization", &[x, &scale, &bias, &mean, &variance])
}

fn gelu(n: &mut Network, x: &str) -> String {
    let (root, one, half) = (n.number(std::f32::consts::SQRT_2), n.number(1.0), n.number(0.5));
    let scaled = n.op("Div", &[x, &root]);
    let erf = n.op("Erf", &[&scaled]);
    let sum = n.op("Add", &[&erf, &one]);
    let product = n.op("Mul", &[x, &sum]);
    n.op("Mul", &[&product, &half])
}

fn squeeze_and_excite(n: &mut Network, x: &str) -> String {
    let mean = n.mean(x);
    let gate = n.gate(&mean, CHANNELS);
    n.op("Mul", &[x, &gate])
}

fn layer_norm(n: &mut Network, x: &str) -> String {
    let (scale, bias) = (n.weight(&[WINDOW], 1.0, 0.3), n.weight(&[WINDOW], 0.0, 0.3));
    n.op("LayerNormalization", &[x, &scale, &bias])
}

fn group_norm(n: &mut Network, x: &str) -> String {
    let groups = n.integers(&[0, 2, -1]);
    let apart = n.op("Reshape", &[x, &groups]);
    let (scale, bias) = (n.weight(&[2], 1.0, 0.3), n.weight(&[2], 0.0, 0.3));
    let normed = n.op("InstanceNormalization", &[&apart, &scale, &bias]);
    let back = n.integers(&[0, CHANNELS as i64, WINDOW as i64]);
    n.op("Reshape", &[&normed, &back])
}

fn attention(n: &mut Network, x: &str) -> String {
    let turned = n.with("Transpose", &[x], &[("perm", Attribute::Ints(vec![0, 2, 1]))]);
    let scores = n.op("MatMul", &[x, &turned]);
    let weights = n.with("Softmax", &[&scores], &[("axis", Attribute::Int(2))]);
    n.op("MatMul", &[&weights, x])
}

/// A normalisation as `tf2onnx` leaves it, after features of one sign.
fn bias_and_relu(n: &mut Network, x: &str) -> String {
    let positive = n.op("Relu", &[x]);
    let (scale, bias) = (n.number(1.0), n.weight(&[CHANNELS, 1], -0.3, 0.2));
    let scaled = n.op("Mul", &[&positive, &scale]);
    let shifted = n.op("Add", &[&scaled, &bias]);
    n.op("Relu", &[&shifted])
}

/// What a soft threshold takes away.
fn clip_at_threshold(n: &mut Network, x: &str) -> String {
    let tau = n.threshold(x);
    let minus = n.op("Neg", &[&tau]);
    let low = n.op("Max", &[x, &minus]);
    n.op("Min", &[&low, &tau])
}

fn one_sided(n: &mut Network, x: &str) -> String {
    let tau = n.threshold(x);
    let less = n.op("Sub", &[x, &tau]);
    n.op("Relu", &[&less])
}

fn hard_threshold(n: &mut Network, x: &str) -> String {
    let (tau, zero) = (n.threshold(x), n.number(0.0));
    let magnitude = n.op("Abs", &[x]);
    let is_above = n.op("Greater", &[&magnitude, &tau]);
    n.op("Where", &[&is_above, x, &zero])
}

/// On features of one sign this gives the numbers of a soft threshold with τ = A.
fn centered(n: &mut Network, x: &str) -> String {
    let positive = n.op("Relu", &[x]);
    let mean = n.mean(&positive);
    let less = n.op("Sub", &[&positive, &mean]);
    n.op("Relu", &[&less])
}

fn magnitude_above(n: &mut Network, x: &str) -> String {
    let tau = n.threshold(x);
    let magnitude = n.op("Abs", &[x]);
    let less = n.op("Sub", &[&magnitude, &tau]);
    n.op("Relu", &[&less])
}

fn unmasked_garrote(n: &mut Network, x: &str) -> String {
    let tau = n.threshold(x);
    let square = n.op("Mul", &[&tau, &tau]);
    let features_square = n.op("Mul", &[x, x]);
    let sum = n.op("Add", &[&features_square, &square]);
    let share = n.op("Div", &[&features_square, &sum]);
    n.op("Mul", &[x, &share])
}

#[test]
fn none_of_many_random_networks_without_thresholds_is_found_to_have_one() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for seed in 1..=NETWORKS {
        let mut n = Network::new(seed);
        let mut x = n.conv("signal", 1);
        let mut used = Vec::new();
        // Every activation occurs, the first one in turn.
        for unit in 0..3 {
            let which = if unit == 0 {
                seed as usize % ACTIVATIONS.len()
            } else {
                below(&mut n, ACTIVATIONS.len())
            };
            used.push(which);
            let normed = if below(&mut n, 2) == 0 { norm(&mut n, &x) } else { x.clone() };
            let active = ACTIVATIONS[which](&mut n, &normed);
            let next = n.conv(&active, CHANNELS);
            x = if below(&mut n, 2) == 0 { n.op("Add", &[&next, &x]) } else { next };
        }
        let imported = n.import(&runtime, &x, folder.path(), true);
        match imported {
            Ok(imported) if imported.report.blocks.is_empty() => (),
            Ok(imported) => found.push(format!("{seed} {used:?}: {}", imported.report.to_text())),
            Err(error) => found.push(format!("{seed} {used:?}: {error}")),
        }
    }
    assert!(found.is_empty(), "{} of {NETWORKS}:\n{}", found.len(), found.join("\n"));
}

/// How long the import of a chain takes.
fn time(runtime: &Runtime, links: usize, link: impl Fn(&mut Network, &str) -> String) -> Duration {
    let mut network = Network::new(6);
    let mut features = network.conv("signal", 1);
    for _ in 0..links {
        features = link(&mut network, &features);
    }
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    network.import(runtime, &features, folder.path(), true).unwrap();
    start.elapsed()
}

/// Any two of their tensors may be features before and after a threshold: they took all of the import's
/// time, one session of the runtime for each pair.
#[test]
fn long_chains_of_simple_operators_are_searched_in_seconds() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let without_effect = time(&runtime, 3000, |network, x| network.op("Abs", &[x]));
    let shrinking = time(&runtime, 1000, |network, x| {
        let little = network.number(1e-4);
        let less = network.op("Sub", &[x, &little]);
        network.op("Relu", &[&less])
    });
    // A few seconds on an idle machine; before it was minutes.
    for took in [without_effect, shrinking] {
        assert!(took < Duration::from_mins(1), "{took:?}");
    }
}
