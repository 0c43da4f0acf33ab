//! `drsn-serve classify`: classifies files and folders without a server, or by a running one.
//!
//! ```text
//! files ─► local  (the server's pipeline, queue and workers in this process) ─► report ─► output
//!      └─► remote (a running server)                                         ─┘
//! ```
//!
//! * `arguments`: the command line.
//! * `files`, `truth`: which files there are, and the class that their folders say.
//! * `model`: where the bundle is.
//! * `content`: a file as the body of a request.
//! * `local`, `remote`: who classifies; `answers`: what they answer.
//! * `samples`: a few files, for a bundle that is being made.
//! * `report`: takes the answers in order; `formats`, `confusion`: their text; `output`: where it
//!   goes; `progress`: the line on the terminal.

mod answers;
mod arguments;
mod client;
mod confusion;
mod content;
mod files;
mod formats;
mod local;
mod model;
mod output;
mod progress;
mod remote;
mod report;
mod samples;
mod truth;

use std::{
    io::{self, Write as _},
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{
    FutureExt as _,
    stream::{self, StreamExt as _},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::interval,
};

use super::in_full;
use crate::{
    config::Config, engine::process::end_without_destructors, inference::options::Options,
    observability::telemetry,
};
use answers::Answered;
pub use arguments::{Classify, Format};
use files::{File, Search};
use local::Local;
use model::Facts;
use output::Output;
use progress::Done;
use remote::{Remote, Server};
use report::Report;
pub(super) use samples::{Sample, samples};

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(200);
/// Files that are classified at once, for each core, and the least and most of them in all. They
/// fill the batches, and bound the memory of answers that wait for an earlier file.
const FILES_PER_CORE: usize = 16;
const LEAST_FILES: usize = 32;
const MOST_FILES: usize = 256;
/// Added to a signal's number, it is the code that shells report for a program that it ended.
const INTERRUPTED: u8 = 128;
/// The reason if the program is at fault.
const FAILED: &str = "classifying it failed unexpectedly; the log, on standard error, says why";
/// The reason if the model is.
const MODEL_FAILED: &str = "the model failed on it; the log, on standard error, says why";
/// Most threads that read and decode beside those that compute, unless there are more cores. Each
/// keeps some of the memory that it has freed.
const LEAST_THREADS: usize = 16;
/// How long the runtime waits at the end for tasks that still run.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(100);

/// Why the command ended before all files were tried.
#[derive(Debug)]
struct Stop {
    /// What to say; nothing if nobody reads the answers any more.
    error: Option<anyhow::Error>,
    code: u8,
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self { error: Some(error), code: 1 }
    }
}

impl Stop {
    /// The command line asks for something that does not exist or does not fit.
    fn usage(error: anyhow::Error) -> Self {
        Self { error: Some(error), code: 2 }
    }

    /// Standard output or the file could not be written. A closed pipe, as with `head`, is not a
    /// failure.
    fn unwritten(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { error: None, code: 0 };
        }
        anyhow::Error::new(error).context("cannot write the answers").into()
    }
}

/// Who classifies.
#[derive(Debug, Clone)]
enum Engine {
    Local(Arc<Local>),
    Remote(Arc<Remote>),
}

impl Engine {
    async fn classify(&self, file: &File) -> Result<Answered, String> {
        match (&file.problem, self) {
            (Some(problem), _) => Err(problem.clone()),
            (None, Self::Local(local)) => {
                local.classify(file).await.map_err(|refused| refused.sentence(MODEL_FAILED))
            }
            (None, Self::Remote(remote)) => remote.classify(file).await,
        }
    }
}

/// Classifies what the arguments name. The exit code is 0 if every file was classified, 1 if some
/// file failed or the model or server cannot be used, 2 if the arguments name something that does
/// not exist or does not fit.
pub(super) fn run(arguments: &Classify, config: &Config) -> ExitCode {
    telemetry::start_quietly(config.logging.log_format);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().max_blocking_threads(cores().max(LEAST_THREADS)).build();
    let code = match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(in_runtime(arguments, config));
            runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
            code
        }
        Err(error) => {
            let error = anyhow::Error::new(error).context("cannot start the async runtime");
            end(&Err(error.into()))
        }
    };
    telemetry::finish();
    ExitCode::from(code)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs until all is classified, or a signal asks to end.
async fn in_runtime(arguments: &Classify, config: &Config) -> u8 {
    let mut local = None;
    let ended = tokio::select! {
        ended = classify(arguments, config, &mut local) => ended,
        stop = interrupted() => Err(stop),
    };
    let code = end(&ended);
    let is_idle = match local {
        // A model may be loading, and nobody wants to wait for that.
        _ if code >= INTERRUPTED => false,
        Some(local) => spawn_blocking(move || local.stop()).await.unwrap_or_default(),
        None => true,
    };
    if !is_idle {
        telemetry::finish();
        end_without_destructors(code);
    }
    code
}

