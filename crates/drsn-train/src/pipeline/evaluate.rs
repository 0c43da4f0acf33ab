//! Evaluation of bundles through ONNX Runtime, as in the server.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{
    Bundle, Manifest,
    onnx::with_shrinkage_outputs,
    runtime::{Provider, Runtime, Session},
};
use rand::seq::SliceRandom as _;

use super::{
    compatibility::{check_data, check_split},
    data_options::DataOptions,
    error::TrainError,
    imported::open_data,
};
use crate::{
    dataset::{Data, Part},
    evaluation::{
        AlarmRates, Answers, BlockActivity, EVALUATION_SEED, RecordingScores, Scores, Units,
        answers, block_activity,
    },
    random::{Purpose, stream},
    recipe::Noise,
    report::{Evaluated, EvaluationReport, NoiseScores, Uncalibrated},
};

/// Evaluates bundles on the test data of the recipe of the first that was trained here, clean and
/// with each of `noises` (or those of that recipe if there are none), on `limit` inputs drawn at
/// random. Returns `None` if `stop` was set.
///
/// # Errors
/// [`TrainError::Incompatible`] if a bundle may have been trained on the test data of the first, or
/// the error of bundles, data or ONNX Runtime.
pub fn evaluate(
    bundles: &[PathBuf],
    data: &DataOptions,
    noises: &[Noise],
    limit: Option<usize>,
    onnxruntime: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Option<Vec<Evaluated>>, TrainError> {
    let bundles: Vec<Bundle> =
        bundles.iter().map(|path| Bundle::open(path)).collect::<Result<_, _>>()?;
    // The test inputs are those of a bundle that knows which inputs it was trained on.
    let first = bundles.iter().find(|bundle| bundle.manifest.training.is_some());
    let Some(first) = first.or(bundles.first()) else { return Ok(Some(Vec::new())) };
    let threads = data.threads;
    let (recipe, data) = open_data(&first.manifest, data)?;
    for bundle in &bundles {
        let data = data.in_order_of(&bundle.manifest.classes);
        check_data(&bundle.manifest, &data, "evaluate it separately, on matching data")?;
        check_split(&first.manifest, &bundle.manifest)?;
    }
    let (data, name) = test_inputs(data, limit)?;
    let run = EvaluationRun {
        data: &data,
        name: &name,
        notes: data.notes.iter().map(ToString::to_string).collect(),
        noises: if noises.is_empty() { &recipe.evaluate } else { noises },
        threads,
        runtime: &Runtime::start(onnxruntime)?,
        stop,
    };
    bundles.iter().map(|bundle| run.evaluated(bundle)).collect()
}

/// The data with its test inputs, or with `limit` of them drawn at random, and their name in
/// reports.
fn test_inputs(mut data: Data, limit: Option<usize>) -> Result<(Data, String), TrainError> {
    let name = data.test_name.clone();
    let test = data.test.as_mut().ok_or_else(no_test_inputs)?;
    let all = test.indices.len();
    let Some(limit) = limit.filter(|&limit| limit < all) else { return Ok((data, name)) };
    // Drawn at random, because the first inputs belong to the first files and so to few classes.
    test.indices.shuffle(&mut stream(EVALUATION_SEED, Purpose::EvaluationLimit, 0, 0));
    test.indices.truncate(limit);
    test.indices.sort_unstable();
    Ok((data, format!("{name}, {limit} of {all} inputs")))
}

fn no_test_inputs() -> TrainError {
    TrainError::Incompatible {
        reason: "cannot evaluate: the split of the data leaves no test inputs".to_owned(),
    }
}

/// What all bundles of an evaluation share.
struct EvaluationRun<'a> {
    data: &'a Data,
    name: &'a str,
    /// What was noticed while the data was read.
    notes: Vec<String>,
    noises: &'a [Noise],
    threads: usize,
    runtime: &'a Runtime,
    stop: &'a AtomicBool,
}

impl EvaluationRun<'_> {
    /// Evaluates a bundle; `None` if `stop` was set.
    fn evaluated(&self, bundle: &Bundle) -> Result<Option<Evaluated>, TrainError> {
        let manifest = &bundle.manifest;
        let test = self.data.in_order_of(&manifest.classes).test.ok_or_else(no_test_inputs)?;
        let units = Units::of(&test);
        let shape = manifest.input.shape();
        let open = || Session::open(self.runtime, &bundle.model, &shape, Provider::Cpu);
        let mut sessions: Vec<Session> =
            (0..self.threads).map(|_| open()).collect::<Result<_, _>>()?;
        let (mut results, mut all) = (Vec::new(), Vec::<(Option<Noise>, Answers)>::new());
        for noise in std::iter::once(None).chain(self.noises.iter().copied().map(Some)) {
            let found = answers(&mut sessions, manifest, &test, noise, self.stop)?;
            let Some(found) = found else { return Ok(None) };
            let clean = all.first().map(|(_, clean)| clean);
            results.push(scores(manifest, (&test, &units), noise, &found, clean)?);
            all.push((noise, found));
        }
        let report = EvaluationReport::new(manifest, self.name, EVALUATION_SEED, results);
        let Some(blocks) = self.blocks(bundle, &test)? else { return Ok(None) };
        let report = EvaluationReport { notes: self.notes.clone(), blocks, ..report };
        Ok(Some(Evaluated { report, test, answers: all }))
    }

    /// What the model's thresholds do; `None` if `stop` was set.
    fn blocks(
        &self,
        bundle: &Bundle,
        test: &Part,
    ) -> Result<Option<Vec<BlockActivity>>, TrainError> {
        let Manifest { blocks, input, .. } = &bundle.manifest;
        if blocks.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let model = with_shrinkage_outputs(&bundle.model, blocks)?;
        let mut session = Session::open(self.runtime, &model, &input.shape(), Provider::Cpu)?;
        Ok(block_activity(&mut session, &bundle.manifest, test, self.stop)?)
    }
}

/// Scores the answers to the test inputs, of which some belong together, under one noise; `clean`
/// are the answers to the clean inputs.
fn scores(
    manifest: &Manifest,
    (test, units): (&Part, &Units),
    noise: Option<Noise>,
    answers: &Answers,
    clean: Option<&Answers>,
) -> Result<NoiseScores, TrainError> {
    let classes = &manifest.classes;
    let baseline = manifest.baseline.as_ref();
    let temperature = manifest.calibration.as_ref().map_or(1.0, |found| found.temperature);
    let uncalibrated = if temperature > 1.0 {
        let before = answers.predictions.without_temperature(temperature);
        let Scores { calibration_error, calibration_interval, .. } =
            Scores::over(&before, classes, units)?;
        Some(Uncalibrated { calibration_error, calibration_interval })
    } else {
        None
    };
    Ok(NoiseScores {
        noise,
        scores: Scores::over(&answers.predictions, classes, units)?,
        uncalibrated,
        watched: baseline.map(|baseline| AlarmRates::new(baseline, answers, clean)),
        recordings: RecordingScores::new(test, units, answers, classes, baseline)?,
    })
}
