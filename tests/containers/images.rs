//! The images of compose.yaml: pulled, or else stand-ins built on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    command::{attempt, cache, root, run},
    engine::{Engine, say},
    plugins::{RELEASE, mirror},
};

/// An image that a variable of compose.yaml names.
struct Image {
    variable: &'static str,
    /// Its stage in standins.Dockerfile; Debian itself has none.
    stage: Option<&'static str>,
}

const IMAGES: [Image; 6] = [
    Image { variable: "DEBIAN_IMAGE", stage: None },
    Image { variable: "RUST_IMAGE", stage: Some("rust") },
    Image { variable: "PYTHON_IMAGE", stage: Some("python") },
    Image { variable: "PROMETHEUS_IMAGE", stage: Some("prometheus") },
    Image { variable: "ALERTMANAGER_IMAGE", stage: Some("alertmanager") },
    Image { variable: "HAPROXY_IMAGE", stage: Some("haproxy") },
];
/// The stand-in for Debian's slim image.
const DEBIAN: &str = "standin/debian-slim";

/// The values of the variables of compose.yaml.
pub(crate) struct Images {
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Images {
    /// Pulls all of them, or builds stand-ins for all: mixed, programs would get libraries of
    /// another release.
    pub(crate) fn obtain(engine: &Engine) -> Result<Self, String> {
        let compose = fs::read_to_string(root().join("docker/compose.yaml")).unwrap();
        let defaults = IMAGES.iter().map(|image| (image.variable, named(&compose, image.variable)));
        let variables: Vec<_> = defaults.collect();
        let pulled = variables.iter().try_for_each(|(_, image)| {
            let there = engine.docker(&["image", "inspect", image]).output();
            if there.is_ok_and(|output| output.status.success()) {
                return Ok(());
            }
            attempt(&mut engine.docker(&["pull", "--quiet", image])).map(drop)
        });
        let Err(reason) = pulled else {
            say("every base image is the one that compose.yaml names");
            return Ok(Self { variables });
        };
        say(&format!("images cannot be pulled: {}", reason.lines().last().unwrap_or_default()));
        make(engine)?;
        let standin = |image: &Image| {
            let name =
                image.stage.map_or_else(|| DEBIAN.to_owned(), |stage| format!("standin/{stage}"));
            say(&format!("STAND-IN: {name} for {}", named(&compose, image.variable)));
            (image.variable, name)
        };
        Ok(Self { variables: IMAGES.iter().map(standin).collect() })
    }

    /// The image of a variable.
    pub(crate) fn of(&self, variable: &str) -> &str {
        &self.variables.iter().find(|(name, _)| *name == variable).unwrap().1
    }
}

/// The value of a variable in the environment, or its default in compose.yaml.
fn named(compose: &str, variable: &str) -> String {
    let written = || {
        let start = format!("${{{variable}:-");
        let (_, rest) = compose.split_once(&start).unwrap();
        rest.split_once('}').unwrap().0.to_owned()
    };
    std::env::var(variable).unwrap_or_else(|_| written())
}

fn make(engine: &Engine) -> Result<(), String> {
    let archive = root_file_system()?;
    engine.ask(&["import", archive.to_str().unwrap(), DEBIAN]);
    let toolchain = run(Command::new("rustc").args(["--print", "sysroot"]));
    let recipe = root().join("tests/containers/standins.Dockerfile");
    for stage in IMAGES.iter().filter_map(|image| image.stage) {
        let mut build = engine.docker(&["build", "--quiet", "--network=host"]);
        build
            .args(["--target", stage, "--tag", &format!("standin/{stage}"), "--file"])
            .args([&recipe, Path::new(toolchain.trim())]);
        attempt(&mut build)?;
    }
    Ok(())
}

/// Debian's smallest root file system as an archive, built once, with this machine's trusted
/// certificates.
fn root_file_system() -> Result<PathBuf, String> {
    let archive = cache().join(format!("{RELEASE}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    say("debootstrap makes a root file system, once");
    let scratch = tempfile::tempdir_in(cache()).map_err(|error| error.to_string())?;
    let system = scratch.path().join("root");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", "--include=ca-certificates", RELEASE]);
    attempt(debootstrap.arg(&system).arg(mirror()?))?;
    let trusted = "etc/ssl/certs/ca-certificates.crt";
    fs::copy(Path::new("/").join(trusted), system.join(trusted))
        .map_err(|error| error.to_string())?;
    let packed = scratch.path().join("packed.tar");
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(&packed).arg("--directory").arg(&system);
    attempt(tar.args([
        "--exclude=./var/cache/apt/*.bin",
        "--exclude=./var/cache/apt/archives/*.deb",
        "--exclude=./var/lib/apt/lists/*",
        ".",
    ]))?;
    fs::rename(&packed, &archive).map_err(|error| error.to_string())?;
    Ok(archive)
}

/// Builds the server's image by the real Dockerfile, with its progress on standard error.
pub(crate) fn build(compose: &mut Command) {
    let begun = std::time::Instant::now();
    let status =
        compose.args(["--progress=plain", "build", "drsn-serve"]).stdin(Stdio::null()).status();
    assert!(status.unwrap().success(), "the image cannot be built; the reason is above");
    say(&format!("docker/Dockerfile was built in {} s", begun.elapsed().as_secs()));
}
