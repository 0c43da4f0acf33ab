//! Files on disk: reading them with a limit, so that no file in a folder that is read can block the
//! reader or fill its memory, and telling those that systems leave in folders.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

/// Reads a regular file of at most `limit` bytes, in the memory of its length.
///
/// Only regular files are read, also through symbolic links: a named pipe could block for ever, and
/// a device has no end.
///
/// # Errors
/// [`io::Error`] if the file cannot be opened or read, is not regular, is longer than the limit, or
/// changes its length while it is read.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = kind(metadata.file_type());
        return Err(io::Error::other(format!("it is {kind}, and a regular file is expected")));
    }
    let length = metadata.len();
    if length > limit {
        return Err(io::Error::other(format!(
            "it has {length} bytes, above the limit of {limit} bytes"
        )));
    }
    let mut bytes = Vec::new();
    // One more byte shows that the file has grown.
    let room = usize::try_from(length).ok().and_then(|length| length.checked_add(1));
    bytes.try_reserve_exact(room.ok_or(io::ErrorKind::OutOfMemory)?)?;
    file.take(length + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::Error::other("its length changed while it was read: read it again"));
    }
    Ok(bytes)
}

/// A text without the mark of UTF-8 before it, which editors on Windows write.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Reads at most the first `limit` bytes of a regular file; nothing of a pipe or a device.
///
/// # Errors
/// [`io::Error`] if the file cannot be opened or read.
pub fn read_start(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_without_waiting(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Names of files and folders that systems and their tools leave behind, in lower case.
const SYSTEM_NAMES: [&str; 18] = [
    // macOS
    "__macosx",
    "icon\r",
    "network trash folder",
    "temporary items",
    // Windows
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    // Linux
    "lost+found",
    // Network storage
    "@eadir",
    "@tmp",
    "@recycle",
    "#recycle",
    "#snapshot",
    "@recently-snapshot",
    // Python
    "__pycache__",
];

/// Whether a file or folder is hidden (`.git`, `._photo.jpg`, `.ipynb_checkpoints`) or left behind
/// by a system or a tool (`@eaDir`, `Thumbs.db`), by its name in any case. Such a thing is never
/// someone's data.
pub fn is_system_name(name: &str) -> bool {
    // Office leaves files beside those that are open.
    name.starts_with('.')
        || name.starts_with("~$")
        || SYSTEM_NAMES.contains(&name.to_lowercase().as_str())
}

/// Opens a file to read it; a named pipe without a writer is opened too, instead of waited for.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

fn kind(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if kind.is_dir() { "a folder" } else { "no file" }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use proptest::prelude::*;

    use super::*;

    fn reason(path: &Path) -> String {
        read_bounded(path, 1000).unwrap_err().to_string()
    }

    /// A named pipe in a folder of models stopped the server until someone wrote to it, and a link
    /// to `/dev/zero` filled its memory.
    #[test]
    #[cfg(unix)]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(reason(folder.path()).starts_with("it is a folder"));
        assert!(reason(Path::new("/dev/zero")).starts_with("it is a device"));
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(reason(&pipe).starts_with("it is a named pipe"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        assert!(reason(&link).starts_with("it is a named pipe"));
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(read_bounded(&socket, 1000).is_err());
        let loops = folder.path().join("loop");
        std::os::unix::fs::symlink(&loops, &loops).unwrap();
        assert!(read_bounded(&loops, 1000).is_err());
        assert!(read_bounded(&folder.path().join("nothing"), 1000).is_err());
    }

    #[test]
    fn what_systems_leave_in_folders_is_known_by_its_name() {
        let left = "@eaDir __MACOSX .DS_Store ._1.jpg Thumbs.db THUMBS.DB desktop.ini $RECYCLE.BIN \
                    .ipynb_checkpoints .git lost+found #recycle .Trash-1000 ~$list.xlsx";
        for name in left.split_whitespace().chain(["System Volume Information"]) {
            assert!(is_system_name(name), "{name}");
        }
        for name in ["normal", "thumbs", "recycled", "_1.jpg", "@home", "desktop", "1.wav"] {
            assert!(!is_system_name(name), "{name}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_start_of_a_file_is_read_and_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        fs::write(&file, "0123456789").unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read_start(&file, 4).unwrap(), b"0123");
        assert!(read_start(&pipe, 4).unwrap().is_empty());
    }

    /// Files of `/proc` declare no length.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_grows_beyond_its_length_is_rejected() {
        assert!(reason(Path::new("/proc/self/status")).starts_with("its length changed"));
    }

    proptest! {
        #[test]
        fn a_file_within_the_limit_is_read_in_the_memory_of_its_length(
            bytes in prop::collection::vec(any::<u8>(), 0..5000), limit in 0_u64..5000
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            fs::write(&path, &bytes).unwrap();
            match read_bounded(&path, limit) {
                Ok(read) => {
                    prop_assert!(bytes.len() as u64 <= limit);
                    prop_assert!(read.capacity() <= bytes.len() + 8);
                    prop_assert_eq!(read, bytes);
                }
                Err(error) => {
                    prop_assert!(bytes.len() as u64 > limit);
                    let sentence =
                        format!("it has {} bytes, above the limit of {limit} bytes", bytes.len());
                    prop_assert_eq!(error.to_string(), sentence);
                }
            }
        }
    }
}
