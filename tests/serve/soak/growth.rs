//! Memory of the server over time.

use std::{fs, time::Duration};

use tokio::time::sleep;

use super::traffic::Scene;

const PAUSE: Duration = Duration::from_secs(2);

/// Resident memory in KiB, and open files.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) resident: u64,
    pub(super) files: u64,
}

/// Samples until told to stop.
pub(super) async fn watch(scene: &Scene) -> Vec<Sample> {
    let process = scene.process;
    let mut samples = Vec::new();
    while scene.goes_on() {
        sleep(PAUSE).await;
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident = line.split_whitespace().next().unwrap().parse().unwrap();
        let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64;
        samples.push(Sample { resident, files });
    }
    samples
}

/// A value of each third of the samples, above which are all but this share of them. A small share
/// shows what stays between bursts of large requests: a leak raises it, and busy minutes do not.
pub(super) fn thirds(samples: &[Sample], share: f64, of: fn(&Sample) -> u64) -> [u64; 3] {
    let count = samples.len();
    [0, 1, 2].map(|third| {
        let mut part: Vec<u64> =
            samples[third * count / 3..(third + 1) * count / 3].iter().map(of).collect();
        part.sort_unstable();
        part.get((part.len() as f64 * share) as usize).copied().unwrap_or(0)
    })
}
