//! The layout of the folder of models: `<name>/<version>/`, or one bundle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use drsn_bundle::{
    Bundle, BundleError, Manifest, Name,
    bundle::{MANIFEST_FILE, MAX_MANIFEST_BYTES},
    files::read_bounded,
};
use sha2::{Digest as _, Sha256};

use super::RepositoryError;
use crate::{config::VersionPolicy, readers::ReadError};

/// Most entries that a scan looks at, in the folder of models and the folders in it together. More
/// would take long at every scan.
const MOST_ENTRIES: usize = 20_000;

/// Identifies the content of a version's folder: the digest of its manifest, which contains the
/// digests of the other files. Empty if the manifest cannot be read.
pub(super) type Fingerprint = Vec<u8>;

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
    /// The fingerprint at the scan; empty if the policy does not select this version.
    pub(super) fingerprint: Fingerprint,
}

impl ModelVersionDir {
    /// Name and version, for messages.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// That its files could not be read in time.
    pub(super) fn unread(&self, source: ReadError) -> RepositoryError {
        RepositoryError::Unread { model: self.label(), path: self.path.clone(), source }
    }
}

/// All versions in the folder of models, by name, each list from the lowest to the highest.
pub(super) type Folder = BTreeMap<String, Vec<ModelVersionDir>>;

/// Where and what a scan looks for.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) folder: PathBuf,
    /// The name of a single bundle.
    pub(super) model_name: Option<Name>,
    pub(super) policy: VersionPolicy,
    /// Names of the served models.
    pub(super) served: BTreeSet<String>,
}

impl Scan {
    /// Lists the model versions in the folder, with the fingerprints of those that the policy
    /// selects. It skips hidden folders, such as those in which a bundle is being written, and
    /// folders whose name is not a version; it follows links.
    ///
    /// # Errors
    /// [`RepositoryError`] if the folder of models or that of a served model is there and cannot be
    /// read: that is no reason to unload a model. Models that are not served are skipped then.
    pub(super) fn run(&self) -> Result<Folder, RepositoryError> {
        let folder = &self.folder;
        if folder.join(MANIFEST_FILE).is_file() {
            let found = single_bundle(folder, self.model_name.as_ref())?;
            return Ok(BTreeMap::from([(found.name.clone(), vec![found])]));
        }
        let mut left = MOST_ENTRIES;
        let by_name = subfolders(folder, &mut left)?;
        if self.model_name.is_some() {
            return Err(RepositoryError::NoBundle { path: folder.clone() });
        }
        let mut found = BTreeMap::new();
        for (name, path) in by_name {
            let versions = self.versions(&name, &path, &mut left)?;
            if versions.is_empty() {
                tracing::debug!(folder = %path.display(), "skipping a folder without a model version");
            } else {
                found.insert(name, versions);
            }
        }
        Ok(found)
    }

