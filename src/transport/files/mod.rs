//! Reading files that may be anything: only regular files are opened, and no more than a limit is
//! read. [`Readers`] limits the time.

mod readers;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

pub(crate) use readers::{ReadError, Readers};

/// Reads a whole file of at most `limit` bytes; follows links.
///
/// # Errors
/// Those of the system, and an error that says so if it is not a regular file or is larger.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Opening a named pipe would wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let size = regular_size(&file)?;
    let too_large = || io::Error::other(format!("it is larger than {limit} bytes"));
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

fn regular_size(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    Err(io::Error::other("it is not a regular file: pipes, devices and folders are not read"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn a_file_is_read_through_links_and_what_is_none_or_too_large_is_refused_at_once() {
        let folder = tempfile::tempdir().ok();
        let folder = folder.as_ref().map_or(Path::new("/nowhere"), tempfile::TempDir::path);
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| folder.join(name));
        assert!(fs::write(&file, "12345").is_ok() && symlink("file", &link).is_ok());
        assert_eq!(read_regular(&link, 5).ok(), Some(b"12345".to_vec()));
        assert!(read_regular(&link, 4).is_err_and(|e| e.to_string().contains("larger than 4")));
        assert!(Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()));
        for other in [&*pipe, folder, Path::new("/dev/zero")] {
            let refused = read_regular(other, 5).map_err(|e| e.to_string());
            assert!(refused.is_err_and(|e| e.contains("not a regular file")), "{other:?}");
        }
    }
}
