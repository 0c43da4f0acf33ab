//! What lies in the folder of models: `<name>/<version>/`, or one bundle.

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
    /// As it is written.
    pub(super) text: String,
}

impl Version {
    /// Reads digits; nothing else is a version.
    pub(super) fn new(text: &str) -> Option<Self> {
        Some(Self { number: text.parse().ok()?, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A bundle's place, before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelVersionDir {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) path: PathBuf,
    /// Whether the folder's names must be the manifest's.
    pub(super) in_place: bool,
}

/// All versions that are there, by name, each list from the lowest to the highest.
pub(super) type Folder = BTreeMap<String, Vec<ModelVersionDir>>;

/// Looks what is there. Hidden folders, as those in which a bundle is being written, and those whose name is no
/// version are passed over; links are followed.
pub(super) fn discover(
    folder: &Path,
    model_name: Option<&Name>,
) -> Result<Folder, RepositoryError> {
    if folder.join(MANIFEST_FILE).is_file() {
        let found = flat(folder, model_name)?;
        return Ok(BTreeMap::from([(found.name.clone(), vec![found])]));
    }
    let by_name = folders(folder)?;
    if model_name.is_some() {
        return Err(RepositoryError::NoBundle { path: folder.to_owned() });
    }
    let mut found = BTreeMap::new();
    for (name, path) in by_name {
        // A folder that went away meanwhile has no versions.
        let mut versions: Vec<ModelVersionDir> = folders(&path)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(version, path)| {
                let version = Version::new(&version)?;
                Some(ModelVersionDir { name: name.clone(), version, path, in_place: true })
            })
            .collect();
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        if versions.is_empty() {
            tracing::debug!(folder = %path.display(), "no model version in this folder, it is passed over");
        } else {
            found.insert(name, versions);
        }
    }
    Ok(found)
}

/// The versions of a model that are to be served.
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

/// What tells one content of a version's folder from another: the digest of its manifest, which has those of the
/// other files. Empty where there is no manifest yet.
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

/// One bundle, without folders for name and version.
fn flat(folder: &Path, model_name: Option<&Name>) -> Result<ModelVersionDir, RepositoryError> {
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

/// A bundle right below a folder that should hold models: then it is the folder of one model's versions.
pub(super) fn a_version_in(folder: &Path) -> Option<PathBuf> {
    let folders = folders(folder).unwrap_or_default().into_iter();
    folders.map(|(_, path)| path).find(|path| path.join(MANIFEST_FILE).is_file())
}

/// The folders below one, by name, without hidden ones; links are followed.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, RepositoryError> {
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
