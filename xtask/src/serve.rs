//! Builds the server and replaces itself by it: `cargo xtask serve`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::onnxruntime;
use crate::workspace::{self, Workspace, variable, words};

/// Serves the bundled models, or those of `arguments`; returns only if the server cannot be
/// started.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    eprintln!("1 of 3: ONNX Runtime");
    let library = onnxruntime::obtain(workspace)?;

    eprintln!("2 of 3: building the server (some minutes the first time)");
    workspace::run(workspace.cargo().args(["build", "--release", "--package", "drsn-serve"]))?;

    let mut server = Command::new(workspace.target.join("release/drsn-serve"));
    let is_set = |flag: &str| mentions(arguments, flag) || variable(&twin(flag)).is_some();
    server
        .args(defaults(&workspace.root, is_set))
        .args(arguments)
        .env(onnxruntime::VARIABLE, library)
        .env("ORT_DISABLE_TELEMETRY", "1");

    eprintln!("3 of 3: {}", words(&server));
    // The server replaces this process, so signals and the exit code are its own.
    let error = server.exec();
    Err(error).with_context(|| format!("cannot start {}", server.get_program().display()))
}

/// The flags that select the bundled models, unless the user has set them.
///
/// The default model is a bundled one, so it is not set for another models directory.
fn defaults(root: &Path, is_set: impl Fn(&str) -> bool) -> Vec<OsString> {
    let mut flags = Vec::new();
    if !is_set("--models") {
        flags.extend(["--models".into(), root.join("models").into()]);
        if !is_set("--default-model") {
            flags.extend(["--default-model".into(), "mnist".into()]);
        }
    }
    flags
}

/// Whether the arguments contain `flag value` or `flag=value`.
fn mentions(arguments: &[OsString], flag: &str) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The environment variable of a flag of the server.
fn twin(flag: &str) -> String {
    let name = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
    format!("DRSN_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Vec<OsString> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        defaults(Path::new("/project"), |flag| mentions(&arguments, flag))
    }

    #[test]
    fn the_bundled_models_are_served_unless_the_user_chooses() {
        let bundled = ["--models", "/project/models", "--default-model", "mnist"];
        assert_eq!(flags(&[]), bundled);
        assert_eq!(flags(&["--models-poll", "1s"]), bundled);
        assert_eq!(flags(&["--default-model=cifar10"]), ["--models", "/project/models"]);
        assert!(flags(&["--models", "mine"]).is_empty());
        assert!(flags(&["--models=mine"]).is_empty());
    }

    #[test]
    fn a_flag_has_a_twin_in_the_environment() {
        assert_eq!(twin("--default-model"), "DRSN_DEFAULT_MODEL");
    }
}
