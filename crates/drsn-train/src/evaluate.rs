//! Accuracy of an exported model, measured through ONNX Runtime as the server runs it.

mod fit;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use drsn_bundle::{
    Bundle, Evaluation, InputSpec, Manifest,
    runtime::{Provider, Runtime, Session},
};
use rand::seq::SliceRandom as _;

use crate::{
    Inputs, TrainError,
    baseline::{Sample, Taken, baseline},
    dataset::{Data, Part},
    random::{Purpose, stream},
    recipe::Noise,
    report::{EvaluationReport, NoiseScores, Scores, predict, watch},
    training::{Batches, Disturbance, in_words},
};

use fit::{fits, recipe_of, same_split};

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
/// that recipe where none is given), on `limit` inputs drawn at random; none where `stop` was set meanwhile.
///
/// # Errors
/// What is wrong with bundles, data or runtime; [`TrainError::Config`] where a bundle may have been trained on the
/// test data of the first.
pub fn evaluate(
    bundles: &[PathBuf],
    inputs: &Inputs,
    noises: &[Noise],
    limit: Option<usize>,
    onnxruntime: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Option<Vec<EvaluationReport>>, TrainError> {
    let bundles: Vec<Bundle> =
        bundles.iter().map(|path| Bundle::open(path)).collect::<Result<_, _>>()?;
    let Some(first) = bundles.first() else { return Ok(Some(Vec::new())) };
    let recipe = recipe_of(&first.manifest)?;
    let data = inputs.open(&recipe)?;
    for bundle in &bundles {
        fits(&bundle.manifest, &data, "evaluate it by itself, on data of its kind")?;
        same_split(&first.manifest, &bundle.manifest)?;
    }
    let (test, name) = test_inputs(&data, limit)?;
    let exam = Exam {
        test: &test,
        name: &name,
        noises: if noises.is_empty() { &recipe.evaluate } else { noises },
        threads: inputs.threads,
        runtime: &Runtime::start(onnxruntime)?,
        stop,
    };
    bundles.iter().map(|bundle| exam.report(bundle)).collect()
}

/// The test inputs, of which a limit draws some, and what reports call them.
fn test_inputs(data: &Data, limit: Option<usize>) -> Result<(Part, String), TrainError> {
    let mut test = data.test.clone().ok_or_else(|| TrainError::Config {
        reason: "there is nothing to evaluate on: the split of the data leaves no test inputs"
            .to_owned(),
    })?;
    let name = &data.test_name;
    let all = test.indices.len();
    let Some(limit) = limit.filter(|&limit| limit < all) else { return Ok((test, name.clone())) };
    // The first ones would be of the first files, and so of few classes.
    test.indices.shuffle(&mut stream(EVALUATION_SEED, Purpose::Subset, 0, 0));
    test.indices.truncate(limit);
    test.indices.sort_unstable();
    Ok((test, format!("{name}, {limit} of {all} inputs")))
}

/// What every bundle is put through.
struct Exam<'a> {
    test: &'a Part,
    name: &'a str,
    noises: &'a [Noise],
    threads: usize,
    runtime: &'a Runtime,
    stop: &'a AtomicBool,
}

impl Exam<'_> {
    /// How a bundle does; none where the evaluation was stopped.
    fn report(&self, bundle: &Bundle) -> Result<Option<EvaluationReport>, TrainError> {
        let shape = bundle.manifest.input.shape();
        let open = || Session::open(self.runtime, &bundle.model, &shape, Provider::Cpu);
        let mut sessions: Vec<Session> =
            (0..self.threads).map(|_| open()).collect::<Result<_, _>>()?;
        let mut results: Vec<NoiseScores> = Vec::new();
        for noise in std::iter::once(None).chain(self.noises.iter().copied().map(Some)) {
            let clean = results.first().and_then(|clean| clean.watched.as_ref());
            let clean = clean.map(|watched| watched.scores.as_slice());
            match self.scores(bundle, &mut sessions, noise, clean)? {
                Some(scores) => results.push(scores),
                None => return Ok(None),
            }
        }
        Ok(Some(EvaluationReport::new(&bundle.manifest, self.name, EVALUATION_SEED, results)))
    }

    /// The scores under one noise; `clean` are those of the input shift without any.
    fn scores(
        &self,
        bundle: &Bundle,
        sessions: &mut [Session],
        noise: Option<Noise>,
        clean: Option<&[f64]>,
    ) -> Result<Option<NoiseScores>, TrainError> {
        let Self { test, stop, .. } = *self;
        let Manifest { input, classes, .. } = &bundle.manifest;
        let seed = EVALUATION_SEED;
        let predicted = predict(sessions, test, input, noise.as_ref(), seed, stop)?;
        let Some(predictions) = predicted else { return Ok(None) };
        let scores = Scores::new(&predictions, classes)?;
        let disturbance = Disturbance::evaluation(noise, seed);
        let batches = Batches { part: test, input, disturbance };
        let watched = match sessions.first_mut() {
            Some(session) => watch(session, &bundle.manifest, &batches, clean, stop)?,
            None => None,
        };
        let done = !stop.load(Ordering::Relaxed);
        Ok(done.then_some(NoiseScores { noise, scores, watched }))
    }
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
    let data = inputs.open(&recipe)?;
    fits(&bundle.manifest, &data, "give --data of its kind")?;
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
        Taken::Impossible(reason) => return Err(reason.refusal()),
    };
    Ok(drsn_bundle::update_manifest(folder, |manifest| manifest.baseline = Some(taken))?)
}
