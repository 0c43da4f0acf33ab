//! Runs commands to their end.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folder for what is slow to build, kept between runs.
pub(crate) fn cache() -> std::path::PathBuf {
    let folder = root().join("target/containers");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs the command and returns its standard output, or all of its output if it failed.
pub(crate) fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?} cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}:\n{text}{errors}", output.status))
}

/// Runs the command, which must succeed, and returns its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Whether the command can be run and succeeds.
pub(crate) fn works(command: &mut Command) -> bool {
    attempt(command).is_ok()
}
