//! Models that were not exported for inference, or give no numbers: each is refused with a sentence
//! that says what is wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod network;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use drsn_bundle::{
    onnx::{Attribute, proto::tensor_proto::DataType},
    runtime::Runtime,
};
use network::{CHANNELS, Network, WINDOW};

/// Changes features, `[batch, C, WINDOW]`.
type Change = fn(&mut Network, &str) -> String;

fn over(n: &mut Network, operator: &str, x: &str, axes: &[i64]) -> String {
    n.with(operator, &[x], &[("axes", Attribute::Ints(axes.to_vec()))])
}

/// The features in units of their deviation from the mean over these axes.
fn normalised(n: &mut Network, x: &str, axes: &[i64]) -> String {
    let least = n.number(1e-5);
    let mean = over(n, "ReduceMean", x, axes);
    let centred = n.op("Sub", &[x, &mean]);
    let square = n.op("Mul", &[&centred, &centred]);
    let variance = over(n, "ReduceMean", &square, axes);
    let variance = n.op("Add", &[&variance, &least]);
    let deviation = n.op("Sqrt", &[&variance]);
    n.op("Div", &[&centred, &deviation])
}

const DEPENDS_ON_THE_BATCH: [(&str, Change); 5] = [
    ("batch normalisation in training mode", |n, x| normalised(n, x, &[0, 2])),
    ("centred over the batch only", |n, x| {
        let mean = over(n, "ReduceMean", x, &[0]);
        n.op("Sub", &[x, &mean])
    }),
    ("in units of the largest of the batch", |n, x| {
        let all = n.integers(&[1, -1]);
        let flat = n.op("Reshape", &[x, &all]);
        let largest = over(n, "ReduceMax", &flat, &[1]);
        n.op("Div", &[x, &largest])
    }),
    ("attention over the batch", |n, x| {
        let weights = n.with("Softmax", &[x], &[("axis", Attribute::Int(0))]);
        n.op("Mul", &[x, &weights])
    }),
    ("a sum of neighbours in the batch", |n, x| {
        let axis = n.integers(&[0]);
        let sum = n.with("CumSum", &[x, &axis], &[("exclusive", Attribute::Int(1))]);
        n.op("Add", &[x, &sum])
    }),
];

const RANDOM: [(&str, Change); 6] = [
    ("RandomNormal", |n, x| {
        let shape = [1, CHANNELS as i64, WINDOW as i64].to_vec();
        let noise = n.with("RandomNormal", &[], &[("shape", Attribute::Ints(shape))]);
        n.op("Add", &[x, &noise])
    }),
    ("RandomUniform", |n, x| {
        let shape = [1, CHANNELS as i64, 1].to_vec();
        let noise = n.with("RandomUniform", &[], &[("shape", Attribute::Ints(shape))]);
        n.op("Mul", &[x, &noise])
    }),
    ("RandomNormalLike", |n, x| {
        let noise = n.op("RandomNormalLike", &[x]);
        n.op("Add", &[x, &noise])
    }),
    ("RandomUniformLike", |n, x| {
        let noise = n.op("RandomUniformLike", &[x]);
        n.op("Add", &[x, &noise])
    }),
    ("Bernoulli", |n, x| {
        let share = n.op("Sigmoid", &[x]);
        let mask = n.op("Bernoulli", &[&share]);
        n.op("Mul", &[x, &mask])
    }),
    ("Multinomial", |n, x| {
        let scores = n.mean(x);
        let scores = n.with("Flatten", &[&scores], &[("axis", Attribute::Int(1))]);
        let chosen = n.op("Multinomial", &[&scores]);
        let chosen = n.with("Cast", &[&chosen], &[("to", Attribute::Int(1))]);
        let apart = n.integers(&[-1, 1, 1]);
        let chosen = n.op("Reshape", &[&chosen, &apart]);
        n.op("Add", &[x, &chosen])
    }),
];

