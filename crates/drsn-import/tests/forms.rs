//! Soft thresholds and garrotes in many forms: each is found, with its threshold.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod network;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use drsn_bundle::{
    onnx::Attribute,
    runtime::{Provider, Runtime, Session},
};
use drsn_import::Kind;
use ndarray::ArrayD;
use network::{CHANNELS, Network, WINDOW};

/// Shrinks features by a threshold, `[batch, C, 1]`.
type Form = fn(&mut Network, &str, &str) -> String;

const FORMS: [(&str, Form); 17] = [
    ("x · relu(1 − τ / max(|x|, ε))", |n, x, tau| {
        let (least, one) = (n.number(1e-12), n.number(1.0));
        let magnitude = n.op("Abs", &[x]);
        let safe = n.op("Max", &[&magnitude, &least]);
        let share = n.op("Div", &[tau, &safe]);
        let rest = n.op("Sub", &[&one, &share]);
        let kept = n.op("Relu", &[&rest]);
        n.op("Mul", &[x, &kept])
    }),
    ("max(x − τ, 0) + min(x + τ, 0)", |n, x, tau| {
        let zero = n.number(0.0);
        let (above, below) = (n.op("Sub", &[x, tau]), n.op("Add", &[x, tau]));
        let (above, below) = (n.op("Max", &[&above, &zero]), n.op("Min", &[&below, &zero]));
        n.op("Add", &[&above, &below])
    }),
    ("x − where(x > τ, τ, where(x < −τ, −τ, x))", |n, x, tau| {
        let minus = n.op("Neg", &[tau]);
        let (is_above, is_below) = (n.op("Greater", &[x, tau]), n.op("Less", &[x, &minus]));
        let inner = n.op("Where", &[&is_below, &minus, x]);
        let clipped = n.op("Where", &[&is_above, tau, &inner]);
        n.op("Sub", &[x, &clipped])
    }),
    ("x − (|x + τ| − |x − τ|) / 2", |n, x, tau| {
        let half = n.number(0.5);
        let (sum, difference) = (n.op("Add", &[x, tau]), n.op("Sub", &[x, tau]));
        let (sum, difference) = (n.op("Abs", &[&sum]), n.op("Abs", &[&difference]));
        let twice = n.op("Sub", &[&sum, &difference]);
        let clipped = n.op("Mul", &[&twice, &half]);
        n.op("Sub", &[x, &clipped])
    }),
    ("x / (|x| + ε) · relu(|x| − τ)", |n, x, tau| {
        let least = n.number(1e-9);
        let magnitude = n.op("Abs", &[x]);
        let safe = n.op("Add", &[&magnitude, &least]);
        let sign = n.op("Div", &[x, &safe]);
        let less = n.op("Sub", &[&magnitude, tau]);
        let kept = n.op("Relu", &[&less]);
        n.op("Mul", &[&sign, &kept])
    }),
    ("sign(x) · relu(√(x²) − τ)", |n, x, tau| {
        let square = n.op("Mul", &[x, x]);
        let magnitude = n.op("Sqrt", &[&square]);
        let less = n.op("Sub", &[&magnitude, tau]);
        let kept = n.op("Relu", &[&less]);
        let sign = n.op("Sign", &[x]);
        n.op("Mul", &[&sign, &kept])
    }),
    ("([x > 0] − [x < 0]) · relu(|x| − τ)", |n, x, tau| {
        let zero = n.number(0.0);
        let (is_above, is_below) = (n.op("Greater", &[x, &zero]), n.op("Less", &[x, &zero]));
        let to = || ("to", Attribute::Int(1));
        let (above, below) =
            (n.with("Cast", &[&is_above], &[to()]), n.with("Cast", &[&is_below], &[to()]));
        let sign = n.op("Sub", &[&above, &below]);
        let magnitude = n.op("Abs", &[x]);
        let less = n.op("Sub", &[&magnitude, tau]);
        let kept = n.op("Relu", &[&less]);
        n.op("Mul", &[&sign, &kept])
    }),
    ("relu(x + t) − relu(t − x) with t = −τ", |n, x, tau| {
        let minus = n.op("Neg", &[tau]);
        let minus = n.op("Identity", &[&minus]);
        let negative = n.op("Neg", &[x]);
        let (above, below) = (n.op("Add", &[x, &minus]), n.op("Add", &[&negative, &minus]));
        let (above, below) = (n.op("Relu", &[&above]), n.op("Relu", &[&below]));
        n.op("Sub", &[&above, &below])
    }),
    ("sign(x) · relu(2|x| − 2τ) / 2", |n, x, tau| {
        let (two, half) = (n.number(2.0), n.number(0.5));
        let magnitude = n.op("Abs", &[x]);
        let (twice, double) = (n.op("Mul", &[&magnitude, &two]), n.op("Mul", &[tau, &two]));
        let less = n.op("Sub", &[&twice, &double]);
        let kept = n.op("Relu", &[&less]);
        let sign = n.op("Sign", &[x]);
        let kept = n.op("Mul", &[&kept, &half]);
        n.op("Mul", &[&sign, &kept])
    }),
    ("where(|x| ≥ τ, x − τ · sign(x), 0)", |n, x, tau| {
        let zero = n.number(0.0);
        let (magnitude, sign) = (n.op("Abs", &[x]), n.op("Sign", &[x]));
        let is_above = n.op("GreaterOrEqual", &[&magnitude, tau]);
        let step = n.op("Mul", &[&sign, tau]);
        let less = n.op("Sub", &[x, &step]);
        n.op("Where", &[&is_above, &less, &zero])
    }),
    ("channels last", |n, x, tau| {
        let turn = || ("perm", Attribute::Ints(vec![0, 2, 1]));
        let (turned, turned_tau) =
            (n.with("Transpose", &[x], &[turn()]), n.with("Transpose", &[tau], &[turn()]));
        let minus = n.op("Neg", &[&turned_tau]);
        let low = n.op("Max", &[&turned, &minus]);
        let clipped = n.op("Min", &[&low, &turned_tau]);
        let shrunk = n.op("Sub", &[&turned, &clipped]);
        n.with("Transpose", &[&shrunk], &[turn()])
    }),
    ("tiled to full size", |n, x, tau| {
        let times = n.integers(&[1, 1, WINDOW as i64]);
        let full = n.op("Tile", &[tau, &times]);
        let magnitude = n.op("Abs", &[x]);
        let less = n.op("Sub", &[&magnitude, &full]);
        let kept = n.op("Relu", &[&less]);
        let sign = n.op("Sign", &[x]);
        n.op("Mul", &[&sign, &kept])
    }),
    ("sign(x) · shrink", |n, x, tau| {
        // A threshold of one on features in units of the threshold.
        let scaled = n.op("Div", &[x, tau]);
        let attributes = [("bias", Attribute::Float(1.0)), ("lambd", Attribute::Float(1.0))];
        let shrunk = n.with("Shrink", &[&scaled], &attributes);
        n.op("Mul", &[&shrunk, tau])
    }),
    ("garrote: (x − τ² / x) · [|x| > τ]", |n, x, tau| {
        let (square, magnitude) = (n.op("Mul", &[tau, tau]), n.op("Abs", &[x]));
        let share = n.op("Div", &[&square, x]);
        let less = n.op("Sub", &[x, &share]);
        let is_above = n.op("Greater", &[&magnitude, tau]);
        let mask = n.with("Cast", &[&is_above], &[("to", Attribute::Int(1))]);
        n.op("Mul", &[&less, &mask])
    }),
    ("garrote: x · relu(1 − τ² / x²)", |n, x, tau| {
        let (one, least) = (n.number(1.0), n.number(1e-20));
        let (square, features) = (n.op("Mul", &[tau, tau]), n.op("Mul", &[x, x]));
        let safe = n.op("Max", &[&features, &least]);
        let share = n.op("Div", &[&square, &safe]);
        let rest = n.op("Sub", &[&one, &share]);
        let kept = n.op("Relu", &[&rest]);
        n.op("Mul", &[x, &kept])
    }),
    ("max(x, τ) + min(x, −τ)", |n, x, tau| {
        let minus = n.op("Neg", &[tau]);
        let (above, below) = (n.op("Max", &[x, tau]), n.op("Min", &[x, &minus]));
        n.op("Add", &[&above, &below])
    }),
    ("x · relu(|x| − τ) / |x|", |n, x, tau| {
        let magnitude = n.op("Abs", &[x]);
        let less = n.op("Sub", &[&magnitude, tau]);
        let kept = n.op("Relu", &[&less]);
        let product = n.op("Mul", &[x, &kept]);
        n.op("Div", &[&product, &magnitude])
    }),
];

