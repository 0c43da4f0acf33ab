//! Measures what a request costs beside the network alone: `cargo xtask bench`.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::onnxruntime;
use crate::workspace::{self, Workspace};

/// Builds with the profile of the images, and runs benches/serving; `arguments` are folders of
/// models.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    let library = onnxruntime::obtain(workspace)?;
    let mut command = workspace.cargo();
    command
        .args(["bench", "--profile", "dist", "--package", "drsn-serve", "--bench", "serving", "--"])
        .args(arguments)
        .env(onnxruntime::VARIABLE, library)
        .env("ORT_DISABLE_TELEMETRY", "1");
    workspace::run(&mut command).map(|()| ExitCode::SUCCESS)
}
