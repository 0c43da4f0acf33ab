//! Damaged and hostile recordings: no panic, no more memory than the limits allow, and no more time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/counting.rs"]
mod counting;

mod archives;
mod costs;
mod damage;
mod endless;
mod variables;

use std::{fs, path::PathBuf, sync::LazyLock};

use drsn_recording::{Limits, RecordingFormat};

const LIMITS: Limits = Limits::new(1 << 20, 4096);

/// The small files that other tools wrote; see `recordings.rs` and `matlab.rs`.
static FILES: LazyLock<Vec<(RecordingFormat, Vec<u8>)>> = LazyLock::new(|| {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = |folder| fs::read_dir(tests.join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = ["recordings", "matlab"]
        .into_iter()
        .flat_map(files)
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let extension = path.extension()?.to_str()?;
            Some((RecordingFormat::from_extension(extension)?, fs::read(&path).unwrap()))
        })
        .collect()
});