/// Imports a network with one block, and compares the block's threshold with the network's.
fn check(
    runtime: &Runtime,
    kind: Kind,
    build: impl FnOnce(&mut Network, &str) -> (String, String),
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut n = Network::new(5);
    let x = n.conv("signal", 1);
    let (shrunk, tau) = build(&mut n, &x);
    let last = n.conv(&shrunk, CHANNELS);
    n.graph.output(&tau, &[-1, CHANNELS as i64, 1]);
    let imported =
        n.import(runtime, &last, folder.path(), true).map_err(|error| error.to_string())?;
    let [block] = &imported.report.blocks[..] else {
        return Err(format!("{} blocks", imported.report.blocks.len()));
    };
    if block.kind != kind {
        return Err(format!("{:?}", block.kind));
    }
    let shape = [3, 1, WINDOW];
    let input = ArrayD::from_shape_fn(&shape[..], |at| ((at[0] * 97 + at[2] * 31) as f32).sin());
    let run = |model: &[u8]| {
        let mut session = Session::open(runtime, model, &shape[1..], Provider::Cpu).unwrap();
        session.run(input.view()).unwrap()
    };
    let (own, bundle) =
        (run(&std::fs::read(folder.path().join("model.onnx")).unwrap()), run(&imported.model));
    let expected = own.get(&tau).unwrap();
    let found = bundle.get("threshold.block1").unwrap();
    let is_same = expected.iter().count() == found.iter().count()
        && expected.iter().zip(found.iter()).all(|(a, b)| (a - b).abs() <= 1e-4 * a.abs());
    if is_same { Ok(()) } else { Err(format!("τ is {expected}, not {found}")) }
}

