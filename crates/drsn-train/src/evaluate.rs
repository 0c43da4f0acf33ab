//! Accuracy of an exported model, measured through ONNX Runtime as the server runs it.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{
    Bundle, Evaluation, InputSpec, Manifest,
    runtime::{Provider, Runtime, Session},
};

use crate::{
    Inputs, TrainError,
    baseline::{Sample, Taken, baseline},
    dataset::{Data, Part},
    recipe::{Noise, Recipe},
    report::{EvaluationReport, NoiseScores, Scores, predict, watch},
    training::{Batches, Disturbance, in_words},
};

/// Seed of the noise in evaluations: the same for every model, so that they can be compared.
pub const EVALUATION_SEED: u64 = 0;

/// How a model does on a part of a data set; none where `stop` was set meanwhile.
///
/// # Errors
/// What is wrong with data or runtime.
pub(crate) fn evaluation(
    sessions: &mut [Session],
    part: &Part,
    input: &InputSpec,
    data: &str,
    noise: Option<Noise>,
    stop: &AtomicBool,
) -> Result<Option<Evaluation>, TrainError> {
    let predicted = predict(sessions, part, input, noise.as_ref(), EVALUATION_SEED, stop)?;
    let Some(predictions) = predicted else { return Ok(None) };
    let right = predictions.decisions().filter(|(label, decision, _)| label == decision).count();
    Ok(Some(Evaluation {
        data: data.to_owned(),
        noise: noise.map(|noise| noise.to_string()),
        inputs: predictions.inputs(),
        accuracy: right as f64 / predictions.inputs().max(1) as f64,
    }))
}

/// Evaluates bundles on the test data that the first one's recipe names, clean and with each of `noises` (those of
/// that recipe where none is given), on the first `limit` inputs.
///
/// # Errors
/// What is wrong with bundles, data or runtime.
pub fn evaluate(
    bundles: &[PathBuf],
    inputs: &Inputs,
    noises: &[Noise],
    limit: Option<usize>,
    onnxruntime: Option<&Path>,
) -> Result<Vec<EvaluationReport>, TrainError> {
    let bundles: Vec<Bundle> =
        bundles.iter().map(|path| Bundle::open(path)).collect::<Result<_, _>>()?;
    let Some(first) = bundles.first() else { return Ok(Vec::new()) };
    let recipe = recipe_of(&first.manifest)?;
    let data = Data::open(&recipe, &inputs.folder, inputs.index.as_deref(), inputs.skip_bad)?;
    let mut test = data.test.clone().ok_or_else(|| TrainError::Config {
        reason: "there is nothing to evaluate on: the split of the data leaves no test inputs"
            .to_owned(),
    })?;
    test.indices.truncate(limit.unwrap_or(usize::MAX));
    let noises = if noises.is_empty() { &recipe.evaluate } else { noises };
    let runtime = Runtime::start(onnxruntime)?;
    let report = |bundle: &Bundle| {
        fits(&bundle.manifest, &data)?;
        let input = &bundle.manifest.input;
        let open = || Session::open(&runtime, &bundle.model, &input.shape(), Provider::Cpu);
        let mut sessions: Vec<Session> =
            (0..inputs.threads).map(|_| open()).collect::<Result<_, _>>()?;
        let mut results: Vec<NoiseScores> = Vec::new();
        for noise in std::iter::once(None).chain(noises.iter().copied().map(Some)) {
            // Nothing sets this one: Ctrl-C ends an evaluation at once, for there is nothing to save.
            let go = AtomicBool::new(false);
            let seed = EVALUATION_SEED;
            let predicted = predict(&mut sessions, &test, input, noise.as_ref(), seed, &go)?;
            if let Some(predictions) = predicted {
                let scores = Scores::new(&predictions, &bundle.manifest.classes)?;
                let disturbance = Disturbance::evaluation(noise, seed);
                let batches = Batches { part: &test, input, disturbance };
                let clean = results.first().and_then(|clean| clean.watched.as_ref());
                let clean = clean.map(|watched| watched.scores.as_slice());
                let watched = match sessions.first_mut() {
                    Some(session) => watch(session, &bundle.manifest, &batches, clean, &go)?,
                    None => None,
                };
                results.push(NoiseScores { noise, scores, watched });
            }
        }
        Ok(EvaluationReport::new(&bundle.manifest, &data.test_name, EVALUATION_SEED, results))
    };
    bundles.iter().map(report).collect()
}

/// Takes the baseline of a bundle anew, from the data that its recipe names, and writes it into its manifest.
///
/// # Errors
/// What is wrong with bundle, data or runtime, or that there are too few held-out inputs for a baseline.
pub fn retake_baseline(
    folder: &Path,
    inputs: &Inputs,
    onnxruntime: Option<&Path>,
    stop: &AtomicBool,
) -> Result<(), TrainError> {
    let bundle = Bundle::open(folder)?;
    let recipe = recipe_of(&bundle.manifest)?;
    let data = Data::open(&recipe, &inputs.folder, inputs.index.as_deref(), inputs.skip_bad)?;
    fits(&bundle.manifest, &data)?;
    let input = &bundle.manifest.input;
    let batches = |part| Batches { part, input, disturbance: Disturbance::data(&recipe) };
    let sample = Sample {
        training: batches(&data.training),
        held_out: batches(&data.held_out),
        words: in_words(&recipe, &data),
    };
    let runtime = Runtime::start(onnxruntime)?;
    let mut session = Session::open(&runtime, &bundle.model, &input.shape(), Provider::Cpu)?;
    let Manifest { blocks, classes, .. } = &bundle.manifest;
    let taken = baseline(&mut session, blocks, classes.len(), &sample, stop)?;
    let taken = match taken {
        Taken::Stopped => return Ok(()),
        Taken::Baseline(taken) => *taken,
        Taken::Impossible => {
            return Err(TrainError::Config {
                reason: "no baseline can be taken: the network has no thresholds and takes no signal, or there are \
                         too few held-out inputs"
                    .to_owned(),
            });
        }
    };
    Ok(drsn_bundle::update_manifest(folder, |manifest| manifest.baseline = Some(taken))?)
}

/// The recipe that a bundle was trained with.
fn recipe_of(manifest: &Manifest) -> Result<Recipe, TrainError> {
    let reason = match &manifest.training {
        None => "its manifest does not say how it was trained".to_owned(),
        Some(story) => match serde_json::from_value(story.configuration.clone()) {
            Ok(recipe) => return Ok(recipe),
            Err(error) => {
                format!("its manifest holds a recipe that this version cannot read: {error}")
            }
        },
    };
    Err(TrainError::Config { reason: format!("model {}: {reason}", manifest.name) })
}

/// Whether a model takes what the data holds, and knows its classes.
fn fits(manifest: &Manifest, data: &Data) -> Result<(), TrainError> {
    if manifest.input.shape() == data.input.shape() && manifest.classes == data.classes {
        return Ok(());
    }
    let classes = |names: &[String]| format!("the {} classes {}", names.len(), names.join(", "));
    Err(TrainError::Config {
        reason: format!(
            "model {} takes inputs of {} and knows {}; the data has {} and {}",
            manifest.name,
            manifest.input.shape_in_words(),
            classes(&manifest.classes),
            data.input.shape_in_words(),
            classes(&data.classes)
        ),
    })
}
