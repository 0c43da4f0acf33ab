//! Why models cannot be served: for the operator with paths, for clients without.

use std::{
    io,
    path::{Path, PathBuf},
};

use drsn_bundle::{BundleError, Name, bundle::MANIFEST_FILE, runtime::RuntimeError};

/// Why the models cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    /// The folder is not there, or cannot be read.
    #[error("the folder of models {path:?} cannot be read: {source}; name another with --models")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no bundle.
    #[error(
        "the folder {path:?} holds no model: expected <name>/<version>/{MANIFEST_FILE} below it, as `drsn-train train` writes it"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is that of one model.
    #[error(
        "{path:?} holds the versions of one model, and --models is the folder above it, or one version, as {version:?}"
    )]
    OneModel {
        /// The folder.
        path: PathBuf,
        /// A version in it.
        version: PathBuf,
    },
    /// The versions that are there are not those that are wanted.
    #[error("no version is there that --version-policy {policy} wants: {known}")]
    NoVersion {
        /// Which versions are wanted.
        policy: String,
        /// What is there.
        known: String,
    },
    /// A name was given for one bundle, and the folder is none.
    #[error(
        "--model-name is for one bundle, and {path:?} is none: it has no {MANIFEST_FILE}; leave the flag out"
    )]
    NoBundle {
        /// The folder.
        path: PathBuf,
    },
    /// The default model is not among those that are there.
    #[error(
        "--default-model (or DRSN_DEFAULT_MODEL) is {name}, and the models that are there are: {known}"
    )]
    NoDefault {
        /// The name that was asked for.
        name: Name,
        /// The names that are there.
        known: String,
    },
    /// A folder's name disagrees with the manifest in it.
    #[error(
        "model {model} in {path:?}: its manifest says that it is {found}; the folders must be named so"
    )]
    Misplaced {
        /// The folder's name and version.
        model: String,
        /// Name and version in the manifest.
        found: String,
        /// The folder.
        path: PathBuf,
    },
    /// A bundle that is damaged or contradicts itself.
    #[error("model {model} in {path:?}: {source}")]
    Bundle {
        /// Name and version.
        model: String,
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: Box<BundleError>,
    },
    /// A model that does not run here.
    #[error("model {model}: {source}")]
    Runtime {
        /// Name and version.
        model: String,
        /// What is wrong.
        source: Box<RuntimeError>,
    },
}

impl RepositoryError {
    /// The reason for clients: what is wrong with the model, and nothing of this machine.
    pub(crate) fn public_reason(&self) -> String {
        match self {
            Self::Bundle { source, .. } => {
                if let BundleError::NoManifest { .. } = &**source {
                    return format!("it has no {MANIFEST_FILE}");
                }
                if let BundleError::File { action, path, source } = &**source {
                    let file = path.file_name().unwrap_or_default().to_string_lossy();
                    return format!("cannot {action} {file}: {source}");
                }
                without_paths(&source.to_string())
            }
            Self::Runtime { source, .. } => without_paths(&source.to_string()),
            Self::Misplaced { found, .. } => format!("its manifest says that it is {found}"),
            Self::Folder { .. } => "the folder of models cannot be read".to_owned(),
            Self::Empty { .. }
            | Self::OneModel { .. }
            | Self::NoVersion { .. }
            | Self::NoBundle { .. } => "there is no bundle".to_owned(),
            Self::NoDefault { known, .. } => format!("the models that are there: {known}"),
        }
    }
}

/// The text without what looks like an absolute path: libraries put those of files, their own sources too, into
/// messages.
fn without_paths(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '/');
        if bare.len() > 1 && Path::new(bare).is_absolute() { "…" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_learn_what_is_wrong_and_not_where_it_lies() {
        let file = RepositoryError::Bundle {
            model: "a/1".to_owned(),
            path: "/srv/models/a/1".into(),
            source: Box::new(BundleError::File {
                action: "read",
                path: "/srv/models/a/1/golden.json".into(),
                source: io::ErrorKind::PermissionDenied.into(),
            }),
        };
        assert_eq!(file.public_reason(), "cannot read golden.json: permission denied");
        assert!(file.to_string().contains("/srv/models/a/1/golden.json"));
        let reason = "at (/build/onnx/model.cc:12) no operator Foo / Bar";
        assert_eq!(without_paths(reason), "at … no operator Foo / Bar");
    }
}
