//! The trial: every kind against a server with its default limits, without keys in clear text, and
//! with keys over TLS.
//!
//! `DRSN_HOSTILE_VARIANTS=30 cargo test --release -p drsn-serve --test serve -- hostility
//! --nocapture` runs thirty variants of each kind, holds times to the goals, and prints a table;
//! `DRSN_HOSTILE_KIND=pictures` chooses kinds by a part of their names, and
//! `DRSN_HOSTILE_CGROUP=/sys/fs/cgroup/memory/NAME` is a control group for the server. The threads of
//! the attackers leave the processor to the server where both want it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

use super::{
    KINDS, Kind, Target, attack, connector,
    honest::{self, Waits, p99},
};
use crate::{
    harness::{self, Process, has_runtime},
    memory::resident,
    tls,
};

/// The most memory that the server may ever hold, in MiB.
const MOST_MB: u64 = 600;
/// How long clients may wait: goals, and what is tolerated where other programs run beside.
const PROBE: Duration = Duration::from_millis(100);
const TIMES_QUIET: u32 = 10;
const PROBE_BESIDE_OTHERS: Duration = Duration::from_secs(3);
const ANSWER_BESIDE_OTHERS: Duration = Duration::from_secs(6);
const KEY: &str = "alpha";

/// How much is tried, and how strictly.
struct Extent {
    variants: u64,
    span: Duration,
    quiet: Duration,
    is_strict: bool,
}

impl Extent {
    fn of_environment() -> Self {
        let variants = std::env::var("DRSN_HOSTILE_VARIANTS").ok().and_then(|n| n.parse().ok());
        match variants {
            Some(variants) => Self {
                variants,
                span: Duration::from_millis(600),
                quiet: Duration::from_secs(10),
                is_strict: !cfg!(debug_assertions),
            },
            None => Self {
                variants: 1,
                span: Duration::from_millis(400),
                quiet: Duration::from_millis(500),
                is_strict: false,
            },
        }
    }
}

struct Setup {
    _folder: tempfile::TempDir,
    process: Process,
    target: Target,
    attackers: Runtime,
    honest: Runtime,
}

impl Setup {
    /// Starts a server, with keys and TLS if it `is_closed`.
    fn start(is_closed: bool, span: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let pair = tls::certificate(folder.path());
        fs::write(folder.path().join("keys"), KEY).unwrap();
        let (keys, cert, key) = (path("keys"), path("cert.pem"), path("key.pem"));
        let mut flags = vec!["--default-model", "mnist"];
        if is_closed {
            flags.extend(["--api-keys", &keys, "--tls-cert", &cert, "--tls-key", &key]);
        }
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let process = Process::spawn(in_group(harness::command(&models, &flags)));
        let target = Target {
            http: process.address,
            grpc: process.grpc,
            tls: is_closed.then(|| connector(&pair.cert)),
            key: is_closed.then(|| KEY.to_owned()),
            span,
        };
        let attackers = Builder::new_multi_thread()
            .worker_threads(2)
            .on_thread_start(yield_to_others)
            .enable_all()
            .build()
            .unwrap();
        let honest = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { _folder: folder, process, target, attackers, honest }
    }

    /// What honest clients meet while `act` runs.
    fn beside(&self, act: impl FnOnce()) -> Waits {
        let stop = Arc::new(AtomicBool::new(false));
        let asking = self.honest.spawn(honest::ask(self.target.clone(), Arc::clone(&stop)));
        act();
        stop.store(true, Ordering::Relaxed);
        self.honest.block_on(asking).unwrap()
    }

    fn attack(&self, kind: Kind, seed: u64) {
        let mut target = self.target.clone();
        if seed % 3 == 1 {
            target.key = None;
        }
        let attacking = async move { attack(&kind, seed, &target).await };
        self.attackers.block_on(self.attackers.spawn(attacking)).unwrap();
    }