#[test]
fn every_form_is_found_with_its_threshold() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let checked = FORMS.map(|(name, form)| {
        let one_each = check(&runtime, Kind::Channel, |n, x| {
            let tau = n.threshold(x);
            (form(n, x, &tau), tau)
        });
        one_each.err().map(|error| format!("{name}: {error}"))
    });
    let faults: Vec<String> = checked.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), FORMS.len(), faults.join("\n"));
}

/// Features of one sign, and thresholds that leave nothing or take nothing: what the network does with
/// noise does not tell them apart from others, and the proof does.
#[test]
fn thresholds_are_found_where_a_run_of_the_network_does_not_show_them() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let cases: [(&str, Form); 3] = [
        ("one sign", |n, x, _| n.op("Relu", &[x])),
        ("all", |n, _, tau| {
            let times = n.number(1e4);
            n.op("Mul", &[tau, &times])
        }),
        ("nothing", |n, _, tau| {
            let times = n.number(1e-9);
            n.op("Mul", &[tau, &times])
        }),
    ];
    for (case, change) in cases {
        let checked = check(&runtime, Kind::Channel, |n, x| {
            let x = if case == "one sign" { change(n, x, "") } else { x.to_owned() };
            let tau = n.threshold(&x);
            let tau = if case == "one sign" { tau } else { change(n, &x, &tau) };
            let magnitude = n.op("Abs", &[&x]);
            let less = n.op("Sub", &[&magnitude, &tau]);
            let kept = n.op("Relu", &[&less]);
            let sign = n.op("Sign", &[&x]);
            (n.op("Mul", &[&sign, &kept]), tau)
        });
        assert_eq!(checked, Ok(()), "{case}");
    }
}

