//! Obtains ONNX Runtime's shared library: `cargo xtask onnxruntime`.
//!
//! PyPI's `onnxruntime` wheel ─► [`pip`] ─► [`wheel`] ─► [`library`] checks ─► `<target>/onnxruntime/`
//!
//! The server also looks in that folder, so plain `cargo run` finds the library.

mod library;
mod pip;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use self::library::Build;
use crate::workspace::{Workspace, variable};

/// The release that the server is built and tested with.
const VERSION: &str = "1.31.1";
/// The library's file name in the wheel and in the cache.
const FILE: &str = "libonnxruntime.so.1.31.1";
/// The variable with the path of another library to use; the server reads it, too.
pub(crate) const VARIABLE: &str = "ORT_DYLIB_PATH";
/// The end of every error message here.
const OTHERWISE: &str =
    "or set ORT_DYLIB_PATH to an ONNX Runtime 1.31.1 library that is already on this machine";

/// The path of a checked library, downloaded if it is missing; reports progress on standard error.
///
/// A library in `ORT_DYLIB_PATH` is the user's and is used unchecked.
pub(crate) fn obtain(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = variable(VARIABLE) {
        return named(&path);
    }
    let build = Build::of_this_machine()?;
    let folder = workspace.target.join("onnxruntime");
    let path = folder.join(FILE);
    if path.exists() {
        match library::verify(&path, build) {
            Ok(()) => {
                eprintln!(
                    "ONNX Runtime {VERSION} is already there, checksum correct: {}",
                    path.display()
                );
                return Ok(path);
            }
            Err(reason) => {
                eprintln!("Deleting {}: {reason:#}", path.display());
                fs::remove_file(&path)
                    .with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
    }
    download(build, &folder).with_context(|| format!("ONNX Runtime {VERSION}"))?;
    eprintln!("ONNX Runtime {VERSION} is ready, checksum correct: {}", path.display());
    Ok(path)
}

/// The library in `ORT_DYLIB_PATH`.
fn named(path: &Path) -> Result<PathBuf> {
    if !path.is_file() {
        bail!(
            "{VARIABLE} names {}, which is not a file: correct it, or unset it to download ONNX Runtime {VERSION}",
            path.display()
        );
    }
    eprintln!("Using the ONNX Runtime that {VARIABLE} names: {}", path.display());
    Ok(path.canonicalize()?)
}

/// Downloads, unpacks and checks the library, and moves it into `folder` only then.
fn download(build: &Build, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // On the same file system as the final path, so that the move is atomic.
    let scratch = tempfile::Builder::new()
        .prefix("download-")
        .tempdir_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;

    let wheel = pip::download(build, scratch.path())?;
    let unpacked = scratch.path().join(FILE);
    wheel::unpack(&wheel, FILE, build.bytes, &unpacked)
        .and_then(|()| library::verify(&unpacked, build))
        .map_err(|reason| {
            anyhow!("pip downloaded a wrong wheel: {reason:#}; try again, {OTHERWISE}")
        })?;

    // So that `sha256sum --check` can repeat the check without this command.
    let record = format!("{FILE}.sha256");
    let written = scratch.path().join(&record);
    fs::write(&written, format!("{}  {FILE}\n", build.sha256))?;
    fs::rename(&written, folder.join(&record))?;
    fs::rename(&unpacked, folder.join(FILE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_must_be_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = named(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("ORT_DYLIB_PATH names "), "{error}");

        let path = folder.path().join("library.so");
        fs::write(&path, b"anything").unwrap();
        assert_eq!(named(&path).unwrap(), path.canonicalize().unwrap());
    }
}
