//! Opening a bundle with every check, and writing one atomically.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{
    BundleError, Golden, Manifest,
    files::read_bounded,
    onnx,
    staging::{Staging, create_file, publish, publish_new, write_file},
};

/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the network.
pub const MODEL_FILE: &str = "model.onnx";
/// File name of the golden inputs and outputs.
pub const GOLDEN_FILE: &str = "golden.json";

/// Largest manifest, in bytes: far above that of every real model, as that of the golden inputs.
pub const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Largest model, in bytes: a message of protobuf has at most 2 GiB.
const MAX_MODEL_BYTES: u64 = 2 << 30;
/// Largest golden inputs and outputs, in bytes.
const MAX_GOLDEN_BYTES: u64 = 64 << 20;

/// A bundle that was read and passed every check.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The description of the model.
    pub manifest: Manifest,
    /// Inputs with their outputs.
    pub golden: Golden,
    /// The bytes of `model.onnx`. The bytes that were checked are the ones used.
    pub model: Vec<u8>,
}

impl Bundle {
    /// Reads a bundle from its folder and checks formats, checksums, and that manifest, model and
    /// golden data agree. Running the model on the golden inputs is a separate step, as it needs a
    /// runtime.
    ///
    /// # Errors
    /// [`BundleError`] with the first fault.
    pub fn open(folder: &Path) -> Result<Self, BundleError> {
        if !folder.join(MANIFEST_FILE).exists() {
            return Err(BundleError::NoManifest { folder: folder.to_owned() });
        }
        let manifest = read(folder, MANIFEST_FILE)?;
        let manifest = Manifest::from_json(&manifest)?;
        let model = read_checked(folder, MODEL_FILE, &manifest)?;
        let golden = read_checked(folder, GOLDEN_FILE, &manifest)?;
        onnx::check_model(&model, &manifest)?;
        let golden = Golden::from_json(&golden, &manifest)?;
        Ok(Self { manifest, golden, model })
    }
}

/// Writes a bundle to `<repository>/<name>/<version>` and returns that folder.
///
/// The files are written to a hidden folder beside it, and moved when they are complete: see
/// [`crate::staging`]. A model's first version appears together with the model's folder. With
/// `replace`, an existing version is exchanged for the new one.
///
/// # Errors
/// [`BundleError`] if the parts do not fit one another, the folder exists and `replace` is not set,
/// or the files cannot be written. Then nothing is left behind.
pub fn write(
    repository: &Path,
    mut manifest: Manifest,
    model: &[u8],
    golden: &Golden,
    replace: bool,
) -> Result<PathBuf, BundleError> {
    let (golden, manifest_json) = encoded(&mut manifest, model, golden)?;
    let files = [(MODEL_FILE, model), (GOLDEN_FILE, &golden), (MANIFEST_FILE, &manifest_json)];
    let versions = repository.join(manifest.name.as_str());
    let target = versions.join(manifest.version.as_str());
    if target.exists() && !replace {
        return Err(BundleError::Exists { path: target });
    }
    install(&versions, &target, &files, replace)?;
    Ok(target)
}

/// Replaces all files of an existing bundle in its folder, in one step.
///
/// # Errors
/// [`BundleError`] if the parts do not fit one another, or the files cannot be written. Then the old
/// bundle stays.
pub fn rewrite(
    folder: &Path,
    mut manifest: Manifest,
    model: &[u8],
    golden: &Golden,
) -> Result<(), BundleError> {
    let (golden, manifest_json) = encoded(&mut manifest, model, golden)?;
    let files = [(MODEL_FILE, model), (GOLDEN_FILE, &golden), (MANIFEST_FILE, &manifest_json)];
    // A relative name such as `.` has no parent to write beside.
    let folder = fs::canonicalize(folder).map_err(BundleError::file("open", folder))?;
    install(folder.parent().unwrap_or(&folder), &folder, &files, true)
}

/// Sets the checksums of a manifest, checks that all parts fit one another, and returns golden data
/// and manifest as JSON.
fn encoded(
    manifest: &mut Manifest,
    model: &[u8],
    golden: &Golden,
) -> Result<(Vec<u8>, Vec<u8>), BundleError> {
    golden.check(manifest).map_err(|reason| BundleError::Golden { reason })?;
    let golden = golden.to_json()?;
    manifest.files = BTreeMap::from([
        (MODEL_FILE.to_owned(), digest(model)),
        (GOLDEN_FILE.to_owned(), digest(&golden)),
    ]);
    let manifest_json = manifest.to_json()?;
    Manifest::from_json(&manifest_json)?;
    onnx::check_model(model, manifest)?;
    for (name, bytes) in
        [(MODEL_FILE, model), (GOLDEN_FILE, &golden), (MANIFEST_FILE, &manifest_json)]
    {
        check_size(name, bytes)?;
    }
    Ok((golden, manifest_json))
}

