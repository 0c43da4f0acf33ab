//! Why models cannot be served: with paths for the operator, without them for clients.

use std::{
    io,
    path::{Path, PathBuf},
};

use drsn_bundle::{BundleError, Name, bundle::MANIFEST_FILE, runtime::RuntimeError};

use crate::readers::ReadError;

/// Why models cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    /// The folder does not exist, or cannot be read.
    #[error("cannot read the folder of models {path:?}: {source}; name another with --models")]
    Folder { path: PathBuf, source: io::Error },
    /// Reading the folder took too long.
    #[error("cannot read the folder of models {path:?}: {source}")]
    FolderUnread { path: PathBuf, source: ReadError },
    /// The folder has more entries than a scan looks at.
    #[error(
        "cannot read the folder of models {path:?}: it and the folders in it have more than {most} entries; remove versions that are not needed"
    )]
    TooMany { path: PathBuf, most: usize },
    /// The folder has no bundle.
    #[error(
        "the folder {path:?} has no model: expected <name>/<version>/{MANIFEST_FILE} below it, as `drsn-train train` writes it"
    )]
    Empty { path: PathBuf },
    /// The folder is one model's folder of versions, such as `version`.
    #[error(
        "{path:?} has the versions of one model; set --models to the folder above it, or to one version, such as {version:?}"
    )]
    OneModel { path: PathBuf, version: PathBuf },
    /// The policy selects none of the versions that the folder has.
    #[error("--version-policy {policy} selects none of the versions in the folder: {known}")]
    NoVersion { policy: String, known: String },
    /// A name was given for a single bundle, but the folder is not a bundle.
    #[error(
        "--model-name is for a single bundle, and {path:?} is not one: it has no {MANIFEST_FILE}; leave the flag out"
    )]
    NoBundle { path: PathBuf },
    /// The folder does not have the default model.
    #[error(
        "--default-model (or DRSN_DEFAULT_MODEL) is {name}, but the models in the folder are: {known}"
    )]
    NoDefault { name: Name, known: String },
    /// The names of the folders, `model`, disagree with those in the manifest, `found`.
    #[error(
        "model {model} in {path:?}: its manifest says that it is {found}; name the folders the same"
    )]
    Misplaced { model: String, found: String, path: PathBuf },
    /// A bundle is damaged or contradicts itself.
    #[error("model {model} in {path:?}: {source}")]
    Bundle { model: String, path: PathBuf, source: Box<BundleError> },
    /// A model does not run on this machine.
    #[error("model {model}: {source}")]
    Runtime { model: String, source: Box<RuntimeError> },
    /// Reading a version took too long.
    #[error("model {model} in {path:?}: {source}")]
    Unread { model: String, path: PathBuf, source: ReadError },
    /// A version's trial had no result.
    #[error("model {model} in {path:?}: {reason}")]
    Trial { model: String, path: PathBuf, reason: String },
    /// A session needs more memory than there is for it.
    #[error(
        "model {model}: it needs more than {} MiB of memory for one worker, which is its share of the free memory: {reason}",
        bytes >> 20
    )]
    Memory { model: String, bytes: u64, reason: String },
    /// A version was refused by its trial, with both of its texts.
    #[error("{message}")]
    Refused { message: String, reason: String },
    /// The files of a version changed between its trial and its loading.
    #[error(
        "model {model} in {path:?}: its files changed while it was loaded; it is tried again at the next scan"
    )]
    Changed { model: String, path: PathBuf },
    /// A version failed a short time ago for this reason, and is not tried again yet.
    #[error("{reason}")]
    Postponed { reason: String },
}

impl RepositoryError {
    /// The reason for clients: what is wrong with the model, without paths of this machine.
    pub(super) fn public_reason(&self) -> String {
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
            Self::Memory { bytes, reason, .. } => format!(
                "it needs more than {} MiB of memory for one worker, which is its share of the free memory: {reason}",
                bytes >> 20
            ),
            Self::Unread { source, .. } => source.to_string(),
            Self::Trial { reason, .. }
            | Self::Refused { reason, .. }
            | Self::Postponed { reason } => reason.clone(),
            Self::Changed { .. } => "its files changed while it was loaded".to_owned(),
            Self::FolderUnread { .. } | Self::TooMany { .. } | Self::Folder { .. } => {
                "the folder of models cannot be read".to_owned()
            }
            Self::Empty { .. }
            | Self::OneModel { .. }
            | Self::NoVersion { .. }
            | Self::NoBundle { .. } => "there is no bundle".to_owned(),
            Self::NoDefault { known, .. } => format!("the models in the folder are: {known}"),
        }
    }
}

/// Removes words that look like absolute paths: libraries put paths into their messages, even those
/// of their own sources.
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
