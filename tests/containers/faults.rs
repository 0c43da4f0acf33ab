//! Faults: a configuration that cannot work, and a killed server.

use std::{fs, process::Command};

use crate::{
    command::{attempt, root, run},
    engine::say,
    project::{Project, eventually},
    serving::classify_digit,
};

/// Step of the test: `up` fails, and the log has the reason in a sentence.
pub(crate) async fn what_cannot_be_served_is_said_in_the_log(project: &Project<'_>) {
    let scratch = tempfile::tempdir_in(root().join("target")).unwrap();
    let knobs = scratch.path().join("knobs.env");
    fs::write(&knobs, "DRSN_MODELS=/nowhere\n").unwrap();
    let reason = fails(project, "DRSN_ENV_FILE", &knobs);
    assert!(reason.contains("the folder of models") && reason.contains("/nowhere"), "{reason}");

    let models = scratch.path().join("models");
    run(Command::new("cp").arg("-r").arg(root().join("models")).arg(&models));
    let network = models.join("bearing/1/model.onnx");
    let content = fs::read(&network).unwrap();
    fs::write(&network, &content[..content.len() / 2]).unwrap();
    let reason = fails(project, "DRSN_MODELS_DIR", &models);
    assert!(reason.contains("bearing") && reason.contains("model.onnx"), "{reason}");

    project.ask(&["up", "--detach", "--wait", "drsn-serve"]);
    classify_digit(project, "DRSN_PORT").await.unwrap();
    say("a wrong folder and a damaged model were each named in the log");
}

/// Starts the server with a variable of compose.yaml set so that it cannot serve, and returns the
/// log's last error.
fn fails(project: &Project<'_>, variable: &str, value: &std::path::Path) -> String {
    let mut up = project.compose(&["up", "--detach", "--wait", "drsn-serve"]);
    let refusal = attempt(up.env(variable, value));
    assert!(refusal.is_err(), "it started with {variable}={}", value.display());
    let log = project.log("drsn-serve");
    let error = log.lines().rev().find(|line| line.contains(r#""level":"ERROR""#));
    error.unwrap_or_else(|| panic!("no error in the log: {log}")).to_owned()
}

/// Step of the test: the process is killed, as when memory runs out, and compose's restart policy
/// starts another.
pub(crate) async fn a_killed_server_comes_back(project: &Project<'_>) {
    let container = project.container("drsn-serve");
    let before = starts(project, &container);
    kill(project, &container);
    eventually("the killed server is back", || async {
        let now = starts(project, &container);
        if now != before + 1 {
            return Err(format!("{now} restarts, {before} before"));
        }
        classify_digit(project, "DRSN_PORT").await
    })
    .await;
    say("a killed server came back by itself");
}

/// How often the engine has restarted a container.
fn starts(project: &Project<'_>, container: &str) -> u32 {
    project.engine.ask(&["inspect", "--format", "{{.RestartCount}}", container]).parse().unwrap()
}

/// Kills the process in a container by its id on the engine's machine. `docker kill` would not do:
/// the engine treats that as intended, and does not restart the container.
pub(crate) fn kill(project: &Project<'_>, container: &str) {
    let process = project.engine.ask(&["inspect", "--format", "{{.State.Pid}}", container]);
    let debian = project.images.of("DEBIAN_IMAGE");
    let script = format!("kill -9 {process}");
    project.engine.ask(&[
        "run",
        "--rm",
        "--pid=host",
        "--network=none",
        debian,
        "sh",
        "-c",
        &script,
    ]);
}
