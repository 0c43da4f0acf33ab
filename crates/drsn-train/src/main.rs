//! The command line of `drsn-train`.

mod arguments;
mod terminal;

use std::{
    io::Write as _,
    process::{self, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use clap::Parser as _;
use drsn_train::{TrainError, evaluate::evaluate, export_checkpoint, fetch, fetch::Fetched, train};

use arguments::{Arguments, Command, DataSet, Evaluate, Export, Fetch, Train};
use terminal::Terminal;

/// Exit code of a program that was stopped by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Set by Ctrl-C, read by the training at the end of each batch.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = error.downcast_ref::<TrainError>();
            // A `TrainError` says its cause itself, so the chain would repeat it.
            let sentence = failure.map_or_else(|| format!("{error:#}"), ToString::to_string);
            // Where standard error is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "drsn-train: {sentence}");
            match failure {
                Some(TrainError::Interrupted { .. } | TrainError::ExportStopped { .. }) => {
                    ExitCode::from(INTERRUPTED)
                }
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Fetch(arguments) => run_fetch(&arguments),
        Command::Train(arguments) => run_train(arguments),
        Command::Evaluate(arguments) => run_evaluate(&arguments),
        Command::Export(arguments) => run_export(arguments),
    }
}

fn run_fetch(arguments: &Fetch) -> anyhow::Result<()> {
    let folder = &arguments.to;
    let (name, fetched) = match arguments.data_set {
        DataSet::Mnist => ("MNIST", fetch::mnist(folder)),
        DataSet::FashionMnist => ("Fashion-MNIST", fetch::fashion_mnist(folder)),
        DataSet::Cifar10 => ("CIFAR-10", fetch::cifar10(folder)),
    };
    match fetched.map_err(TrainError::from)? {
        Fetched::Now => say(&format!("{} holds {name} now", folder.display())),
        Fetched::Before => say(&format!(
            "{} holds {name} already, and its checksums are right: nothing to do",
            folder.display()
        )),
    }
}

fn run_train(arguments: Train) -> anyhow::Result<()> {
    let config = arguments.recipe.config()?;
    let job = arguments.job()?;
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = train(&config, &job, &mut Terminal::new(), &STOP)?;
    say(&format!("wrote {}", bundle.display()))
}

fn run_evaluate(arguments: &Evaluate) -> anyhow::Result<()> {
    let evaluation = evaluate(
        &arguments.bundle,
        &arguments.data,
        arguments.noise,
        arguments.limit,
        arguments.onnxruntime.as_deref(),
    )?;
    if arguments.json {
        return say(&serde_json::to_string(&evaluation)?);
    }
    let noise = evaluation.noise.as_deref().unwrap_or("no noise");
    say(&format!(
        "{}: {:.2} % of {} inputs right ({noise})",
        evaluation.data,
        100.0 * evaluation.accuracy,
        evaluation.inputs
    ))
}

fn run_export(arguments: Export) -> anyhow::Result<()> {
    let destination = arguments.destination.destination()?;
    let Export { checkpoint, data, .. } = arguments;
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = export_checkpoint(&checkpoint, &data, &destination, &mut Terminal::new(), &STOP)?;
    say(&format!("wrote {}", bundle.display()))
}

/// The first Ctrl-C asks the training to stop at the end of its batch, the second ends the program.
fn stop() {
    if STOP.swap(true, Ordering::Relaxed) {
        process::exit(INTERRUPTED.into());
    }
    let note = "drsn-train: stopping at the end of this batch; press Ctrl-C again to stop at once";
    let _ = writeln!(std::io::stderr(), "{note}");
}

/// Writes a line of results to standard output.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
