//! Runs every test that this machine can run, and counts them: `cargo xtask test`.
//!
//! A test that lacks a tool or data returns early through `tests/support/skip.rs`, which logs the
//! reason. Cargo counts it as passed; by that log this command counts it as skipped and says why.

mod mnist;
mod tally;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use self::tally::Tally;
use crate::onnxruntime;
use crate::workspace::{Workspace, everything_is_required, variable, words};

/// Ends with one line `N passed, N failed, N skipped` on standard output.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    let folder = tempfile::tempdir().context("cannot create a temporary directory")?;
    let skip_log = folder.path().join("skips");
    let mut command = workspace.cargo();
    command.arg("test");
    if !arguments.iter().any(names_a_package) {
        command.arg("--workspace");
    }
    command.arg("--no-fail-fast").args(arguments).env("DRSN_SKIP_LOG", &skip_log);
    command.envs(surroundings(workspace));

    eprintln!("Testing: {}", words(&command));
    let (mut tally, succeeded) = stream(&mut command)?;
    if skip_log.exists() {
        tally.read_skip_log(&fs::read_to_string(&skip_log)?);
    }
    if !succeeded && tally.failed == 0 {
        tally.failed = 1;
        tally.failures.push("cargo test itself: something does not build, or exited early".into());
    }
    report(&tally)
}

/// Whether an argument of cargo test selects a package: `-p NAME`, `-pNAME`, `--package NAME` or
/// `--package=NAME`.
fn names_a_package(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("-p") || argument.starts_with("--package")
}

/// The environment variables of the tests; what they name is obtained if possible.
fn surroundings(workspace: &Workspace) -> Vec<(&'static str, PathBuf)> {
    let mut found = vec![("ORT_DISABLE_TELEMETRY", PathBuf::from("1"))];
    match onnxruntime::obtain(workspace) {
        Ok(library) => found.push((onnxruntime::VARIABLE, library)),
        Err(error) => eprintln!("Tests that need ONNX Runtime will be skipped: {error:#}"),
    }
    match mnist::obtain(workspace) {
        Ok(folder) => found.push(("DRSN_MNIST", folder)),
        Err(error) => eprintln!("Tests that need MNIST will be skipped: {error:#}"),
    }
    let data = workspace.root.join("../shared/data");
    if variable("DRSN_TEST_DATA").is_none() && data.is_dir() {
        found.push(("DRSN_TEST_DATA", data));
    }
    found
}

/// Runs cargo test, prints its output line by line and counts; also returns whether cargo
/// succeeded.
fn stream(command: &mut Command) -> Result<(Tally, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo test")?;
    let mut tally = Tally::default();
    let mut output = io::stdout();
    if let Some(lines) = child.stdout.take() {
        for line in BufReader::new(lines).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            writeln!(output, "{line}")?;
            tally.read_line(&line);
        }
    }
    Ok((tally, child.wait()?.success()))
}

/// Prints failures, skips and counts; the line of counts is the last.
fn report(tally: &Tally) -> Result<ExitCode> {
    let mut output = io::stdout().lock();
    for failure in &tally.failures {
        writeln!(output, "FAILED {failure}")?;
    }
    for (test, reason) in &tally.skips {
        writeln!(output, "SKIPPED {test}: {reason}")?;
    }
    let incomplete = everything_is_required() && tally.is_incomplete();
    if incomplete {
        writeln!(output, "DRSN_REQUIRE_ALL=1 allows no test to be skipped, except for hardware")?;
    }
    let Tally { passed, failed, skipped, .. } = tally;
    writeln!(output, "{passed} passed, {failed} failed, {skipped} skipped")?;
    Ok(if *failed > 0 || incomplete { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_packages_is_known_in_each_of_its_forms() {
        for argument in ["-p", "-pdrsn-bundle", "--package", "--package=drsn-bundle"] {
            assert!(names_a_package(&argument.into()), "{argument}");
        }
        for argument in ["--test", "parity", "--release", "--", "mnist"] {
            assert!(!names_a_package(&argument.into()), "{argument}");
        }
    }
}