    /// The versions of one model, from the lowest to the highest.
    fn versions(
        &self,
        name: &str,
        path: &Path,
        left: &mut usize,
    ) -> Result<Vec<ModelVersionDir>, RepositoryError> {
        let folders = match subfolders(path, left) {
            Ok(folders) => folders,
            // A folder that disappeared meanwhile has no versions.
            Err(RepositoryError::Folder { source, .. })
                if is_absent(&source) || !self.served.contains(name) =>
            {
                tracing::debug!(folder = %path.display(), %source, "skipping a folder");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let version = |(version, path): (String, PathBuf)| {
            let version = Version::new(&version)?;
            let (name, fingerprint) = (name.to_owned(), Fingerprint::new());
            Some(ModelVersionDir { name, version, path, in_place: true, fingerprint })
        };
        let mut versions: Vec<ModelVersionDir> = folders.into_iter().filter_map(version).collect();
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        let wanted: BTreeSet<Version> =
            wanted(&versions, &self.policy).into_iter().map(|found| found.version).collect();
        for found in versions.iter_mut().filter(|found| wanted.contains(&found.version)) {
            found.fingerprint = fingerprint(&found.path);
        }
        Ok(versions)
    }
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

fn fingerprint(folder: &Path) -> Fingerprint {
    read_bounded(&folder.join(MANIFEST_FILE), MAX_MANIFEST_BYTES)
        .map(|manifest| Sha256::digest(manifest).to_vec())
        .unwrap_or_default()
}

/// Reads and checks the bundle of `model`, which is its name and version for messages.
///
/// # Errors
/// [`RepositoryError::Bundle`].
pub(super) fn read_bundle(
    folder: &Path,
    model: &str,
) -> Result<(Fingerprint, Bundle), RepositoryError> {
    // Computed before the files are read, so that the next scan notices a change made meanwhile.
    let fingerprint = fingerprint(folder);
    let bundle = Bundle::open(folder).map_err(|source| RepositoryError::Bundle {
        model: model.to_owned(),
        path: folder.to_owned(),
        source: Box::new(source),
    })?;
    Ok((fingerprint, bundle))
}

/// The folder as one bundle, without folders for name and version.
fn single_bundle(
    folder: &Path,
    model_name: Option<&Name>,
) -> Result<ModelVersionDir, RepositoryError> {
    let read =
        || {
            let path = folder.join(MANIFEST_FILE);
            let json = read_bounded(&path, MAX_MANIFEST_BYTES)
                .map_err(|source| BundleError::File { action: "read", path, source })?;
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
    let (path, fingerprint) = (folder.to_owned(), fingerprint(folder));
    Ok(ModelVersionDir { name, version, path, in_place: false, fingerprint })
}

/// A bundle directly below `folder`, which then is one model's folder of versions and not a folder
/// of models.
pub(super) fn find_version(folder: &Path) -> Option<PathBuf> {
    let folders = subfolders(folder, &mut { MOST_ENTRIES }).unwrap_or_default().into_iter();
    folders.map(|(_, path)| path).find(|path| path.join(MANIFEST_FILE).is_file())
}

/// The subfolders of a folder, sorted by name, without hidden ones; follows links. Takes the
/// entries that it looks at from those `left`.
fn subfolders(folder: &Path, left: &mut usize) -> Result<Vec<(String, PathBuf)>, RepositoryError> {
    let unread = |source| RepositoryError::Folder { path: folder.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        *left = left.checked_sub(1).ok_or_else(|| RepositoryError::TooMany {
            path: folder.to_owned(),
            most: MOST_ENTRIES,
        })?;
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| Name::new(*name).is_ok() && may_be_folder(&path)) {
            folders.push((name.to_owned(), path));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Whether a path is a folder, or the system does not tell: reading it then has the reason.
fn may_be_folder(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => !is_absent(&error),
    }
}

/// Whether an error means that there is no folder, and not that it cannot be read: nothing is
/// there, something else is, or links lead nowhere or in a circle.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u64) -> ModelVersionDir {
        let version = Version { number, text: number.to_string() };
        ModelVersionDir {
            name: "a".to_owned(),
            version,
            path: PathBuf::new(),
            in_place: true,
            fingerprint: Fingerprint::new(),
        }
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

    #[test]
    fn a_served_model_whose_folder_cannot_be_read_fails_the_scan_and_another_is_skipped() {
        let folder = tempfile::tempdir();
        let folder = folder.as_ref().map_or(Path::new("/nowhere"), tempfile::TempDir::path);
        assert!(fs::create_dir_all(folder.join("good/1")).is_ok());
        // Longer than the system allows: not absent, and not readable, even for root.
        let far = format!("{}/x", "y".repeat(300));
        assert!(std::os::unix::fs::symlink(far, folder.join("bad")).is_ok());
        let scan = |served: &[&str]| {
            let served = served.iter().map(|&name| name.to_owned()).collect();
            let (folder, policy) = (folder.to_owned(), VersionPolicy::Latest);
            Scan { folder, model_name: None, policy, served }.run()
        };
        let found: Vec<String> = scan(&["good"]).unwrap_or_default().into_keys().collect();
        assert_eq!(found, ["good"]);
        assert!(matches!(scan(&["good", "bad"]), Err(RepositoryError::Folder { .. })));
    }

    #[test]
    fn links_in_a_circle_and_files_are_absent_and_a_refusal_is_not() {
        assert!(is_absent(&io::Error::from_raw_os_error(libc::ELOOP)));
        assert!(is_absent(&io::Error::from_raw_os_error(libc::ENOTDIR)));
        assert!(is_absent(&io::Error::from_raw_os_error(libc::ENOENT)));
        assert!(!is_absent(&io::Error::from_raw_os_error(libc::EACCES)));
        assert!(!is_absent(&io::Error::from_raw_os_error(libc::ESTALE)));
    }
}
