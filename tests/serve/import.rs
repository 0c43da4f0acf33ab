//! `drsn-serve import`: models of other tools, imported and then served.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use drsn_bundle::{Bundle, onnx::GraphBuilder};
use ndarray::{ArrayD, Axis};
use serde_json::{Value, json};

use crate::{
    foreign::{self, Foreign, excess},
    harness::{self, Server, has_runtime},
    mnist,
    recordings::npy,
    skip,
};

/// The longest that a refusal may take, in CPU time of one core that others use, too.
const PATIENCE: Duration = Duration::from_mins(3);

/// Models of one server.
const TOGETHER: usize = 8;

fn import(model: &Path, labels: &str, out: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .arg("import")
        .arg(model)
        .args(["--labels", labels, "--out"])
        .arg(out)
        .args(flags)
        .output()
        .unwrap()
}

fn import_foreign(model: &Foreign, models: &Path, flags: &[&str]) -> Output {
    let length: &[&str] =
        if model.name().ends_with("_length") { &["--window", "128"] } else { &[] };
    let out = models.join(model.name()).join("1");
    import(&model.model(), &model.labels().join(","), &out, &[length, flags].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every model that an importer must or may take is served, and answers as its framework; every
/// other one is refused with one sentence, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn models_of_other_tools_are_imported_and_served_as_their_frameworks_run_them() {
    if !has_runtime() {
        return;
    }
    let mut foreign = foreign::committed();
    foreign.extend(foreign::all().unwrap_or_default());
    let folder = tempfile::tempdir().unwrap();
    let mut imported = Vec::new();
    for model in &foreign {
        let models = repository(folder.path(), imported.len());
        let output = import_foreign(model, &models, &[]);
        let error = text(&output.stderr);
        if output.status.success() {
            assert!(model.action.contains("accept"), "{} must be refused", model.name());
            imported.push(model);
        } else {
            assert_ne!(model.action, "accept", "{}: {error}", model.name());
            assert_ne!(model.action, "accept-warn", "{}: {error}", model.name());
            assert_eq!(error.lines().count(), 1, "{}: {error}", model.name());
            assert!(!models.join(model.name()).exists(), "{}", model.name());
        }
    }
    for (group, models_of_group) in imported.chunks(TOGETHER).enumerate() {
        let models = repository(folder.path(), group * TOGETHER);
        let server = Server::start(&models, &["--workers", "1", "--max-batch", "8"]).await;
        for model in models_of_group {
            compare(&server, &models, model).await;
        }
        server.stop().await;
    }
}

/// The folder of models for the next one of so many.
fn repository(folder: &Path, models: usize) -> PathBuf {
    folder.join((models / TOGETHER).to_string())
}

/// Compares the answers over HTTP with the framework's.
async fn compare(server: &Server, models: &Path, model: &Foreign) {
    let name = model.name();
    let bundle = Bundle::open(&models.join(&name).join("1")).unwrap();
    let inputs = model.inputs(&bundle.manifest.input.shape());
    let expected = model.expected();
    let (tolerance, of_tau) = if model.is_rough() { (4e-3, 1e-2) } else { (1e-4, 1e-4) };
    let tensor = json!({
        "name": "input", "datatype": "FP32", "shape": inputs.shape(),
        "data": inputs.iter().collect::<Vec<_>>(),
    });
    let body = json!({ "inputs": [tensor] }).to_string();
    let answer =
        server.classify(&format!("/v2/models/{name}/infer"), "application/json", body).await;
    let output = |name: &str| -> ArrayD<f32> {
        let outputs = answer["outputs"].as_array().unwrap();
        let output = outputs.iter().find(|output| output["name"] == name).unwrap();
        let shape: Vec<usize> = serde_json::from_value(output["shape"].clone()).unwrap();
        let data: Vec<f32> = serde_json::from_value(output["data"].clone()).unwrap();
        ArrayD::from_shape_vec(shape, data).unwrap()
    };
    let off = excess(&output("probabilities"), &expected["probabilities"], |_, _| tolerance);
    assert!(off <= 0.0, "{name}: a probability is off by {off:e} too much");
    assert_eq!(bundle.manifest.blocks.len(), model.blocks, "{name}");
    for (at, block) in bundle.manifest.blocks.iter().enumerate() {
        let (tau, mean_abs) = model.block(at);
        let scale: Vec<f32> = mean_abs.iter().copied().collect();
        let allowed = |at: usize, tau: f32| of_tau * tau.abs() + 1e-6 * scale[at];
        let off = excess(&output(&block.threshold_output), &tau, allowed);
        assert!(off <= 0.0, "{name}: τ of {} is off by {off:e} too much", block.name);
    }
    assert_eq!(inputs.len_of(Axis(0)), expected["probabilities"].len_of(Axis(0)));
    let description: Value = harness::json(server.get(&format!("/models/{name}")).await).await;
    assert!(description["origin"]["operator_set"].is_u64(), "{name}: {description}");
    assert!(description.get("architecture").is_none(), "{name}");
    // Whatever wrote them, they end in a global mean and one linear layer.
    assert!(description["map"].is_object(), "{name}: {description}");
}

/// An Expand to four terabytes is one node and no weight.
#[test]
fn a_model_that_takes_all_memory_or_time_ends_in_a_sentence() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let huge = |sizes: &[i64], rounds: usize| {
        let mut graph = GraphBuilder::new("huge");
        graph.input("signal", &[-1, 1, 1]);
        let sizes = graph.integers("sizes", sizes);
        graph.node("Expand", &["signal", &sizes], "expanded0", &[]);
        for round in 0..rounds {
            let (from, to) = (format!("expanded{round}"), format!("expanded{}", round + 1));
            graph.node("Erf", &[&from], &to, &[]);
        }
        let last = format!("expanded{rounds}");
        graph.node("GlobalAveragePool", &[&last], "pooled", &[]);
        graph.node("Flatten", &["pooled"], "scores", &[]);
        graph.output("scores", &[-1, 3]);
        let path = folder.path().join(format!("{rounds}.onnx"));
        std::fs::write(&path, graph.finish("a model that takes all")).unwrap();
        path
    };
    let out = folder.path().join("models/huge/1");
    for (model, expected, flags) in [
        (huge(&[1, 3, 1 << 40], 0), "--memory-mib", &[][..]),
        (huge(&[1, 3, 1 << 23], 2000), "--time-limit-s", &["--time-limit-s", "2"][..]),
    ] {
        let started = Instant::now();
        let output = import(
            &model,
            "a,b,c",
            &out,
            &[flags, &["--allow-plain", "--layout", "channels-first"]].concat(),
        );
        let error = text(&output.stderr);
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        assert!(started.elapsed() < PATIENCE && !out.exists());
    }
}