    /// Every variant of a kind, and then rest.
    fn measure(&self, kind: Kind, seeds: impl Iterator<Item = u64>) -> (u64, Waits) {
        let pid = self.process.child.id();
        // Begins a new peak of the resident memory.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        let mut waits = Waits::default();
        for seed in seeds {
            let begun = Instant::now();
            let of_seed = self.beside(|| self.attack(kind, seed));
            if std::env::var_os("DRSN_HOSTILE_SEEDS").is_some() {
                let (peak, answer) = (resident(pid, "VmHWM:"), p99(&of_seed.answers));
                eprintln!("  {} {seed}: {peak} MiB, {answer:?}, {:?}", kind.name, begun.elapsed());
            }
            waits.extend(of_seed);
        }
        (resident(pid, "VmHWM:"), waits)
    }
}

/// The command, run in the control group of `DRSN_HOSTILE_CGROUP`, if it is set: a folder with
/// `cgroup.procs`. Only the server is in it, from its start, and not the attackers.
fn in_group(command: Command) -> Command {
    let Some(group) = std::env::var_os("DRSN_HOSTILE_CGROUP") else { return command };
    let mut within = Command::new("sh");
    within.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(group);
    within.arg(command.get_program()).args(command.get_args()).stderr(Stdio::piped());
    within
}

/// Lets this thread run only when no other wants the processor. (A low priority does not: a thread that
/// wakes waits for the end of another's slice, of 3 to 4 ms, whatever the priorities.)
fn yield_to_others() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    let mut change = Command::new("chrt");
    change.args(["--idle", "--pid", "0"]).arg(thread.file_name().unwrap_or_default());
    // Without the program, attackers compete with the server.
    let _ = change.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// Tries all kinds on one server, and returns what it did not keep to.
fn trial(is_closed: bool, extent: &Extent) -> Vec<String> {
    let mut setup = Setup::start(is_closed, extent.span);
    let quiet = setup.beside(|| std::thread::sleep(extent.quiet));
    let name = if is_closed { "with keys, over TLS" } else { "without keys, in clear text" };
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (quiet_probe, quiet_answer) = (p99(&quiet.probes), p99(&quiet.answers));
    eprintln!(
        "{name}; quiet: /healthz p99 {:.1} ms, mnist p99 {:.1} ms, {} MiB",
        millis(quiet_probe),
        millis(quiet_answer),
        resident(setup.process.child.id(), "VmRSS:"),
    );
    eprintln!("| kind | peak MiB | /healthz p99 ms | mnist p99 ms | times quiet | failed |");
    let most_answer =
        if extent.is_strict { quiet_answer * TIMES_QUIET } else { ANSWER_BESIDE_OTHERS };
    let most_probe = if extent.is_strict { PROBE } else { PROBE_BESIDE_OTHERS };
    let chosen = std::env::var("DRSN_HOSTILE_KIND").unwrap_or_default();
    let mut faults = Vec::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        if !kind.name.contains(&chosen) {
            continue;
        }
        let first = 1000 * number as u64 + u64::from(is_closed);
        let (peak, waits) = setup.measure(kind, first..first + extent.variants);
        let (probe, answer) = (p99(&waits.probes), p99(&waits.answers));
        eprintln!(
            "| {} | {peak} | {:.1} | {:.1} | {:.1} | {} of {} |",
            kind.name,
            millis(probe),
            millis(answer),
            answer.as_secs_f64() / quiet_answer.as_secs_f64(),
            waits.failures.len(),
            waits.probes.len() + waits.answers.len(),
        );
        let mut fault = |is_one: bool, what: String| {
            faults.extend(is_one.then(|| format!("{name}, {}: {what}", kind.name)));
        };
        let ended = setup.process.child.try_wait().unwrap();
        fault(ended.is_some(), format!("the process ended: {ended:?}"));
        fault(peak > MOST_MB, format!("{peak} MiB"));
        fault(probe > most_probe, format!("a probe took {probe:?}"));
        fault(answer > most_answer, format!("an answer took {answer:?}"));
        // Beside other programs, a server may be too busy to give back memory in time.
        let is_tolerated = |failure: &&String| !extent.is_strict && failure.contains("bytes_full");
        let failure = waits.failures.iter().find(|failure| !is_tolerated(failure));
        fault(failure.is_some(), format!("{failure:?}"));
    }
    faults
}

#[test]
fn hostile_clients_end_no_process_take_no_memory_and_hold_up_nobody() {
    if !has_runtime() {
        return;
    }
    let extent = Extent::of_environment();
    let faults = [trial(false, &extent), trial(true, &extent)].concat();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
