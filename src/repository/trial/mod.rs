//! Trying a version in a process of its own, under limits, before this one loads it: a model that
//! takes all memory, runs without end or crashes the runtime ends that process and not the server.
//!
//! The reasons are in `docs/decisions/0021-new-versions-are-tried-first.md`.

mod child;
mod free_memory;

use std::{
    io::{self, Read as _},
    num::NonZero,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::runtime::Runtime;
use serde::{Deserialize, Serialize};

use super::{
    RepositoryError,
    folder::{Fingerprint, ModelVersionDir},
    lock,
};
use crate::{
    config::{Config, Device, MaxBatch},
    readers::Readers,
};
pub(crate) use child::{TryBundle, try_bundle};

/// The batch that is tried if `--max-batch auto` chooses the largest one: the largest of those that
/// loading measures.
const MEASURED_BATCH: usize = 16;
/// Share of the free memory that the sessions of a new version may take together. The rest is for
/// requests, and for what is loaded meanwhile.
const SHARE: u64 = 2;
/// How often the process is looked at.
const STEP: Duration = Duration::from_millis(5);
/// Longest time that the system may take to end the process.
const GRACE: Duration = Duration::from_secs(10);
/// Largest report, in bytes.
const LARGEST_REPORT: u64 = 1 << 16;

/// What the process found, as it writes it to its standard output.
#[derive(Debug, Serialize, Deserialize)]
enum Report {
    /// The version can be served.
    Good { fingerprint: Fingerprint, peak_bytes: Option<u64> },
    /// It cannot: the message for the operator, and the reason for clients.
    Refused { message: String, reason: String },
}

/// Tries versions, one at a time.
#[derive(Debug)]
pub(super) struct Trial {
    program: PathBuf,
    onnxruntime: PathBuf,
    largest_batch: usize,
    /// Sessions that the server will have of a version.
    workers: u64,
    readers: Readers,
    turn: Mutex<()>,
}

impl Trial {
    /// With the program that the configuration names; `None` if it names none.
    pub(super) fn new(config: &Config, runtime: &Runtime, readers: &Readers) -> Option<Self> {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        // A model is tried on the CPU even if a GPU will run it: a GPU that lacks memory returns an
        // error, and its batches could take long on the CPU.
        let (workers, largest_batch) = match (config.models.device, config.batching.max_batch) {
            (Device::Cuda(_), _) => (1, 1),
            (Device::Cpu | Device::Auto, MaxBatch::Auto) => (cores(), MEASURED_BATCH),
            (Device::Cpu | Device::Auto, MaxBatch::Fixed(batch)) => (cores(), batch.get()),
        };
        Some(Self {
            program: config.models.trial_program.clone()?,
            onnxruntime: runtime.library().to_owned(),
            largest_batch,
            workers: config.batching.workers.map_or(workers, NonZero::get) as u64,
            readers: readers.clone(),
            turn: Mutex::default(),
        })
    }

    /// Opens the version in a process of its own, compares it with its golden outputs and runs the
    /// smallest and the largest batch. Returns the fingerprint of the content that was tried.
    ///
    /// # Errors
    /// [`RepositoryError`] if the version cannot be served, or the trial did not end well.
    pub(super) fn run(&self, found: &ModelVersionDir) -> Result<Fingerprint, RepositoryError> {
        let _turn = lock(&self.turn);
        let memory = free_memory::bytes().map_or(u64::MAX, |free| free / SHARE / self.workers);
        let command = self.command(found, memory);
        let readers = self.readers.clone();
        let limit = readers.limit();
        let attempt = move || attempt(command, &readers);
        let failed = |reason| RepositoryError::Trial {
            model: found.label(),
            path: found.path.clone(),
            reason,
        };
        let report = self
            .readers
            .run_within(limit + GRACE, &found.path, attempt)
            .map_err(|source| found.unread(source))?
            .map_err(|failure| failed(failure.reason(limit, memory)))?;
        match report {
            Report::Good { fingerprint, peak_bytes } => {
                tracing::debug!(model = found.label(), peak_bytes, memory, "the trial went well");
                Ok(fingerprint)
            }
            Report::Refused { message, reason } => {
                Err(RepositoryError::Refused { message, reason })
            }
        }
    }

    fn command(&self, found: &ModelVersionDir, memory: u64) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("try-bundle")
            .args(["--model", &found.label()])
            .arg("--onnxruntime")
            .arg(&self.onnxruntime)
            .args(["--largest-batch", &self.largest_batch.to_string()])
            .args(["--memory-bytes", &memory.to_string()])
            .args(["--seconds", &(self.readers.limit().as_secs() + 1).to_string()])
            .arg(&found.path)
            .env_clear()
            // The allocator reserves memory ahead, which must not count as used.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal is for the server.
            .process_group(0);
        if let Some(folders) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", folders);
        }
        command
    }
}

/// Why a trial has no report.
#[derive(Debug)]
enum Failure {
    Start(io::Error),
    Slow,
    Stopped,
    Ended(ExitStatus),
}

impl Failure {
    fn reason(&self, limit: Duration, memory: u64) -> String {
        match self {
            Self::Start(error) => format!(
                "it cannot be tried in a process of its own: {error}; allow the server to start its own program"
            ),
            Self::Slow => format!(
                "reading it and running it once took longer than {} s (--load-timeout-ms)",
                limit.as_secs_f64()
            ),
            Self::Stopped => "the server is shutting down".to_owned(),
            Self::Ended(status) => format!(
                "it ended the process in which it was tried ({status}) and would end the server; it may take {} of memory for each worker",
                mebibytes(memory)
            ),
        }
    }
}

/// Bytes in MiB, for messages.
fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Runs the command until it ends by itself, its time is up or the server shuts down.
fn attempt(mut command: Command, readers: &Readers) -> Result<Report, Failure> {
    let started = Instant::now();
    let mut child = Reaped(command.spawn().map_err(Failure::Start)?);
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(Failure::Start)? {
            break status;
        }
        if readers.is_stopped() {
            return Err(Failure::Stopped);
        }
        if started.elapsed() >= readers.limit() {
            return Err(Failure::Slow);
        }
        thread::sleep(STEP);
    };
    let mut report = Vec::new();
    let read = child.0.stdout.take().map(|out| out.take(LARGEST_REPORT).read_to_end(&mut report));
    let is_read = read.is_some_and(|read| read.is_ok());
    match serde_json::from_slice(&report) {
        Ok(report) if is_read => Ok(report),
        Ok(_) | Err(_) if status.signal() == Some(libc::SIGXCPU) => Err(Failure::Slow),
        Ok(_) | Err(_) => Err(Failure::Ended(status)),
    }
}

/// A child that is killed and reaped when it is dropped.
pub(crate) struct Reaped(pub(crate) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // If it has ended, both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program that tries versions: this one, even if its file was replaced since it started.
pub fn own_program() -> Option<PathBuf> {
    let on_linux = Path::new("/proc/self/exe");
    if on_linux.exists() { Some(on_linux.to_owned()) } else { std::env::current_exe().ok() }
}
