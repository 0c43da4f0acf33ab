//! Checking the statistics of a new bundle's batch normalisations, which `drsn-train` does: it reads
//! labelled data, and the server does not.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

/// The program that reads labelled data.
const TRAINER: &str = "drsn-train";

/// The trainer's program: beside this one, or in `PATH`.
///
/// # Errors
/// If it is in neither place: the message has the command that does the check on another machine.
pub(super) fn trainer(bundle: &Path, data: &Path) -> anyhow::Result<PathBuf> {
    let beside = env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut folders = beside.into_iter().chain(env::split_paths(&folders));
    let Some(folder) = folders.find(|folder| folder.join(TRAINER).is_file()) else {
        bail!(
            "--check-statistics needs {TRAINER}, which is neither beside drsn-serve nor in PATH: import \
             without it and call `{TRAINER} check-statistics --bundle {} --data {}` where it is \
             installed",
            bundle.display(),
            data.display()
        );
    };
    Ok(folder.join(TRAINER))
}

/// Checks a bundle that was just written, and returns the report.
///
/// # Errors
/// The trainer's reason, if it cannot check the bundle.
pub(super) fn check(
    trainer: &Path,
    bundle: &Path,
    data: &Path,
    onnxruntime: Option<&Path>,
) -> anyhow::Result<String> {
    let mut command = Command::new(trainer);
    command.arg("check-statistics").arg("--bundle").arg(bundle).arg("--data").arg(data);
    if let Some(library) = onnxruntime {
        command.arg("--onnxruntime").arg(library);
    }
    let output =
        command.output().with_context(|| format!("{} cannot be started", trainer.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    bail!(
        "the bundle is in {}, but its statistics were not checked: {}",
        bundle.display(),
        reason.trim().trim_start_matches("drsn-train: ")
    );
}
