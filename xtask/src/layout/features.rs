//! That a build of the server and a build of the workspace compile each dependency once.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;

/// The dependencies that a build of the server alone would compile with other features than a build of the workspace;
/// `crates/unified-features` is the place to enable what is missing.
pub(super) fn compiled_twice(workspace: &Workspace) -> Result<Vec<String>> {
    let server = features(workspace, &["--package", "drsn-serve"])?;
    let all = features(workspace, &["--workspace"])?;
    Ok(server.difference(&all).cloned().collect())
}

/// Each dependency with its features, a line each.
fn features(workspace: &Workspace, selection: &[&str]) -> Result<BTreeSet<String>> {
    let mut command = workspace.cargo();
    command.arg("tree").args(selection);
    command.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
    let output = command.args(["--format", "{p} [{f}]"]).output().context("cannot start cargo")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}
