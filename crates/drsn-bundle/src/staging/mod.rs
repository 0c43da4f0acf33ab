//! Writing files and folders whole: they are completed in a hidden folder beside their
//! destination, and moved there in one step.
//!
//! Whoever reads the destination finds what was there before or all that is new, at whatever moment
//! the writing program fails or is killed.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use tempfile::TempDir;

/// The hidden folders' names begin so. A leading dot hides them from servers, which take no such
/// name for a model or a version, and from readers of training data.
const PREFIX: &str = ".drsn-writing-";

/// A hidden folder to complete files and folders in, before [`publish`] moves them to the folder
/// around it or below.
///
/// When it is dropped, it is deleted with everything that was not moved. If the program is killed
/// before, the next [`Staging`] in the same folder deletes it: a lock, which the system releases
/// when a program ends, tells it from those of programs that are still writing.
#[derive(Debug)]
pub struct Staging {
    // Deleted before the lock is released: fields are dropped in this order.
    folder: TempDir,
    _lock: Option<File>,
}

impl Staging {
    /// Creates a hidden folder in `folder`, which must exist, and deletes those that killed
    /// programs left there.
    ///
    /// # Errors
    /// The system's error if no folder can be created.
    pub fn new_in(folder: &Path) -> io::Result<Self> {
        delete_leftovers(folder);
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder)?;
            let lock = open_folder(folder.path()).and_then(|file| file.lock().map(|()| file)).ok();
            // Another program may have deleted it as a leftover before it was locked.
            if folder.path().symlink_metadata().is_ok() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// The hidden folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes a file whole, in place of an existing one, whose permissions it then keeps. Its folder
/// must exist.
///
/// # Errors
/// The system's error. Then an existing file is unchanged.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staging = Staging::new_in(parent(path))?;
    let staged = staging.path().join("file");
    create_file(&staged, bytes)?;
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(&staged, old.permissions())?;
    }
    publish(&staged, path)
}

/// Writes a new file in a folder that nobody reads yet, and waits until it is on the disk.
///
/// # Errors
/// The system's error. Then the file may be incomplete.
pub fn create_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Moves a complete file or folder from a [`Staging`] to its destination, and leaves in the staging
/// folder what was there before.
///
/// A file is replaced in one step. So is a folder on Linux and macOS, unless its file system cannot
/// exchange two folders, as NFS cannot: then the old one is moved away first, and moved back if the
/// new one cannot take its place. A program that is killed between both steps leaves the old folder
/// beside the destination, as `.replaced-NAME`.
///
/// # Errors
/// The system's error. Then the destination is unchanged, or its old folder is beside it.
pub fn publish(staged: &Path, target: &Path) -> io::Result<()> {
    let is_folder = staged.is_dir();
    if is_folder {
        sync_folders(staged);
    }
    if !is_folder || target.symlink_metadata().is_err() {
        fs::rename(staged, target)?;
    } else if exchange(staged, target).is_err() {
        replace_in_two_steps(staged, target)?;
    }
    sync_folder(parent(target));
    Ok(())
}

/// Moves a complete folder out of a [`Staging`] to a path that does not exist yet.
///
/// # Errors
/// The system's error, also if there is a folder that is not empty. Then nothing is changed.
pub fn publish_new(staged: &Path, target: &Path) -> io::Result<()> {
    sync_folders(staged);
    fs::rename(staged, target)?;
    sync_folder(parent(target));
    Ok(())
}

/// Exchanges two folders in one step.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Moves the folder `target` away and `staged` into its place.
fn replace_in_two_steps(staged: &Path, target: &Path) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let old = parent(target).join(format!(".replaced-{name}"));
    // Left by a program that was killed here; since then the version was written again.
    if old.symlink_metadata().is_ok() {
        fs::remove_dir_all(&old)?;
    }
    fs::rename(target, &old)?;
    if let Err(error) = fs::rename(staged, target) {
        // If that fails too, the old folder is beside the destination.
        let _ = fs::rename(&old, target);
        return Err(error);
    }
    // The new folder is in its place; the old one stays if it cannot be moved.
    let _ = fs::rename(&old, staged);
    Ok(())
}

/// The folder that contains a path.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the entries of a folder and of those below it are on the disk.
fn sync_folders(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_folders(&entry.path());
        }
    }
    sync_folder(folder);
}

/// Waits until a folder's entries are on the disk. Some file systems cannot, so that errors mean
/// nothing; they matter only if the machine fails at this moment.
fn sync_folder(folder: &Path) {
    let _ = open_folder(folder).and_then(|file| file.sync_all());
}

/// Opens a folder itself, neither a link to one nor a file.
#[cfg(unix)]
fn open_folder(folder: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    fs::OpenOptions::new().read(true).custom_flags(flags).open(folder)
}

/// Folders cannot be opened: they are neither synchronized nor locked.
#[cfg(not(unix))]
fn open_folder(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Deletes the hidden folders that no program has locked. What cannot be deleted stays: it is in
/// nobody's way.
fn delete_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if ours && let Ok(lock) = open_folder(&entry.path()) {
            // On success the lock is held until the folder is gone.
            if lock.try_lock().is_ok() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests;
