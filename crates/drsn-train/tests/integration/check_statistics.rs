//! Statistics of imported networks' batch normalisations, against the user's data.

use std::{fs, path::Path, process::Output};

use drsn_bundle::{
    Bundle, Name,
    onnx::{Attribute, GraphBuilder},
    runtime::Runtime,
};
use drsn_import::Options;
use serde_json::Value;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, said},
};

/// Variance of the second differences of noise and tones, each half of the inputs.
const VARIANCE: f32 = 1.04;

/// Tells noise from tones by the magnitude of second differences, normalised with these variances:
/// after a convolution, before a block with a threshold, and after pooling.
fn network(variances: Option<[f32; 2]>) -> Vec<u8> {
    let mut graph = GraphBuilder::new("differences");
    graph.input("signal", &[-1, 1, 256]);
    let axes = || ("axes", Attribute::Ints(vec![2]));
    graph.tensor("kernel", &[1, 1, 3], &[-1.0, 2.0, -1.0]);
    graph.node("Conv", &["signal", "kernel"], "differences", &[]);
    for (name, value) in [("one", 1.0), ("zero", 0.0), ("mean", 0.6), ("share", 0.1)] {
        graph.tensor(name, &[1], &[value]);
    }
    let mut normalized = |from: &str, to: &str, mean: &str, at: usize| {
        let Some(variances) = variances else { return graph.node("Identity", &[from], to, &[]) };
        let variance = graph.tensor(&format!("{to}.variance"), &[1], &[variances[at]]);
        graph.node("BatchNormalization", &[from, "one", "zero", mean, &variance], to, &[])
    };
    normalized("differences", "x", "zero", 0);
    normalized("pooled", "centred", "mean", 1);
    graph.node("Abs", &["x"], "magnitude", &[]);
    graph.node("ReduceMean", &["magnitude"], "average", &[axes()]);
    graph.node("Mul", &["average", "share"], "tau", &[]);
    graph.node("Sub", &["magnitude", "tau"], "less", &[]);
    graph.node("Relu", &["less"], "kept", &[]);
    graph.node("Sign", &["x"], "sign", &[]);
    graph.node("Mul", &["sign", "kept"], "shrunk", &[]);
    graph.node("Abs", &["shrunk"], "rest", &[]);
    graph.node("ReduceMean", &["rest"], "pooled", &[axes(), ("keepdims", Attribute::Int(0))]);
    graph.tensor("weights", &[1, 2], &[5.0, -5.0]);
    graph.node("MatMul", &["centred", "weights"], "scores", &[]);
    graph.output("scores", &[-1, 2]);
    graph.finish("a network for tests")
}

/// Imports a network as a version of the model `mine`.
fn imported(workspace: &Workspace, version: &str, network: &[u8]) {
    let file = workspace.path("network.onnx");
    fs::write(&file, network).unwrap();
    let name = |name: &str| Name::new(name).unwrap();
    let labels = ["noise", "tone"].map(str::to_owned).to_vec();
    let options = Options::new(name("mine"), name(version), labels);
    let runtime = Runtime::start(None).unwrap();
    let found = drsn_import::import(&runtime, Path::new(&file), &options).unwrap();
    let models = workspace.path("models");
    drsn_bundle::write(&models, found.manifest, &found.model, &found.golden, false).unwrap();
}

fn check(workspace: &Workspace, version: &str, flags: &[&str]) -> Output {
    workspace.ask("check-statistics", &[&format!("mine/{version}")], flags)
}

fn report(workspace: &Workspace, version: &str, flags: &[&str]) -> Value {
    let output = check(workspace, version, &[&["--json"], flags].concat());
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first published DRSN program shows an accuracy that its weights alone do not have: its running
/// statistics are wrong, and it evaluates with those of the test batches.
#[test]
fn wrong_running_statistics_are_found_by_layer_and_replaced_by_those_of_the_data() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    imported(&workspace, "1", &network(Some([1e4, 0.16])));
    let wrong = report(&workspace, "1", &["--as-version", "2"]);
    let accuracy = |report: &Value, kind: &str| report["accuracy"][kind].as_f64().unwrap();
    assert_eq!(wrong["verdict"], "wrong", "{wrong}");
    assert!(accuracy(&wrong, "running") < 0.6, "{wrong}");
    assert!(accuracy(&wrong, "exact") > 0.99 && accuracy(&wrong, "batch") > 0.99, "{wrong}");
    let layer = &wrong["layers"][0];
    assert_eq!((&layer["before"], &layer["channels"]), (&"block1".into(), &1.into()));
    assert!(layer["deviation"][1].as_f64().unwrap() < 0.02, "{layer}");
    // The layer behind it is measured with the first one already right.
    let behind = &wrong["layers"][1]["deviation"][0];
    assert!((0.7..1.4).contains(&behind.as_f64().unwrap()), "{wrong}");
    assert!(wrong["layers"][1]["before"].is_null());

    let written = Bundle::open(&workspace.path("models/mine/2")).unwrap().manifest;
    assert!(written.origin.unwrap().warnings.last().unwrap().contains("after the import"));
    let right = report(&workspace, "2", &[]);
    assert_eq!(right["verdict"], "right", "{right}");
    assert!(accuracy(&right, "running") > 0.99, "{right}");
    let again = check(&workspace, "1", &["--as-version", "2"]);
    assert!(said(&again).contains("already exists"), "{}", said(&again));
    let text = check(&workspace, "1", &[]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("are not those of this data") && text.contains("block1"), "{text}");
}

#[test]
fn right_running_statistics_are_said_to_be_right() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    imported(&workspace, "1", &network(Some([VARIANCE, 0.16])));
    let report = report(&workspace, "1", &[]);
    assert_eq!(report["verdict"], "right", "{report}");
    let deviation = report["layers"][0]["deviation"][0].as_f64().unwrap();
    assert!((deviation - 1.0).abs() < 0.05, "{report}");
}

/// Most exporters merge normalisations into what is before or after them.
#[test]
fn a_file_without_normalisations_is_refused_with_the_exports_that_keep_them() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    imported(&workspace, "1", &network(None));
    let output = check(&workspace, "1", &[]);
    assert!(!output.status.success());
    let said = said(&output);
    for what in ["no batch normalisation", "do_constant_folding=False", "optimize=False", "Keras"] {
        assert!(said.contains(what), "{said}");
    }
}
