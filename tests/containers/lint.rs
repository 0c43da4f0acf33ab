//! The files of docker/ checked by their own tools, without an engine, and against each other.

use std::{env, fs, path::PathBuf, process::Command};

use clap::CommandFactory as _;
use drsn_serve::config::Config;

use crate::{
    command::{root, run, works},
    plugins, skip,
};

const DOCKERFILES: [&str; 2] = ["docker/Dockerfile", "docker/cuda.Dockerfile"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// A tool of Debian's, run in the project's root; reports the test as skipped if it is missing.
fn tool(name: &str, package: &str) -> Option<Command> {
    if !works(Command::new("sh").args(["-c", &format!("command -v {name}")])) {
        skip::skip(&format!("{name} is missing (Debian: {package})"));
        return None;
    }
    let mut command = Command::new(name);
    command.current_dir(root());
    Some(command)
}

#[test]
fn hadolint_finds_no_fault_in_the_dockerfiles() {
    let beside_python =
        env::var_os("DRSN_PYTHON").map(|python| PathBuf::from(python).with_file_name("hadolint"));
    let hadolint = beside_python.filter(|path| path.exists()).unwrap_or_else(|| "hadolint".into());
    if !works(Command::new(&hadolint).arg("--version")) {
        skip::skip("hadolint is missing: DRSN_PYTHON names no Python with tests/requirements.txt");
        return;
    }
    run(Command::new(&hadolint).current_dir(root()).args(DOCKERFILES));
}

#[test]
fn compose_reads_its_file_with_every_profile() {
    let config = match plugins::obtain() {
        Ok(config) => config,
        Err(reason) => return skip::skip(&reason),
    };
    let compose = || {
        let mut docker = Command::new("docker");
        docker
            .current_dir(root())
            .arg("compose")
            .envs(config.as_ref().map(|config| ("DOCKER_CONFIG", config)));
        docker
    };
    let profiles = run(compose().args(["config", "--profiles"]));
    let mut profiles: Vec<&str> = profiles.split_whitespace().collect();
    profiles.sort_unstable();
    assert_eq!(profiles, ["gpu", "grafana", "replicas"]);
    run(compose().args(["config", "--quiet"]));
    for profile in profiles.into_iter().chain(["*"]) {
        run(compose().args(["--profile", profile, "config", "--quiet"]));
    }
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    let Some(mut promtool) = tool("promtool", "prometheus") else { return };
    run(promtool.args(["check", "config", "docker/prometheus/prometheus.yml"]));
    let Some(mut promtool) = tool("promtool", "prometheus") else { return };
    run(promtool.args(["check", "rules", "docker/prometheus/rules.yml"]));
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let Some(mut promtool) = tool("promtool", "prometheus") else { return };
    run(promtool.args(["test", "rules", "docker/prometheus/rules_test.yml"]));
}

#[test]
fn every_alert_is_tested_and_explained() {
    let (rules, tests, guide) = (
        read("docker/prometheus/rules.yml"),
        read("docker/prometheus/rules_test.yml"),
        read("docs/operations.md"),
    );
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 6);
    for alert in alerts {
        let fires =
            format!("        alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(tests.contains(&fires), "no test in which {alert} fires");
        assert!(
            guide.contains(&format!("`{alert}`")),
            "docs/operations.md says nothing of {alert}"
        );
        assert!(
            rules.contains(&format!("runbook: \"docs/operations.md: {alert}\"")),
            "{alert} has no runbook"
        );
    }
}

#[test]
fn amtool_takes_the_configuration_of_alertmanager() {
    let Some(mut amtool) = tool("amtool", "prometheus-alertmanager") else { return };
    run(amtool.args(["check-config", "docker/alertmanager/alertmanager.yml"]));
}

#[test]
fn haproxy_takes_its_configuration() {
    let Some(mut haproxy) = tool("haproxy", "haproxy") else { return };
    run(haproxy.args(["-c", "-f", "docker/haproxy/haproxy.cfg"]));
}

#[test]
fn both_images_build_the_server_alike() {
    let stage = |path: &str| {
        let file = read(path);
        let (_, rest) = file.split_once("FROM ${RUST_IMAGE} AS build").unwrap();
        rest.split_once("\nFROM ").unwrap().0.to_owned()
    };
    assert_eq!(stage(DOCKERFILES[0]), stage(DOCKERFILES[1]));
}

/// The first layer compiles the dependencies with empty programs in place of the project's own. A
/// manifest that names a program which the layer lacks (once, a new benchmark) stops the build.
#[test]
fn the_empty_programs_of_the_image_are_those_of_the_manifests() {
    let file = read(DOCKERFILES[0]);
    let (_, layer) = file.split_once("\nRUN mkdir -p src ").unwrap();
    let (layer, _) = layer.split_once(" \\\n && cargo build ").unwrap();
    let script = format!("mkdir -p src {layer}").replace("\\\n", " ");
    let folder = tempfile::tempdir().unwrap();
    let (before, _) = file.split_once("\nRUN mkdir -p src ").unwrap();
    let (_, copied) = before.split_once("AS build\n").unwrap();
    for line in copied.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let (from, to) = line.rsplit_once(' ').unwrap();
        let inside = to.rsplit_once('/').map_or("", |(inside, _)| inside);
        fs::create_dir_all(folder.path().join(inside)).unwrap();
        let to = folder.path().join(to);
        for from in from.split(' ') {
            run(Command::new("cp").current_dir(root()).args(["-r", from]).arg(&to));
        }
    }
    run(Command::new("sh").current_dir(&folder).args(["-ec", &script]));
    let cargo = env!("CARGO");
    run(Command::new(cargo).current_dir(&folder).args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version=1",
    ]));
}

#[test]
fn the_images_have_the_onnx_runtime_that_is_tested() {
    let (obtained, library) =
        (read("xtask/src/onnxruntime/mod.rs"), read("xtask/src/onnxruntime/library.rs"));
    let (_, version) = obtained.split_once("const VERSION: &str = \"").unwrap();
    let version = version.split_once('"').unwrap().0;
    assert!(read(DOCKERFILES[0]).contains(&format!("ARG ONNXRUNTIME_VERSION={version}\n")));
    assert!(
        read("docker/cuda-requirements.txt").contains(&format!("onnxruntime-gpu=={version}\n"))
    );
    let sums = read("docker/onnxruntime.sha256");
    assert_eq!(sums.lines().count(), 2);
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        assert!(
            library.contains(&format!("\"{sum}\"")),
            "cargo xtask onnxruntime knows no {file} with {sum}"
        );
    }
}

#[test]
fn every_knob_that_an_image_sets_is_one() {
    let command = Config::command();
    let knobs: Vec<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    for path in DOCKERFILES {
        let file = read(path);
        let set =
            file.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name);
        let set: Vec<&str> =
            set.filter(|name| name.starts_with("DRSN_") && *name != "DRSN_REVISION").collect();
        assert!(set.contains(&"DRSN_MODELS"));
        for name in set {
            assert!(knobs.contains(&name), "{path}: drsn-serve knows no {name}");
        }
    }
}

#[test]
fn every_variable_of_compose_is_explained() {
    let (compose, guide) = (read("docker/compose.yaml"), read("docs/operations.md"));
    let variables = compose.split("${").skip(1).filter_map(|rest| rest.split_once(":-"));
    for (variable, _) in variables {
        assert!(
            guide.contains(&format!("`{variable}`")),
            "docs/operations.md says nothing of {variable}"
        );
    }
}
