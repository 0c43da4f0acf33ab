//! The folder of captures: checked at the start, and locked for one server.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The file whose lock says that a server uses the folder.
const LOCK: &str = ".drsn-capture.lock";
/// What the name of a segment that is being deleted begins with.
const REMOVED: &str = ".removed-";

/// Why the folder of captures cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("--capture: cannot write to the folder {}: {source}; it must exist and be writable", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error(
        "--capture: the folder {} is in use by another server; give each server a folder of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("--capture: cannot start the thread that writes to {}: {source}", path.display())]
    Thread { path: PathBuf, source: io::Error },
}

/// The folder, which no other server uses as long as this exists.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Checks that files can be written to the folder, and locks it.
    ///
    /// # Errors
    /// [`FolderError`] if it does not exist, cannot be written to, or is in use.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let unwritable = |source| FolderError::Unwritable { path: path.to_owned(), source };
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = file.map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        // The lock may be from before the folder became read-only.
        tempfile::NamedTempFile::new_in(path).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that it is still the folder that was locked, and not an empty one where a volume was
    /// mounted before.
    ///
    /// # Errors
    /// [`io::Error`] if it is not.
    pub(super) fn check(&self) -> io::Result<()> {
        let (own, found) = (self.lock.metadata()?, fs::metadata(self.path.join(LOCK))?);
        if (own.dev(), own.ino()) == (found.dev(), found.ino()) {
            return Ok(());
        }
        Err(io::Error::other(
            "it is another folder than at the start; restart the server to use it",
        ))
    }

    /// Deletes a folder in it: readers see all of it or nothing.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be deleted. None if it is not there.
    pub(super) fn remove(&self, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let hidden = self.path.join(format!("{REMOVED}{name}"));
        // There is one only if it could not be deleted completely before.
        let _ = fs::remove_dir_all(&hidden);
        match fs::rename(folder, &hidden) {
            Ok(()) => fs::remove_dir_all(&hidden),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes what a server that was killed had not deleted completely.
    ///
    /// # Errors
    /// [`io::Error`] if that fails.
    pub(super) fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(REMOVED) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The names of the folders in a folder, without hidden ones. None if others keep it to themselves, as
/// `lost+found` of a volume.
///
/// # Errors
/// [`io::Error`] if it cannot be read otherwise.
pub(super) fn folders(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'));
        if entry.file_type()?.is_dir() {
            names.extend(name);
        }
    }
    Ok(names)
}
