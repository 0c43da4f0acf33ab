//! `drsn-serve import`: makes a bundle of a network that another program trained.
//!
//! The model is read and run in a process of its own with limits on memory and time; this process
//! only writes the bundle that comes out.

mod arguments;
mod child;
mod expected;
mod statistics;

use std::{
    env, fs,
    io::Read as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use drsn_bundle::{
    Golden, Manifest,
    bundle::{GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE},
    runtime::Runtime,
    staging,
};

use self::arguments::Target;
use crate::repository::{Reaped, own_program};
pub use arguments::Import;
pub use child::ImportConfined;
pub(super) use child::run as run_confined;

/// The report in the folder with the result.
const JSON_REPORT: &str = "report.json";
const TEXT_REPORT: &str = "report.txt";
/// How often the process is looked at.
const STEP: Duration = Duration::from_millis(5);
/// How many times its CPU time the process may take where cores are scarce.
const SCARCE: u32 = 10;
/// Longest reason that is read, in bytes.
const LONGEST_REASON: u64 = 1 << 14;

/// Imports a model, and returns what was found.
pub(super) fn run(import: &Import) -> anyhow::Result<String> {
    let target = import.target()?;
    if import.out.exists() {
        bail!("{} already exists: choose another version", import.out.display());
    }
    import.options()?;
    let check = import.check_statistics.as_deref();
    let trainer = check.map(|data| statistics::trainer(&import.out, data)).transpose()?;
    let runtime = Runtime::start(import.onnxruntime.as_deref())?;
    let result = tempfile::tempdir().context("cannot create a folder for the result")?;
    confined(import, runtime.library(), result.path())?;
    let written = write(&target, result.path())?;
    let report = result.path().join(JSON_REPORT);
    if let Some(path) = &import.json {
        let report = fs::read(report).context("cannot read the report")?;
        staging::write_file(path, &report)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let text =
        fs::read_to_string(result.path().join(TEXT_REPORT)).context("cannot read the report")?;
    let checked = match (check, trainer) {
        (Some(data), Some(trainer)) => {
            let library = Some(runtime.library());
            format!("\n\n{}\n", statistics::check(&trainer, &written, data, library)?)
        }
        _ => String::new(),
    };
    let folder = written.display();
    Ok(format!(
        "{}/{} is in {folder}\n{text}{checked}\nTry it: drsn-serve classify FILE --model {folder}",
        target.name, target.version
    ))
}

/// Writes the bundle whose parts are in a folder.
fn write(target: &Target, result: &Path) -> anyhow::Result<std::path::PathBuf> {
    let part = |name: &str| {
        fs::read(result.join(name)).with_context(|| format!("the import left no {name}"))
    };
    let manifest = Manifest::from_json(&part(MANIFEST_FILE)?)?;
    let golden = Golden::from_json(&part(GOLDEN_FILE)?, &manifest)?;
    let model = part(MODEL_FILE)?;
    Ok(drsn_bundle::write(&target.repository, manifest, &model, &golden, false)?)
}

/// Reads and runs the model in a process of its own.
fn confined(import: &Import, library: &Path, result: &Path) -> anyhow::Result<()> {
    let program = own_program().context("this program does not find its own file")?;
    let mut child = Reaped(
        command(&program, library, result)
            .spawn()
            .context("the model cannot be tried in a process of its own")?,
    );
    let limit = Duration::from_secs(import.time_limit_s) * SCARCE;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break Some(status);
        }
        if started.elapsed() >= limit {
            break None;
        }
        thread::sleep(STEP);
    };
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) if status.code().is_some() => bail!("{}", reason(&mut child.0)),
        _ => bail!("{}", killed(import, status)),
    }
}

/// The command of the process: this one's arguments, with another subcommand.
fn command(program: &Path, library: &Path, result: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("import-confined")
        .arg("--result")
        .arg(result)
        .arg("--library")
        .arg(library)
        .args(env::args_os().skip_while(|argument| argument != "import").skip(1))
        .env_clear()
        // The allocator reserves memory ahead, which must not count as used.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .env("ORT_DISABLE_TELEMETRY", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(folders) = env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", folders);
    }
    command
}

/// The sentence that the process wrote.
fn reason(child: &mut Child) -> String {
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What was read until then is the reason.
        let _ = stderr.take(LONGEST_REASON).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    text.trim().trim_start_matches("error: ").to_owned()
}

fn killed(import: &Import, status: Option<ExitStatus>) -> String {
    match status {
        Some(status) if status.signal() != Some(libc::SIGXCPU) => format!(
            "the model ended the process in which it was tried ({status}): it is damaged or hostile, or \
             needs more than {} MiB of memory, and --memory-mib allows more if you trust it",
            import.memory_mib
        ),
        _ => format!(
            "reading and running the model took longer than {} s: --time-limit-s allows more if you \
             trust it",
            import.time_limit_s
        ),
    }
}
