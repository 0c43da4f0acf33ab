//! The image by itself: its size, its start, and what it does without.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    command::{root, works},
    engine::say,
    project::{Project, eventually},
    serving::{classify_digit, text},
};

/// Most that the image may add to its base, without the models, in bytes.
const LARGEST: u64 = 60_000_000;
/// Longest time from the start to the first probe that finds it ready.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);

/// Step of the test: size, start and privileges.
pub(crate) async fn the_image_is_small_and_runs_without_any_privilege(project: &Project<'_>) {
    let engine = project.engine;
    let size = |image: &str| -> u64 {
        engine.ask(&["image", "inspect", "--format", "{{.Size}}", image]).parse().unwrap()
    };
    let models = root().join("models");
    let own = size(project.image()) - size(project.images.of("DEBIAN_IMAGE")) - bytes(&models);
    say(&format!("the image's own layers, without the models, have {own} bytes"));
    assert!(own < LARGEST, "{own} bytes are more than {LARGEST}");

    let name = format!("{}-hardened", project.name);
    engine.ask(&["network", "create", &name]);
    let port = format!("{}:8080", project.address("DRSN_PORT"));
    let volume = format!("{}:/models:ro", models.display());
    engine.ask(&[
        "run",
        "--detach",
        "--name",
        &name,
        "--network",
        &name,
        "--publish",
        &port,
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--user",
        "65532",
        "--volume",
        &volume,
        project.image(),
    ]);
    let inspected = eventually("the hardened container is healthy", || async {
        let inspected: Value = serde_json::from_str(&engine.ask(&["inspect", &name])).unwrap();
        let health = text(&inspected, "/0/State/Health/Status").to_owned();
        if health == "healthy" { Ok(inspected) } else { Err(inspected.to_string()) }
    });
    let after = time_to_health(&inspected.await);
    say(&format!("hardened, with a read-only volume of models: healthy {after:?} after the start"));
    assert!(after <= HEALTHY_WITHIN, "healthy only after {after:?}");
    classify_digit(project, "DRSN_PORT").await.unwrap();

    let status = engine.ask(&["exec", &name, "cat", "/proc/1/status"]);
    let field = |field: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    assert_eq!(field("Name:"), "drsn-serve", "it is process 1");
    assert_eq!(field("CapEff:"), "0000000000000000");
    assert_eq!(field("NoNewPrivs:"), "1");
    for file in ["/models/x", "/tmp/x", "/usr/local/bin/x"] {
        assert!(!works(&mut engine.docker(&["exec", &name, "touch", file])), "{file} was written");
    }
    engine.ask(&["stop", "--time=15", &name]);
    assert_eq!(engine.ask(&["inspect", "--format", "{{.State.ExitCode}}", &name]), "0");
    engine.ask(&["rm", "--volumes", &name]);
    engine.ask(&["network", "rm", &name]);
}

/// From a container's start to the end of the first probe that succeeded.
fn time_to_health(inspected: &Value) -> Duration {
    let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    let probes = inspected.pointer("/0/State/Health/Log").and_then(Value::as_array).unwrap();
    let first = probes.iter().find(|probe| probe["ExitCode"] == 0).unwrap();
    let started = moment(text(inspected, "/0/State/StartedAt"));
    (moment(text(first, "/End")) - started).try_into().unwrap()
}

/// Bytes of all files in a folder.
fn bytes(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() { bytes(&path) } else { entry.metadata().unwrap().len() }
    };
    fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap())).sum()
}
