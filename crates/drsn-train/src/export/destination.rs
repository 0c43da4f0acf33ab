//! Where a bundle is written to.

use std::path::{Path, PathBuf};

use drsn_bundle::Name;

/// Where a bundle is written to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The model repository, a folder of models.
    pub repository: PathBuf,
    /// Name of the model.
    pub name: Name,
    /// Version of the model.
    pub version: Name,
    /// Whether to replace an existing version.
    pub replace: bool,
    /// Whether to export a network that does not work with fixed statistics, too.
    pub export_anyway: bool,
    /// The ONNX Runtime library; searched for if `None`.
    pub onnxruntime: Option<PathBuf>,
}

impl Destination {
    /// The bundle's folder.
    pub fn folder(&self) -> PathBuf {
        self.repository.join(self.name.as_str()).join(self.version.as_str())
    }

    /// The ONNX Runtime library; searched for if `None`.
    pub fn library(&self) -> Option<&Path> {
        self.onnxruntime.as_deref()
    }
}