#[test]
fn what_is_asked_for_and_does_not_fit_is_told_before_anything_is_written() {
    if !has_runtime() {
        return;
    }
    let Some(foreign) = foreign::all() else {
        return skip::skip("DRSN_TEST_DATA has no foreign models");
    };
    let models = tempfile::tempdir().unwrap();
    let named = |name: &str| foreign.iter().find(|model| model.name() == name).unwrap();
    let refused = |model: &str, labels: &str, out: &str, flags: &[&str]| {
        let output = import(&named(model).model(), labels, &models.path().join(out), flags);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(std::fs::read_dir(models.path()).unwrap().next().is_none());
        text(&output.stderr)
    };
    let one = "t02_liguge1d_cw__ts17";
    assert!(refused(one, "a,b", "m/1", &[]).contains("has 4 numbers for each input, and 2 labels"));
    assert!(refused(one, "labels.txt", "m/1", &[]).contains("there is no file"));
    assert!(refused(one, "a,b,c,d", "m/one", &[]).contains("ends in the version"));
    assert!(refused(one, "a,b,c,d", "m/1", &["--window", "64"]).contains("takes 128 samples"));
    let any_length = "t02_liguge1d_cw__dyn20_length";
    assert!(refused(any_length, "a,b,c,d", "m/1", &[]).contains("--window"));
    assert!(refused("n01_resnet__ts17", "a,b,c,d", "m/1", &[]).contains("--allow-plain"));
    let output = import_foreign(named("n01_resnet__ts17"), models.path(), &["--allow-plain"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let again = import_foreign(named("n01_resnet__ts17"), models.path(), &["--allow-plain"]);
    assert!(text(&again.stderr).contains("already exists"), "{}", text(&again.stderr));
}

/// Answers of a framework as a file of `NumPy`'s.
fn answers(folder: &Path, name: &str, answers: &ArrayD<f32>) -> String {
    let path = folder.join(name);
    let values: Vec<f32> = answers.iter().copied().collect();
    let shape = format!("({}, {})", answers.shape()[0], answers.shape()[1]);
    std::fs::write(&path, npy(&shape, &values)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn samples_are_classified_and_compared_with_the_framework_before_anything_is_written() {
    if !has_runtime() {
        return;
    }
    let Some(foreign) = foreign::all() else {
        return skip::skip("DRSN_TEST_DATA has no foreign models");
    };
    let model = foreign.iter().find(|model| model.name() == "t02_liguge1d_cw__ts17").unwrap();
    let (expected, folder) = (model.expected(), tempfile::tempdir().unwrap());
    let sample = model.folder.join("input.npy").to_string_lossy().into_owned();
    let probabilities = &expected["probabilities"];
    let mut wrong = probabilities.clone();
    wrong[[1, 2]] += 0.01;
    wrong[[1, 3]] -= 0.006;
    let few = probabilities.slice_axis(Axis(0), (0..1).into()).to_owned();
    let file = |name: &str, values| answers(folder.path(), name, values);
    let (right, logits) = (file("right.npy", probabilities), file("own.npy", &expected["out0"]));
    let (wrong, few) = (file("wrong.npy", &wrong), file("few.npy", &few));
    let run = |version: &str, flags: &[&str]| {
        let out = folder.path().join("models/m").join(version);
        let output = import(&model.model(), "a,b,c,d", &out, flags);
        assert_eq!(output.status.success(), out.exists(), "{}", text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    };
    let compared = |version, file: &str| run(version, &["--sample", &sample, "--expect", file]);
    let said = compared("1", &wrong);
    assert!(
        said.contains("input.npy [1], class \"c\"") && said.contains("up to 1.00e-2"),
        "{said}"
    );
    let said = compared("1", &few);
    assert!(said.contains("has answers to 1 inputs"), "{said}");
    let said = run("1", &["--sample", &right, "--expect", &right]);
    assert!(said.contains("cannot be classified") && said.lines().count() == 1, "{said}");
    let json = folder.path().join("report.json").to_string_lossy().into_owned();
    let said = run("1", &["--sample", &sample, "--expect", &right, "--json", &json]);
    assert!(said.contains("1e-4 is allowed") && said.contains("input.npy [0]  "), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let found = report["samples"][1]["probabilities"][2].as_f64().unwrap();
    assert!((found - f64::from(probabilities[[1, 2]])).abs() < 1e-4, "{report}");
    let said = compared("2", &logits);
    assert!(said.contains("1e-4 is allowed"), "{said}");
    let said = run("3", &["--sample", &sample, "--expect", &wrong, "--tolerance", "0.02"]);
    assert!(said.contains("2e-2 is allowed"), "{said}");
}

/// A network that a user takes for a bad one may only have been exported with the wrong statistics.
#[test]
fn statistics_are_checked_by_the_trainer_beside_the_server_and_without_it_nothing_is_written() {
    if !has_runtime() || mnist::test_set().is_none() {
        return;
    }
    let server = Path::new(env!("CARGO_BIN_EXE_drsn-serve"));
    if !server.with_file_name("drsn-train").is_file() {
        return skip::skip("drsn-train is not built: cargo build -p drsn-train");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let alone = folder.path().join("drsn-serve");
    std::fs::hard_link(server, &alone).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("crates/drsn-import/tests/exported/keras_seed_kept/model.onnx");
    let out = folder.path().join("models/seed/1");
    let check = |program: &Path, path: &str| {
        let mut command = Command::new(program);
        command.arg("import").arg(&model).args(["--labels", "0,1,2,3,4,5,6,7,8,9", "--out"]);
        command.arg(&out).arg("--check-statistics").arg(mnist::data());
        command.env("PATH", path).output().unwrap()
    };
    let refused = check(&alone, "");
    let said = text(&refused.stderr);
    assert!(said.contains("drsn-train check-statistics --bundle"), "{said}");
    assert!(!refused.status.success() && !out.exists(), "{said}");
    let checked = check(server, "");
    let said = text(&checked.stdout);
    assert!(checked.status.success() && out.exists(), "{}", text(&checked.stderr));
    assert!(said.contains("4 batch normalisations, compared with"), "{said}");
    assert!(said.contains("are not those of this data, and spoil the answers"), "{said}");
}
