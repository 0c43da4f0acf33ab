//! Runs the long forms of two tests, in release: `cargo xtask soak` and `cargo xtask overload`.

use anyhow::Result;

use crate::onnxruntime;
use crate::workspace::{self, Workspace};

/// A test that measures for as long as a variable of the environment says.
pub(crate) struct Long {
    /// Its module among the tests over a socket.
    module: &'static str,
    /// The variable with its length, in seconds.
    variable: &'static str,
}

/// Every kind of request at once, compared with references.
pub(crate) const SOAK: Long = Long { module: "soak::", variable: "DRSN_SOAK_SECONDS" };
/// Ten times the capacity, by clients that ignore `Retry-After`.
pub(crate) const OVERLOAD: Long = Long { module: "goodput::", variable: "DRSN_OVERLOAD_SECONDS" };

/// Builds the server and the test with optimisation, and shows what the test prints.
pub(crate) fn run(workspace: &Workspace, long: &Long, minutes: u64) -> Result<()> {
    let library = onnxruntime::obtain(workspace)?;
    let mut command = workspace.cargo();
    command
        .args(["test", "--release", "--package", "drsn-serve", "--test", "serve", "--"])
        .args([long.module, "--nocapture", "--test-threads", "1"])
        .env(long.variable, (minutes * 60).to_string())
        .env(onnxruntime::VARIABLE, library)
        .env("ORT_DISABLE_TELEMETRY", "1");
    workspace::run(&mut command)
}