/// Writes files to a hidden folder, and moves it to `target` in the folder `versions`.
fn install(
    versions: &Path,
    target: &Path,
    files: &[(&str, &[u8])],
    replace: bool,
) -> Result<(), BundleError> {
    let repository = versions.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(repository).map_err(BundleError::file("create", repository))?;
    // A folder of versions that does not exist is moved as a whole, because a failure would leave
    // it empty; one that exists may be on another file system than the repository.
    let is_first = !versions.exists();
    let around = if is_first { repository } else { versions };
    let staging = Staging::new_in(around).map_err(BundleError::file("write to", around))?;
    let staged_versions = staging.path().join("versions");
    let staged = staged_versions.join(target.file_name().unwrap_or_default());
    fs::create_dir_all(&staged).map_err(BundleError::file("write", target))?;
    for (name, bytes) in files {
        create_file(&staged.join(name), bytes)
            .map_err(BundleError::file("write", target.join(name)))?;
    }
    // Another program may have written the first version meanwhile, which must stay.
    if is_first && publish_new(&staged_versions, versions).is_ok() {
        return Ok(());
    }
    if replace {
        return publish(&staged, target).map_err(BundleError::file("write", target));
    }
    // It may have written this version, too, since it was looked for.
    publish_new(&staged, target).map_err(|error| {
        let taken = [io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::AlreadyExists];
        if taken.contains(&error.kind()) {
            BundleError::Exists { path: target.to_owned() }
        } else {
            BundleError::file("write", target)(error)
        }
    })
}

/// Changes the manifest of an existing bundle, for instance to add a baseline. `manifest.json` is
/// replaced in one step.
///
/// # Errors
/// [`BundleError`] if the bundle is invalid before or after the change, or the file cannot be
/// written. Then the old manifest stays.
pub fn update_manifest(
    folder: &Path,
    change: impl FnOnce(&mut Manifest),
) -> Result<(), BundleError> {
    let Bundle { mut manifest, golden, model } = Bundle::open(folder)?;
    let files = manifest.files.clone();
    change(&mut manifest);
    // The other files do not change.
    manifest.files = files;
    let json = manifest.to_json()?;
    Manifest::from_json(&json)?;
    golden.check(&manifest).map_err(|reason| BundleError::Golden { reason })?;
    onnx::check_model(&model, &manifest)?;
    check_size(MANIFEST_FILE, &json)?;
    let path = folder.join(MANIFEST_FILE);
    write_file(&path, &json).map_err(BundleError::file("write", &path))
}

fn read_checked(folder: &Path, name: &str, manifest: &Manifest) -> Result<Vec<u8>, BundleError> {
    let expected = manifest.files.get(name).ok_or_else(|| BundleError::Manifest {
        reason: format!("\"files\" has no checksum for {name}"),
    })?;
    let bytes = read(folder, name)?;
    let found = digest(&bytes);
    if *expected != found {
        return Err(BundleError::Checksum {
            file: name.to_owned(),
            expected: expected.clone(),
            found,
        });
    }
    Ok(bytes)
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, BundleError> {
    let path = folder.join(name);
    read_bounded(&path, limit(name)).map_err(BundleError::file("read", &path))
}

/// The largest size of a bundle's file, in bytes.
fn limit(name: &str) -> u64 {
    match name {
        MODEL_FILE => MAX_MODEL_BYTES,
        GOLDEN_FILE => MAX_GOLDEN_BYTES,
        _ => MAX_MANIFEST_BYTES,
    }
}

/// Rejects a file that could be written but not read again.
fn check_size(name: &str, bytes: &[u8]) -> Result<(), BundleError> {
    let limit = limit(name);
    if bytes.len() as u64 > limit {
        let reason = format!("it has {} bytes, above the limit of {limit} bytes", bytes.len());
        return Err(BundleError::file("write", name)(io::Error::other(reason)));
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    let mut hexadecimal = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string does not fail.
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    hexadecimal
}
