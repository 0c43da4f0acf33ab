//! Damaged and hostile recordings: no panic, no more memory than the limits allow, and no more time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/counting.rs"]
mod counting;

mod archives;
mod costs;
mod damage;
mod endless;
mod variables;

use std::{
    fs,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use drsn_recording::{Limits, RecordingFormat};

const LIMITS: Limits = Limits::new(1 << 20, 4096);

/// The time that this thread computes: on a busy machine it waits for others as well. Elsewhere than
/// on Linux, the time that passes.
struct Stopwatch {
    begun: Instant,
    computed: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { begun: Instant::now(), computed: Self::computed() }
    }

    fn elapsed(&self) -> Duration {
        match (self.computed, Self::computed()) {
            (Some(begun), Some(now)) => now.saturating_sub(begun),
            _ => self.begun.elapsed(),
        }
    }

    fn computed() -> Option<Duration> {
        let status = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        status.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

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
