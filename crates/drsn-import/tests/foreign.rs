//! The importer on models that other tools exported, against what their frameworks answered.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/foreign.rs"]
mod foreign;
#[path = "../../../tests/support/skip.rs"]
mod skip;

use drsn_bundle::{
    Bundle, Name, onnx,
    runtime::{Provider, Runtime, Session},
};
use drsn_import::{ImportError, Imported, Options, import};
use foreign::{Foreign, excess};

fn options(model: &Foreign) -> Options {
    let mut options =
        Options::new(Name::new("foreign").unwrap(), Name::new("1").unwrap(), model.labels());
    // One model takes signals of any length.
    if model.name().ends_with("_length") {
        options.signal.window = Some(128);
    }
    options
}

fn imported(runtime: &Runtime, model: &Foreign) -> Result<Imported, ImportError> {
    import(runtime, &model.model(), &options(model))
}

/// The models and the runtime, or why there is none.
fn available() -> Result<(Vec<Foreign>, Runtime), String> {
    let mut models = foreign::committed();
    models.extend(foreign::all().unwrap_or_default());
    Ok((models, Runtime::start(None).map_err(|error| error.to_string())?))
}

/// What the bundle answers, compared with the framework.
fn compare(runtime: &Runtime, model: &Foreign, imported: Imported) -> Result<(), String> {
    let repository = tempfile::tempdir().unwrap();
    let Imported { manifest, model: bytes, golden, .. } = imported;
    let folder = drsn_bundle::write(repository.path(), manifest, &bytes, &golden, false)
        .map_err(|error| error.to_string())?;
    let bundle = Bundle::open(&folder).map_err(|error| error.to_string())?;
    let shape = bundle.manifest.input.shape();
    let mut session = Session::open(runtime, &bundle.model, &shape, Provider::Cpu).unwrap();
    let outputs = session.run(model.inputs(&shape).view()).map_err(|error| error.to_string())?;
    // In ONNX Runtime, the model as it was exported is off by up to 0.92 % of τ, too.
    let (tolerance, of_tau) = if model.is_rough() { (4e-3, 1e-2) } else { (1e-4, 1e-4) };
    let found = |name: &str| outputs.get(name).unwrap().to_owned();
    let over = |what: &str, excess: f32| {
        if excess <= 0.0 { Ok(()) } else { Err(format!("{what} is off by {excess:e} too much")) }
    };
    let expected = model.expected();
    let answers = excess(&found(onnx::PROBABILITIES), &expected["probabilities"], |_, _| tolerance);
    over("a probability", answers)?;
    if bundle.manifest.blocks.len() != model.blocks {
        return Err(format!("{} blocks instead of {}", bundle.manifest.blocks.len(), model.blocks));
    }
    for (at, block) in bundle.manifest.blocks.iter().enumerate() {
        let (tau, mean_abs) = model.block(at);
        let found_tau = found(&block.threshold_output);
        if found_tau.shape() != tau.shape() {
            return Err(format!("{}: {:?} for {:?}", block.name, found_tau.shape(), tau.shape()));
        }
        let scale: Vec<f32> = mean_abs.iter().copied().collect();
        let of_tau = excess(&found_tau, &tau, |at, tau| of_tau * tau.abs() + 1e-6 * scale[at]);
        over(&format!("τ of {}", block.name), of_tau)?;
        let of_mean =
            excess(&found(&block.mean_abs_output), &mean_abs, |_, b| tolerance * b.abs() + 1e-6);
        over(&format!("A of {}", block.name), of_mean)?;
    }
    Ok(())
}

#[test]
fn each_model_becomes_a_bundle_that_answers_as_its_framework_or_is_refused() {
    let (models, runtime) = match available() {
        Ok(available) => available,
        Err(reason) => return skip::skip(&reason),
    };
    let mut faults = Vec::new();
    for model in &models {
        let result = imported(&runtime, model);
        let action = model.action.as_str();
        let outcome = match result {
            Ok(imported) => {
                let warnings = imported.report.warnings.len();
                let warned = action != "accept-warn" || warnings > 0;
                let expected = if action.contains("accept") {
                    compare(&runtime, model, imported)
                } else {
                    Err("it must be refused".to_owned())
                };
                if warned { expected } else { expected.and(Err("it lacks a warning".to_owned())) }
            }
            Err(error) => {
                let may = action.contains("refuse") || action == "decide";
                if may { Ok(()) } else { Err(format!("refused: {error}")) }
            }
        };
        if let Err(fault) = outcome {
            faults.push(format!("{} ({action}): {fault}", model.name()));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
