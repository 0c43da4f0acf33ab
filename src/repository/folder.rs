//! The layout of the folder of models: `<name>/<version>/`, or one bundle.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use drsn_bundle::{Bundle, BundleError, Manifest, Name, bundle::MANIFEST_FILE};
use sha2::{Digest as _, Sha256};

use super::RepositoryError;
use crate::config::VersionPolicy;

/// A version, ordered by its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) number: u64,
    /// The number as the folder's name or the manifest writes it.
    pub(super) text: String,
}

impl Version {
    /// Parses a number; `None` for any other text.
    pub(super) fn new(text: &str) -> Option<Self> {
        Some(Self { number: text.parse().ok()?, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The folder of one version, not opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelVersionDir {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) path: PathBuf,
    /// Whether the folder is `<name>/<version>`, whose names must match the manifest.
    pub(super) in_place: bool,
}

/// All versions in the folder of models, by name, each list from the lowest to the highest.
pub(super) type Folder = BTreeMap<String, Vec<ModelVersionDir>>;

/// Lists the model versions in the folder. It skips hidden folders, such as those in which a bundle
/// is being written, and folders whose name is not a version; it follows links.
pub(super) fn discover(
    folder: &Path,
    model_name: Option<&Name>,
) -> Result<Folder, RepositoryError> {
    if folder.join(MANIFEST_FILE).is_file() {
        let found = single_bundle(folder, model_name)?;
        return Ok(BTreeMap::from([(found.name.clone(), vec![found])]));
    }
    let by_name = subfolders(folder)?;
    if model_name.is_some() {
        return Err(RepositoryError::NoBundle { path: folder.to_owned() });
    }
    let mut found = BTreeMap::new();
    for (name, path) in by_name {
        // A folder that disappeared meanwhile has no versions.
        let mut versions: Vec<ModelVersionDir> = subfolders(&path)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(version, path)| {
                let version = Version::new(&version)?;
                Some(ModelVersionDir { name: name.clone(), version, path, in_place: true })
            })
            .collect();
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        if versions.is_empty() {
            tracing::debug!(folder = %path.display(), "skipping a folder without a model version");
        } else {
            found.insert(name, versions);
        }
    }
    Ok(found)
}

/// The versions of a model that the policy selects.
pub(super) fn wanted(versions: &[ModelVersionDir], policy: &VersionPolicy) -> Vec<ModelVersionDir> {
    match policy {
        VersionPolicy::Latest => versions.last().cloned().into_iter().collect(),
        VersionPolicy::All => versions.to_vec(),
        VersionPolicy::Specific(numbers) => versions
            .iter()
            .filter(|found| numbers.contains(&found.version.number))
            .cloned()
            .collect(),
    }
}

/// Identifies the content of a version's folder: the digest of its manifest, which contains the
/// digests of the other files. Empty if there is no manifest yet.
pub(super) fn fingerprint(folder: &Path) -> Vec<u8> {
    fs::read(folder.join(MANIFEST_FILE))
        .map(|manifest| Sha256::digest(manifest).to_vec())
        .unwrap_or_default()
}

pub(super) fn open(folder: &Path, model: &str) -> Result<Bundle, RepositoryError> {
    Bundle::open(folder).map_err(|source| RepositoryError::Bundle {
        model: model.to_owned(),
        path: folder.to_owned(),
        source: Box::new(source),
    })
}

/// The folder as one bundle, without folders for name and version.
fn single_bundle(
    folder: &Path,
    model_name: Option<&Name>,
) -> Result<ModelVersionDir, RepositoryError> {
    let read = || {
        let path = folder.join(MANIFEST_FILE);
        let json =
            fs::read(&path).map_err(|source| BundleError::File { action: "read", path, source })?;
        Manifest::from_json(&json)
    };
    let manifest = read().map_err(|source| RepositoryError::Bundle {
        model: model_name.map_or("of unknown name", Name::as_str).to_owned(),
        path: folder.to_owned(),
        source: Box::new(source),
    })?;
    let name = model_name.unwrap_or(&manifest.name).to_string();
    let text = manifest.version.as_str();
    let version =
        Version::new(text).unwrap_or_else(|| Version { number: u64::MAX, text: text.to_owned() });
    Ok(ModelVersionDir { name, version, path: folder.to_owned(), in_place: false })
}

/// A bundle directly below `folder`, which then is one model's folder of versions and not a folder
/// of models.
pub(super) fn find_version(folder: &Path) -> Option<PathBuf> {
    let folders = subfolders(folder).unwrap_or_default().into_iter();
    folders.map(|(_, path)| path).find(|path| path.join(MANIFEST_FILE).is_file())
}

/// The subfolders of a folder, sorted by name, without hidden ones; follows links.
fn subfolders(folder: &Path) -> Result<Vec<(String, PathBuf)>, RepositoryError> {
    let read = || -> io::Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|name| Name::new(*name).is_ok() && path.is_dir()) {
                folders.push((name.to_owned(), path));
            }
        }
        folders.sort();
        Ok(folders)
    };
    read().map_err(|source| RepositoryError::Folder { path: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u64) -> ModelVersionDir {
        let version = Version { number, text: number.to_string() };
        ModelVersionDir { name: "a".to_owned(), version, path: PathBuf::new(), in_place: true }
    }

    #[test]
    fn the_policy_chooses_among_the_versions() {
        let versions = [found(1), found(2), found(10)];
        let numbers = |policy: &str| -> Vec<u64> {
            let policy = policy.parse().unwrap_or(VersionPolicy::Latest);
            wanted(&versions, &policy).iter().map(|found| found.version.number).collect()
        };
        assert_eq!(numbers("latest"), [10]);
        assert_eq!(numbers("all"), [1, 2, 10]);
        assert_eq!(numbers("specific:2"), [2]);
        assert_eq!(numbers("specific:2,10"), [2, 10]);
        assert_eq!(numbers("specific:3"), [] as [u64; 0]);
    }
}
