//! What can be wrong with a bundle, each in a sentence for the person who has to fix it.

use std::{io, path::PathBuf};

/// A bundle that cannot be read, trusted or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A name that cannot be a folder, a part of a URL and a metric label.
    #[error(
        "\"{name}\" is not a name: use at most 128 letters, digits, '.', '_' and '-', without a \
         leading dot"
    )]
    Name {
        /// The rejected name.
        name: String,
    },
    /// A file that is missing or cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The action that failed: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A folder that is not a bundle.
    #[error(
        "there is no manifest.json in {folder:?}: a bundle is one version of a model, such as \
         models/mnist/1"
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// A manifest that is malformed or contradicts itself.
    #[error("manifest.json is not valid: {reason}")]
    Manifest {
        /// What is wrong.
        reason: String,
    },
    /// A file whose checksum is not the one in the manifest.
    #[error(
        "{file} is damaged or was changed: its SHA-256 is {found}, and the manifest has {expected}"
    )]
    Checksum {
        /// Name of the file.
        file: String,
        /// Digest in the manifest.
        expected: String,
        /// Digest of the file's bytes.
        found: String,
    },
    /// Golden data that is malformed or does not fit the manifest.
    #[error("golden.json is not valid: {reason}")]
    Golden {
        /// What is wrong.
        reason: String,
    },
    /// A model that is malformed, uses something that is not allowed, or disagrees with the
    /// manifest.
    #[error("model.onnx is not valid: {reason}")]
    Model {
        /// What is wrong.
        reason: String,
    },
    /// The folder to write already exists.
    #[error("{} already exists: choose another version, or replace it explicitly", path.display())]
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
