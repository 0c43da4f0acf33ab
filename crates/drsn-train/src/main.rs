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
use drsn_train::{
    TrainError,
    compare::{Study, compare, table},
    export_checkpoint, fetch,
    fetch::Fetched,
    recipe::{PRESETS, preset},
    train,
};

use arguments::{Arguments, Command, Compare, DataSet, Export, Fetch, Presets, Train, decibels};
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
        Command::Presets(arguments) => run_presets(&arguments),
        Command::Train(arguments) => run_train(*arguments),
        Command::Export(arguments) => run_export(&arguments),
        Command::Compare(arguments) => run_compare(&arguments),
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

fn run_presets(arguments: &Presets) -> anyhow::Result<()> {
    let Some(name) = &arguments.name else {
        for preset in PRESETS {
            // The first comment of a preset says what it is.
            let about = preset.text.lines().next().unwrap_or_default().trim_start_matches("# ");
            say(&format!("{:<14}{about}", preset.name))?;
        }
        return Ok(());
    };
    preset(name)?;
    let preset = PRESETS.iter().find(|preset| preset.name == name);
    say(preset.map_or("", |preset| preset.text.trim_end()))
}

fn run_train(arguments: Train) -> anyhow::Result<()> {
    let recipe = arguments.recipe.recipe()?;
    let job = arguments.job()?;
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = train(&recipe, &job, &mut Terminal::new(), &STOP)?;
    say(&format!("wrote {}", bundle.display()))
}

fn run_export(arguments: &Export) -> anyhow::Result<()> {
    let destination = arguments.destination.destination(None)?;
    let inputs = arguments.inputs.inputs();
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let checkpoint = &arguments.checkpoint;
    let bundle = export_checkpoint(checkpoint, &inputs, &destination, &mut Terminal::new(), &STOP)?;
    say(&format!("wrote {}", bundle.display()))
}

fn run_compare(arguments: &Compare) -> anyhow::Result<()> {
    let mut recipe = arguments.recipe.recipe()?;
    if let Some(range) = &arguments.snr {
        recipe.evaluate = decibels(range)?;
    }
    let units = arguments.units.iter().map(|unit| {
        recipe.set(&[format!("network.unit={unit}")]).map(|recipe| recipe.network.unit)
    });
    let study = Study {
        units: units.collect::<Result<_, _>>()?,
        recipe,
        seeds: arguments.seeds.get(),
        inputs: arguments.inputs.inputs(),
        out: arguments.out.clone(),
        onnxruntime: arguments.runtime.onnxruntime.clone(),
    };
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let cells = compare(&study, &mut Terminal::new(), &STOP)?;
    say(table(&cells).trim_end())
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