/// Says why the command ended, and returns its exit code.
fn end(ended: &Result<usize, Stop>) -> u8 {
    match ended {
        Ok(failed) => u8::from(*failed > 0),
        Err(Stop { error, code }) => {
            if let Some(error) = error {
                // Nothing can be done if standard error is closed.
                let _ = writeln!(io::stderr(), "error: {}", in_full(error));
            }
            *code
        }
    }
}

/// Ready when the user or the system asks the command to end.
async fn interrupted() -> Stop {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = interrupt.recv() => libc::SIGINT,
        _ = terminate.recv() => libc::SIGTERM,
    };
    let error = anyhow::anyhow!("interrupted before all files were classified");
    Stop { error: Some(error), code: INTERRUPTED + number as u8 }
}

/// Classifies all files; returns how many failed.
async fn classify(
    arguments: &Classify,
    config: &Config,
    opened: &mut Option<Arc<Local>>,
) -> Result<usize, Stop> {
    let mut options = Options::default();
    for (name, value) in arguments.options() {
        let set = options.set(name, value);
        set.map_err(|error| Stop::usage(anyhow::anyhow!(error.detail)))?;
    }
    let output = match &arguments.output {
        Some(path) => Output::file(path).map_err(Stop::usage)?,
        None => Output::stdout(),
    };
    let (engine, facts) = open(arguments, config, options, opened).await?;
    let mut search = Search::new(&facts, arguments.output.as_deref());
    for path in &arguments.paths {
        search.add(path);
    }
    let Search { files, left_out, .. } = search;
    if files.is_empty() {
        let kind = if facts.takes_images { "images" } else { "recordings" };
        let left_out = left_out.sentence().map_or_else(String::new, |said| format!("; {said}"));
        return Err(Stop::usage(anyhow::anyhow!("there are no {kind} in the folders{left_out}")));
    }
    let report = Report::begin(arguments.format, &facts, &files, output);
    let report = report.map_err(Stop::unwritten)?;
    let report = answer_all(engine, files, report).await?;
    report.finish(&left_out).map_err(Stop::unwritten)
}

/// Opens the model, here or at a server.
async fn open(
    arguments: &Classify,
    config: &Config,
    options: Options,
    opened: &mut Option<Arc<Local>>,
) -> Result<(Engine, Facts), Stop> {
    let with_predictions = arguments.format == Format::Jsonl;
    let model = arguments.model.as_deref();
    if let Some(url) = &arguments.server {
        let (authorities, key) = (arguments.ca_cert.as_deref(), arguments.api_key.as_deref());
        let server = Server { url, authorities, key };
        let remote = Remote::open(server, model, &arguments.options(), with_predictions).await;
        let (remote, facts) = remote?;
        return Ok((Engine::Remote(Arc::new(remote)), facts));
    }
    let path = model.context("--model is missing").map_err(Stop::usage)?;
    let folder = model::bundle(path).map_err(Stop::usage)?;
    let mut config = config.clone();
    config.models.device = arguments.device;
    config.models.onnxruntime.clone_from(&arguments.onnxruntime);
    config.limits.max_recording_bytes = arguments.max_recording_bytes;
    config.limits.max_windows = arguments.max_windows;
    config.limits.max_inflight_bytes = arguments.max_inflight_bytes;
    let opening = move || Local::open(&config, folder, options, with_predictions);
    let local =
        spawn_blocking(opening).await.context("opening the model failed unexpectedly")??;
    let local = Arc::clone(opened.insert(Arc::new(local)));
    let facts = local.facts().map_err(|error| Stop::usage(anyhow::anyhow!(error.detail)))?;
    Ok((Engine::Local(local), facts))
}

/// Classifies the files, some at once, and reports on them in their order.
async fn answer_all(engine: Engine, files: Vec<File>, mut report: Report) -> Result<Report, Stop> {
    let done = Arc::new(Done::default());
    let begin = |file: File| {
        let (engine, done) = (engine.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            // A panic is logged, and fails this file only, as it fails one request of the server.
            let answer = AssertUnwindSafe(engine.classify(&file)).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| Err(FAILED.to_owned()));
            done.add(file.bytes);
            (file, answer)
        })
    };
    let at_once = (FILES_PER_CORE * cores()).clamp(LEAST_FILES, MOST_FILES);
    let mut answers = stream::iter(files).map(begin).buffered(at_once);
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            answered = answers.next() => {
                let Some(answered) = answered else { return Ok(report) };
                let (file, answer) = answered.context(FAILED)?;
                report.add(&file, &answer).map_err(Stop::unwritten)?;
            }
            _ = ticks.tick() => report.tick(&done).map_err(Stop::unwritten)?,
        }
    }
}