/// Before version 11 operators compare only integers; from 18 on `ReduceMean` takes axes as an input,
/// which the importer's own nodes must follow.
#[test]
fn models_of_old_operator_sets_are_imported_with_counts_of_zeros() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    for operator_set in [9, 10, 11, 12, 13, 17] {
        let checked = check(&runtime, Kind::Channel, |n, x| {
            n.operator_set = operator_set;
            let tau = n.threshold(x);
            let magnitude = n.op("Abs", &[x]);
            let less = n.op("Sub", &[&magnitude, &tau]);
            let kept = n.op("Relu", &[&less]);
            let sign = n.op("Sign", &[x]);
            (n.op("Mul", &[&sign, &kept]), tau)
        });
        assert_eq!(checked, Ok(()), "{operator_set}");
    }
}

/// A threshold for all channels, for neighbouring channels, and for channels in turn.
#[test]
fn thresholds_of_groups_of_channels_become_one_for_each_channel() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let groups = [(1, 1, Kind::Shared), (1, 2, Kind::Group), (2, 2, Kind::Group)];
    for (axis, numbers, kind) in groups {
        let checked = check(&runtime, kind, |n, x| {
            let magnitude = n.op("Abs", &[x]);
            let mean = n.mean(&magnitude);
            let gate = n.gate(&mean, numbers);
            let whole = n.with(
                "ReduceMean",
                &[&mean],
                &[("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))],
            );
            let tau = n.op("Mul", &[&gate, &whole]);
            let (each, count) = ((CHANNELS / numbers) as i64, numbers as i64);
            let apart = if axis == 1 { [0, count, each, -1] } else { [0, each, count, -1] };
            let tau_apart = if axis == 1 { [0, count, 1, 1] } else { [0, 1, count, 1] };
            let (apart, tau_apart) = (n.integers(&apart), n.integers(&tau_apart));
            let back = n.integers(&[0, CHANNELS as i64, -1]);
            let features = n.op("Reshape", &[x, &apart]);
            let tau = n.op("Reshape", &[&tau, &tau_apart]);
            let magnitude = n.op("Abs", &[&features]);
            let less = n.op("Sub", &[&magnitude, &tau]);
            let kept = n.op("Relu", &[&less]);
            let sign = n.op("Sign", &[&features]);
            let shrunk = n.op("Mul", &[&sign, &kept]);
            let ones =
                n.weight(&[1, 1, if axis == 1 { CHANNELS / numbers } else { 1 }, 1], 1.0, 0.0);
            let ones =
                if axis == 1 { ones } else { n.weight(&[1, CHANNELS / numbers, 1, 1], 1.0, 0.0) };
            let full = n.op("Mul", &[&tau, &ones]);
            let full = n.op("Reshape", &[&full, &back]);
            (n.op("Reshape", &[&shrunk, &back]), full)
        });
        assert_eq!(checked, Ok(()), "{numbers} on axis {axis}");
    }
}

/// A threshold for each sample of a signal, shared by the channels, was once taken for thresholds of
/// as many channels.
#[test]
fn thresholds_of_positions_are_not_taken_for_thresholds_of_channels() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut n = Network::new(5);
    let x = n.conv("signal", 1);
    let (magnitude, share) = (n.op("Abs", &[&x]), n.number(0.7));
    let over_channels = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
    let mean = n.with("ReduceMean", &[&magnitude], &over_channels);
    let tau = n.op("Mul", &[&mean, &share]);
    let less = n.op("Sub", &[&magnitude, &tau]);
    let kept = n.op("Relu", &[&less]);
    let sign = n.op("Sign", &[&x]);
    let shrunk = n.op("Mul", &[&sign, &kept]);
    let refused = n.import(&runtime, &shrunk, folder.path(), false).unwrap_err().to_string();
    assert!(refused.contains("1 with a threshold for each position"), "{refused}");
}
