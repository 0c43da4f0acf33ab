//! The checks that run no test, cheapest first: `cargo xtask check`.

use anyhow::{Result, bail};

use crate::layout;
use crate::workspace::{self, Workspace, everything_is_required, works};

/// Runs the checks in order and stops at the first failure.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    announce("format");
    workspace::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;

    announce("layout");
    layout::run(workspace)?;

    let complete = dependencies(workspace)?;

    announce("lints");
    workspace::run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;

    announce("documentation");
    workspace::run(
        workspace
            .cargo()
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;

    eprintln!(
        "{}",
        if complete { "All checks passed" } else { "Passed, except for skipped checks" }
    );
    Ok(())
}

/// Licences, bans, sources and advisories, by cargo-deny; false if some of them could not be
/// checked.
fn dependencies(workspace: &Workspace) -> Result<bool> {
    announce("dependencies");
    if !works(workspace.cargo().args(["deny", "--version"])) {
        let remedy = "install cargo-deny with: cargo install cargo-deny --locked --version ~0.20";
        if everything_is_required() {
            bail!("the dependencies cannot be checked: {remedy}");
        }
        eprintln!("SKIPPED licences, bans, sources and advisories: {remedy}");
        return Ok(false);
    }
    let mut checks = workspace.cargo();
    checks.args(["deny", "--workspace", "check", "--hide-inclusion-graph"]);
    workspace::run(checks.args(["licenses", "bans", "sources"]))?;

    // Not every machine can reach the git host of the database; that says nothing about the
    // project.
    if !works(workspace.cargo().args(["deny", "fetch", "db"])) {
        eprintln!("SKIPPED advisories: cargo deny fetch db cannot reach the RustSec database");
        return Ok(false);
    }
    let mut advisories = workspace.cargo();
    advisories.args(["deny", "--workspace", "check", "--disable-fetch", "advisories"]);
    workspace::run(&mut advisories)?;
    Ok(true)
}

fn announce(step: &str) {
    eprintln!("\nChecking {step}");
}
