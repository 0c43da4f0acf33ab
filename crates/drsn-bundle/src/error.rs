//! What can be wrong with a bundle, each in a sentence for the person who must mend it.

use std::{io, path::PathBuf};

/// A bundle that cannot be read, trusted or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A name that could not be a folder, a URL part and a label.
    #[error(
        "\"{name}\" is not a name: use letters, digits, '.', '_' and '-', at most 128 of them, without a leading dot"
    )]
    Name {
        /// The name as it was given.
        name: String,
    },
    /// A file that is missing or cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that is no bundle.
    #[error(
        "there is no manifest.json in {folder:?}: a bundle is one version of a model, as models/mnist/1"
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// A manifest that is not one, or contradicts itself.
    #[error("manifest.json is not valid: {reason}")]
    Manifest {
        /// What is wrong.
        reason: String,
    },
    /// A file whose bytes are not those the manifest was written for.
    #[error(
        "{file} is damaged or was changed: its SHA-256 is {found}, and the manifest says {expected}"
    )]
    Checksum {
        /// Name of the file.
        file: String,
        /// Digest in the manifest.
        expected: String,
        /// Digest of the bytes that are there.
        found: String,
    },
    /// A golden file that is not one, or does not fit the manifest.
    #[error("golden.json is not valid: {reason}")]
    Golden {
        /// What is wrong.
        reason: String,
    },
    /// A model that is not one, uses what is not allowed, or disagrees with the manifest.
    #[error("model.onnx is not valid: {reason}")]
    Model {
        /// What is wrong.
        reason: String,
    },
    /// The folder to be written exists already.
    #[error("{} exists already: choose another version, or ask for it to be replaced", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}

impl BundleError {
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
