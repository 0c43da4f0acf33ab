//! The image by itself: its size, its start, and the privileges it does without.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    command::{self, attempt, root},
    engine::{Engine, say},
    project::{Project, eventually},
    serving::{classify_digit, text},
};

/// Most that the image may add to its base, without the models, in bytes.
const LARGEST: u64 = 60_000_000;
/// Longest time from the start to the first probe that finds it ready.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);

/// Step of the test: size, start and privileges.
pub(crate) async fn the_image_is_small_and_runs_without_any_privilege(project: &Project<'_>) {
    let own = own_bytes(project);
    say(&format!("the image's own layers, without the models, have {own} bytes"));
    assert!(own < LARGEST, "{own} bytes are more than {LARGEST}");

    let hardened = Hardened::start(project);
    let inspected = eventually("the hardened container is healthy", || async {
        let inspected: Value = serde_json::from_str(&hardened.ask(&["inspect"])).unwrap();
        let health = text(&inspected, "/0/State/Health/Status").to_owned();
        if health == "healthy" { Ok(inspected) } else { Err(inspected.to_string()) }
    });
    let after = time_to_health(&inspected.await);
    say(&format!("hardened, with a read-only volume of models: healthy {after:?} after the start"));
    assert!(after <= HEALTHY_WITHIN, "healthy only after {after:?}");
    classify_digit(project, "DRSN_PORT").await.unwrap();

    hardened.has_no_privilege();
    hardened.ask(&["stop", "--time=15"]);
    assert_eq!(hardened.ask(&["inspect", "--format", "{{.State.ExitCode}}"]), "0");
}

/// Bytes that the image adds to its base, without the models.
fn own_bytes(project: &Project<'_>) -> u64 {
    let size = |image: &str| -> u64 {
        let size = project.engine.ask(&["image", "inspect", "--format", "{{.Size}}", image]);
        size.parse().unwrap()
    };
    let base = size(project.images.of("DEBIAN_IMAGE"));
    size(project.image()) - base - bytes(&root().join("models"))
}

/// A container without privileges; it is removed with its network when this is dropped.
struct Hardened<'a> {
    engine: &'a Engine,
    /// Name of the container and of its network.
    name: String,
}

impl<'a> Hardened<'a> {
    fn start(project: &Project<'a>) -> Self {
        let (engine, name) = (project.engine, format!("{}-hardened", project.name));
        engine.ask(&["network", "create", &name]);
        let hardened = Self { engine, name };
        let port = format!("{}:8080", project.address("DRSN_PORT"));
        let volume = format!("{}:/models:ro", root().join("models").display());
        let mut run = engine.docker(&["run", "--detach", "--read-only", "--cap-drop", "ALL"]);
        run.args(["--security-opt", "no-new-privileges", "--user", "65532"])
            .args(["--name", &hardened.name, "--network", &hardened.name])
            .args(["--publish", &port, "--volume", &volume, project.image()]);
        command::run(&mut run);
        hardened
    }

    /// Runs `docker` with these arguments and the container's name.
    fn ask(&self, arguments: &[&str]) -> String {
        self.engine.ask(&[arguments, &[&self.name]].concat())
    }

    fn has_no_privilege(&self) {
        let status = self.engine.ask(&["exec", &self.name, "cat", "/proc/1/status"]);
        let lines = || status.lines().filter_map(|line| line.split_once(':'));
        let field = |name| lines().find(|(field, _)| *field == name).map(|(_, value)| value.trim());
        assert_eq!(field("Name"), Some("drsn-serve"), "it is process 1");
        assert_eq!(field("CapEff"), Some("0000000000000000"));
        assert_eq!(field("NoNewPrivs"), Some("1"));
        // Root owns these folders: only their being read-only stops it.
        for file in ["/models/x", "/tmp/x", "/usr/local/bin/x"] {
            let touch = ["exec", "--user=0", &self.name, "touch", file];
            let refusal = attempt(&mut self.engine.docker(&touch)).unwrap_err();
            assert!(refusal.contains("Read-only file system"), "{file}: {refusal}");
        }
    }
}

impl Drop for Hardened<'_> {
    fn drop(&mut self) {
        for arguments in [["rm", "--force"].as_slice(), &["network", "rm"]] {
            let mut remove = self.engine.docker(arguments);
            if let Err(failure) = attempt(remove.arg(&self.name)) {
                eprintln!("Cleaning up: {failure}");
            }
        }
    }
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
