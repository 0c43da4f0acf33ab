//! The command line of `drsn-train`.

mod arguments;
mod terminal;

use std::{
    io::Write as _,
    path::Path,
    process::{self, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use clap::Parser as _;
use drsn_train::{
    TrainError,
    compare::{Plan, compare},
    evaluate::{evaluate, retake_baseline},
    export_checkpoint, fetch,
    fetch::Fetched,
    recipe::{PRESETS, preset},
    report::{self, Comparison, Report},
    train,
    training::Checkpoint,
};

use arguments::{
    Arguments, BaselineArguments, Command, Compare, DataSet, Evaluate, Export, Fetch, Presets,
    Train, decibels,
};
use terminal::Terminal;

/// Each step frees tensors of megabytes and asks for the same ones again: an allocator that keeps them is up to twice
/// as fast as one that returns them to the system (docs/results.md has the measurement).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Command::Evaluate(arguments) => run_evaluate(&arguments),
        Command::Export(arguments) => run_export(&arguments),
        Command::Baseline(arguments) => run_baseline(&arguments),
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
    let (job, report) = arguments.job()?;
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = train(&recipe, &job, &mut Terminal::new(), &STOP)?;
    say(&format!("wrote {}", bundle.display()))?;
    let runtime = job.destination.library();
    // Stopped from here on, the program has done what it was asked for, but for the report.
    let evaluations = evaluate(&[bundle], &job.inputs, &[], None, runtime, &STOP)?;
    if let Some([evaluation]) = evaluations.as_deref() {
        let page =
            report::write(&report, Report::Evaluation(evaluation)).map_err(TrainError::from)?;
        say(evaluation.text().trim_end())?;
        say(&format!("wrote {}", page.display()))?;
    }
    Ok(())
}

fn run_evaluate(arguments: &Evaluate) -> anyhow::Result<()> {
    let Evaluate { bundles, noise, limit, json, report, runtime, .. } = arguments;
    let inputs = arguments.inputs.inputs();
    let runtime = runtime.onnxruntime.as_deref();
    // Nothing sets the flag here: Ctrl-C ends an evaluation at once, for there is nothing to save.
    let reports = evaluate(bundles, &inputs, noise, *limit, runtime, &STOP)?;
    let mut reports = reports.unwrap_or_default();
    if reports.len() == 1 {
        let evaluation = reports.remove(0);
        let text = if *json { serde_json::to_string(&evaluation)? } else { evaluation.text() };
        return show(&text, report.as_deref(), Report::Evaluation(&evaluation));
    }
    let comparison = Comparison::new(reports).map_err(TrainError::from)?;
    let text = if *json { serde_json::to_string(&comparison)? } else { comparison.text() };
    show(&text, report.as_deref(), Report::Comparison(&comparison))
}

/// Says a result, and writes it as a report where one is wanted.
fn show(text: &str, folder: Option<&Path>, report: Report<'_>) -> anyhow::Result<()> {
    say(text.trim_end())?;
    let Some(folder) = folder else { return Ok(()) };
    let page = report::write(folder, report).map_err(TrainError::from)?;
    // Beside the result, not in it: standard output may be read by a program.
    let _ = writeln!(std::io::stderr(), "wrote {}", page.display());
    Ok(())
}

fn run_baseline(arguments: &BaselineArguments) -> anyhow::Result<()> {
    let BaselineArguments { bundle, runtime, .. } = arguments;
    let inputs = arguments.inputs.inputs();
    retake_baseline(bundle, &inputs, runtime.onnxruntime.as_deref(), &STOP)?;
    say(&format!("wrote the baseline into {}", bundle.join("manifest.json").display()))
}

fn run_export(arguments: &Export) -> anyhow::Result<()> {
    let checkpoint = &arguments.checkpoint;
    // Whoever mistyped its path is told that first, and not to name the model.
    Checkpoint::load(checkpoint).map_err(TrainError::from)?;
    let destination = arguments.destination.destination(arguments.name.as_deref())?;
    let inputs = arguments.inputs.inputs();
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
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
    let plan = Plan {
        units: units.collect::<Result<_, _>>()?,
        recipe,
        seeds: arguments.seeds.get(),
        inputs: arguments.inputs.inputs(),
        out: arguments.out.clone(),
        onnxruntime: arguments.runtime.onnxruntime.clone(),
    };
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let study = compare(&plan, &mut Terminal::new(), &STOP)?;
    show(&study.text(), Some(&plan.out.join("report")), Report::Study(&study))
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