const NOT_FINITE: [(&str, Change); 4] = [
    ("√x", |n, x| n.op("Sqrt", &[x])),
    ("log x", |n, x| n.op("Log", &[x])),
    ("0 / 0", |n, x| {
        let nothing = n.op("Sub", &[x, x]);
        n.op("Div", &[&nothing, &nothing])
    }),
    ("e^(1000 |x|)", |n, x| {
        let times = n.number(1e3);
        let magnitude = n.op("Abs", &[x]);
        let large = n.op("Mul", &[&magnitude, &times]);
        n.op("Exp", &[&large])
    }),
];

/// The sentence with which a DRSN is refused that has a change between its block and its classes.
fn refusal(runtime: &Runtime, seed: u64, change: Change) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut n = Network::new(seed);
    let x = n.conv("signal", 1);
    let tau = n.threshold(&x);
    let magnitude = n.op("Abs", &[&x]);
    let less = n.op("Sub", &[&magnitude, &tau]);
    let kept = n.op("Relu", &[&less]);
    let sign = n.op("Sign", &[&x]);
    let shrunk = n.op("Mul", &[&sign, &kept]);
    let changed = change(&mut n, &shrunk);
    let last = n.conv(&changed, CHANNELS);
    let imported = n.import(runtime, &last, folder.path(), false);
    imported.map_or_else(|error| error.to_string(), |_| "it is imported".to_owned())
}

/// Checks that every change is refused with its own sentence, for several networks.
fn check(changes: &[(&str, Change)], sentence: impl Fn(&str) -> String) {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    for (name, change) in changes {
        for seed in 1..4 {
            let refusal = refusal(&runtime, seed, *change);
            assert!(refusal.contains(&sentence(name)), "{name}: {refusal}");
        }
    }
}

#[test]
fn models_whose_answer_depends_on_the_rest_of_the_batch_are_refused() {
    check(&DEPENDS_ON_THE_BATCH, |_| "depends on the other inputs of its batch".to_owned());
}

/// The operator itself, as exporters write it for a model in training mode.
#[test]
fn batch_normalisation_in_training_mode_is_refused() {
    let change: Change = |n, x| {
        let (ones, zeros) = (n.weight(&[CHANNELS], 1.0, 0.0), n.weight(&[CHANNELS], 0.0, 0.0));
        n.with(
            "BatchNormalization",
            &[x, &ones, &zeros, &zeros, &ones],
            &[("training_mode", Attribute::Int(1))],
        )
    };
    check(&[("BatchNormalization", change)], |_| "batch normalisation in training mode".to_owned());
}

#[test]
fn dropout_that_was_left_on_is_refused() {
    let change: Change = |n, x| {
        let ratio = n.number(0.3);
        let yes = n.integers(&[1]);
        let yes = n.op("Squeeze", &[&yes]);
        let yes = n.with("Cast", &[&yes], &[("to", Attribute::Int(DataType::Bool as i64))]);
        n.op("Dropout", &[x, &ratio, &yes])
    };
    check(&[("Dropout", change)], |_| "gives other answers to the same input each time".to_owned());
}

#[test]
fn operators_that_draw_random_numbers_are_refused_by_name() {
    check(&RANDOM, |name| format!("draws random numbers (the operator {name})"));
}

#[test]
fn models_whose_answers_are_not_finite_are_refused() {
    check(&NOT_FINITE, |_| "answers to noise are not finite numbers".to_owned());
}

/// The same networks are imported if statistics are of the input alone, and dropout is off.
#[test]
fn what_is_like_training_and_is_not_is_imported() {
    let changes: [(&str, Change); 2] = [
        ("instance normalisation", |n, x| normalised(n, x, &[2])),
        ("dropout that is off", |n, x| {
            let ratio = n.number(0.3);
            n.op("Dropout", &[x, &ratio])
        }),
    ];
    check(&changes, |_| "it is imported".to_owned());
}
