//! The command line of `drsn-train`.

mod cli;

use std::{
    io::Write as _,
    num::NonZeroUsize,
    path::Path,
    process::{self, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use clap::Parser as _;
use drsn_train::{
    StudyPlan, TrainError, compare, evaluate, export_checkpoint, fetch,
    fetch::Fetched,
    finished_bundle,
    recipe::{PRESETS, preset},
    report::{self, Comparison, Report, write_predictions},
    retake_baseline, summarize, train,
    training::Checkpoint,
};

use cli::{
    arguments::{
        Arguments, BaselineArguments, Command, Compare, DataSet, Evaluate, Export, Fetch, Presets,
        Train, noises_by_snr,
    },
    terminal::Terminal,
};

/// Each step frees and allocates the same tensors of megabytes: an allocator that keeps them is up
/// to twice as fast as one that returns them to the system (see docs/decisions/0016-allocator.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The file with the answers to each input, beside a report.
const PREDICTIONS: &str = "predictions.csv";

/// Exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Set by Ctrl-C, and read at the end of each batch.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = error.downcast_ref::<TrainError>();
            // The message of a `TrainError` includes its cause, which the chain would repeat.
            let message = failure.map_or_else(|| format!("{error:#}"), ToString::to_string);
            // If standard error is closed, nobody can be told.
            let _ = writeln!(std::io::stderr(), "drsn-train: {message}");
            if failure.is_some_and(TrainError::is_interruption) {
                ExitCode::from(INTERRUPTED)
            } else {
                ExitCode::FAILURE
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
        Fetched::Downloaded => print(&format!("downloaded {name} to {}", folder.display())),
        Fetched::AlreadyPresent => {
            print(&format!("{} already contains {name} with the right checksums", folder.display()))
        }
    }
}

fn run_presets(arguments: &Presets) -> anyhow::Result<()> {
    let Some(name) = &arguments.name else {
        for preset in PRESETS {
            // The first comment of a preset describes it.
            let about = preset.text.lines().next().unwrap_or_default().trim_start_matches("# ");
            print(&format!("{:<14}{about}", preset.name))?;
        }
        return Ok(());
    };
    preset(name)?;
    let preset = PRESETS.iter().find(|preset| preset.name == name);
    print(preset.map_or("", |preset| preset.text.trim_end()))
}

fn run_train(arguments: Train) -> anyhow::Result<()> {
    let recipe = arguments.recipe()?;
    if arguments.dry_run {
        let summary = summarize(&recipe, &arguments.data.options(), &mut Terminal::new())?;
        return print(&summary.lines().join("\n"));
    }
    let (job, report) = arguments.job()?;
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = if let Some(bundle) = finished_bundle(&recipe, &job)? {
        print(&format!("nothing to resume: the training is complete, as {}", bundle.display()))?;
        bundle
    } else {
        let bundle = train(&recipe, &job, &mut Terminal::new(), &STOP)?;
        print(&format!("wrote {}", bundle.display()))?;
        bundle
    };
    let runtime = job.destination.library();
    // If this is stopped, only the report is missing, so the program still succeeds.
    let evaluations = evaluate(&[bundle], &job.data, &[], None, runtime, &STOP)?;
    if let Some(evaluations @ [evaluated]) = evaluations.as_deref() {
        let evaluation = &evaluated.report;
        // The page is written last, so that it is never without its table.
        write_predictions(&report.join(PREDICTIONS), evaluations).map_err(TrainError::from)?;
        let page =
            report::write(&report, Report::Evaluation(evaluation)).map_err(TrainError::from)?;
        print(evaluation.text().trim_end())?;
        print(&format!("wrote {}", page.display()))?;
    }
    Ok(())
}

fn run_evaluate(arguments: &Evaluate) -> anyhow::Result<()> {
    let Evaluate { bundles, noise, limit, json, report, runtime, .. } = arguments;
    let data = arguments.data.options();
    let runtime = runtime.onnxruntime.as_deref();
    // Nothing sets the flag here: Ctrl-C ends an evaluation at once, because there is nothing to
    // save.
    let evaluated = evaluate(bundles, &data, noise, *limit, runtime, &STOP)?.unwrap_or_default();
    let beside = report.as_ref().map(|folder| folder.join(PREDICTIONS));
    let mut reports: Vec<_> = evaluated.iter().map(|evaluated| evaluated.report.clone()).collect();
    // The page is written last, so that it is never without its table.
    for path in beside.iter().chain(&arguments.predictions) {
        write_predictions(path, &evaluated).map_err(TrainError::from)?;
    }
    if reports.len() == 1 {
        let evaluation = reports.remove(0);
        let text = if *json { serde_json::to_string(&evaluation)? } else { evaluation.text() };
        return show(&text, report.as_deref(), Report::Evaluation(&evaluation));
    }
    let comparison = Comparison::new(reports).map_err(TrainError::from)?;
    let text = if *json { serde_json::to_string(&comparison)? } else { comparison.text() };
    show(&text, report.as_deref(), Report::Comparison(&comparison))
}

/// Prints a result, and writes a report if there is a folder for it.
fn show(text: &str, folder: Option<&Path>, report: Report<'_>) -> anyhow::Result<()> {
    print(text.trim_end())?;
    let Some(folder) = folder else { return Ok(()) };
    let page = report::write(folder, report).map_err(TrainError::from)?;
    // On standard error, because standard output may be read by a program.
    let _ = writeln!(std::io::stderr(), "wrote {}", page.display());
    Ok(())
}

fn run_baseline(arguments: &BaselineArguments) -> anyhow::Result<()> {
    let BaselineArguments { bundle, runtime, temperature, .. } = arguments;
    let data = arguments.data.options();
    retake_baseline(bundle, &data, *temperature, runtime.onnxruntime.as_deref(), &STOP)?;
    print(&format!("wrote the baseline to {}", bundle.join("manifest.json").display()))
}

fn run_export(arguments: &Export) -> anyhow::Result<()> {
    let checkpoint = &arguments.checkpoint;
    // A wrong path is reported before a missing name.
    Checkpoint::load(checkpoint).map_err(TrainError::from)?;
    let destination = arguments.destination.destination(arguments.name.as_deref())?;
    let data = arguments.data.options();
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let bundle = export_checkpoint(checkpoint, &data, &destination, &mut Terminal::new(), &STOP)?;
    print(&format!("wrote {}", bundle.display()))
}

fn run_compare(arguments: &Compare) -> anyhow::Result<()> {
    let mut recipe = arguments.recipe.recipe()?;
    if let Some(range) = &arguments.snr {
        recipe.evaluate = noises_by_snr(range)?;
    }
    let only_units = arguments.vary.is_empty() && arguments.folds.is_none();
    let all = ["cw", "cs", "se", "resnet"].map(str::to_owned);
    let units = match &arguments.units[..] {
        [] if only_units => &all[..],
        units => units,
    };
    let units = units.iter().map(|unit| {
        recipe.set(&[format!("network.unit={unit}")]).map(|recipe| recipe.network.unit)
    });
    let mut units: Vec<_> = units.collect::<Result<_, _>>()?;
    if units.is_empty() {
        units.push(recipe.network.unit);
    }
    let plan = StudyPlan {
        units,
        variations: arguments.vary.clone(),
        folds: arguments.folds,
        recipe,
        seeds: arguments.seeds.map_or(if only_units { 5 } else { 1 }, NonZeroUsize::get),
        data: arguments.data.options(),
        out: arguments.out.clone(),
        export_anyway: arguments.export_anyway,
        onnxruntime: arguments.runtime.onnxruntime.clone(),
    };
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let study = compare(&plan, &mut Terminal::new(), &STOP)?;
    show(&study.text(), Some(&plan.out.join("report")), Report::Study(&study))
}

/// Handles Ctrl-C: the first one stops the training at the end of its batch, the second one ends
/// the program.
fn stop() {
    if STOP.swap(true, Ordering::Relaxed) {
        process::exit(INTERRUPTED.into());
    }
    let note = "drsn-train: stopping after the current batch; press Ctrl-C again to stop at once";
    let _ = writeln!(std::io::stderr(), "{note}");
}

/// Writes a line to standard output.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
