//! Extracts one file of a Python wheel, which is a zip archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use zip::ZipArchive;

/// Writes the wheel's `onnxruntime/capi/<file>` to `to`, at most one byte more than
/// `expected_bytes`.
pub(super) fn unpack(wheel: &Path, file: &str, expected_bytes: u64, to: &Path) -> Result<()> {
    let opened = File::open(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
    let mut archive = ZipArchive::new(opened)
        .with_context(|| format!("{} is not a zip archive", wheel.display()))?;
    let name = format!("onnxruntime/capi/{file}");
    let entry =
        archive.by_name(&name).with_context(|| format!("{} in {}", name, wheel.display()))?;
    // With one more byte the check of the size notices a file that is too long.
    let mut source = entry.take(expected_bytes + 1);
    let mut target = File::create(to).with_context(|| format!("cannot create {}", to.display()))?;
    io::copy(&mut source, &mut target)
        .with_context(|| format!("cannot unpack {} to {}", name, to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A folder with `some.whl` in it, which contains one compressed file.
    fn wheel_with(name: &str, content: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = ZipWriter::new(File::create(folder.path().join("some.whl")).unwrap());
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap();
        folder
    }

    fn unpacked(folder: &Path, expected_bytes: u64) -> Result<Vec<u8>> {
        let to = folder.join("library.so");
        unpack(&folder.join("some.whl"), "library.so", expected_bytes, &to)?;
        Ok(fs::read(to)?)
    }

    #[test]
    fn the_library_comes_out_as_it_went_in() {
        let content = b"shrink ".repeat(1000);
        let folder = wheel_with("onnxruntime/capi/library.so", &content);
        assert_eq!(unpacked(folder.path(), 7000).unwrap(), content);
    }

    #[test]
    fn an_endless_file_is_cut_off() {
        let folder = wheel_with("onnxruntime/capi/library.so", &vec![0; 100_000]);
        assert_eq!(unpacked(folder.path(), 10).unwrap().len(), 11);
    }

    #[test]
    fn a_wheel_without_the_library_is_refused_by_name() {
        let folder = wheel_with("onnxruntime/capi/library.pyd", b"of another system");
        let error = unpacked(folder.path(), 10).unwrap_err().to_string();
        assert!(error.starts_with("onnxruntime/capi/library.so in "), "{error}");
    }

    #[test]
    fn a_download_that_is_no_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("some.whl"), "<html>").unwrap();
        let error = unpacked(folder.path(), 10).unwrap_err().to_string();
        assert!(error.ends_with("is not a zip archive"), "{error}");
    }
}
