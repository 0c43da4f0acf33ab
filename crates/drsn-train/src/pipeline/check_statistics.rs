//! Checking the statistics of an imported bundle's batch normalisations against data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{
    Bundle, Name, Tensor,
    onnx::Normalizations,
    runtime::{Provider, Runtime, Session},
};
use rand::seq::SliceRandom as _;

use super::{
    compatibility::check_data, data_options::DataOptions, error::TrainError, imported::open_data,
};
use crate::{
    batch_norm_reestimation::Sample,
    dataset::{Data, Part},
    evaluation::{EVALUATION_SEED, NormalizationCheck, Trial},
    random::{Purpose, stream},
    report::{StatisticsReport, Verdict},
    training::{Batches, Disturbance},
};

/// What to check.
#[derive(Debug, Clone)]
pub struct StatisticsCheckPlan {
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// The data.
    pub data: DataOptions,
    /// Most training inputs to measure statistics on, and most test inputs.
    pub limit: usize,
    /// The version to write with the data's statistics.
    pub as_version: Option<Name>,
    /// The ONNX Runtime library; searched for if `None`.
    pub onnxruntime: Option<PathBuf>,
}

/// Measures an imported model with its exported statistics, with those of the data and with those of
/// each batch, and returns the report with the folder of the version that was written. Returns
/// `None` if `stop` was set.
///
/// # Errors
/// [`TrainError::Incompatible`] if the graph has no normalisations or the data does not fit, or the
/// error of bundle, data or ONNX Runtime.
pub fn check_statistics(
    plan: &StatisticsCheckPlan,
    stop: &AtomicBool,
) -> Result<Option<(StatisticsReport, Option<PathBuf>)>, TrainError> {
    let bundle = Bundle::open(&plan.bundle)?;
    let exported = normalizations(&bundle)?;
    let target = plan.as_version.as_ref().map(|version| Target::new(plan, version)).transpose()?;
    let (recipe, data) = open_data(&bundle.manifest, &plan.data)?;
    let data = data.in_order_of(&bundle.manifest.classes);
    check_data(&bundle.manifest, &data, "pass matching data with --data")?;
    let reference = drawn(&data.training, plan.limit);
    let (test, test_name) = test(&data, plan.limit);
    let input = &bundle.manifest.input;
    let runtime = Runtime::start(plan.onnxruntime.as_deref())?;
    let trial = Trial {
        runtime: &runtime,
        input,
        blocks: &bundle.manifest.blocks,
        threads: plan.data.threads,
        stop,
    };
    let batches = Batches { part: &reference, input, disturbance: Disturbance::data(&recipe) };
    let Some(check) = trial.check(&exported, &batches, &test)? else { return Ok(None) };
    let NormalizationCheck { corrected, layers, accuracy, inputs } = check;
    let sample = Sample { inputs, accuracy };
    let report = StatisticsReport {
        model: bundle.manifest.name.to_string(),
        version: bundle.manifest.version.to_string(),
        reference_inputs: reference.indices.len(),
        test: test_name,
        test_inputs: inputs,
        accuracy,
        verdict: Verdict::of(&sample),
        layers,
    };
    let model = corrected.model();
    let written = target.map(|target| target.write(&runtime, bundle, &model, &report));
    Ok(Some((report, written.transpose()?)))
}

/// The normalisations of a bundle's graph.
fn normalizations(bundle: &Bundle) -> Result<Normalizations, TrainError> {
    let name = &bundle.manifest.name;
    let refused = |reason: String| Err(TrainError::Incompatible { reason });
    if bundle.manifest.training.is_some() {
        return refused(format!(
            "model {name} was trained by drsn-train, which measures exact statistics before it \
             exports; `drsn-serve inspect` shows the accuracy with each kind"
        ));
    }
    let found = Normalizations::of(&bundle.model)?;
    if found.layers().is_empty() {
        return refused(format!(
            "model {name} has no batch normalisation whose statistics can be checked: its exporter merged \
             them into other operators, if there were any; export it with them kept, in PyTorch with \
             do_constant_folding=False or, with dynamo=True, optimize=False, in Keras as \
             docs/import.md shows, and import that file"
        ));
    }
    Ok(found)
}

/// At most `limit` inputs in random order, so that the batches have every class.
fn drawn(part: &Part, limit: usize) -> Part {
    let mut indices = part.indices.clone();
    indices.shuffle(&mut stream(EVALUATION_SEED, Purpose::EvaluationLimit, 0, 0));
    indices.truncate(limit);
    Part { source: part.source.clone(), indices }
}

/// The test inputs, or held-out ones if there are none, and their name.
fn test(data: &Data, limit: usize) -> (Part, String) {
    match &data.test {
        Some(test) => (drawn(test, limit), data.test_name.clone()),
        None => (drawn(&data.held_out, limit), "held-out inputs".to_owned()),
    }
}

/// Where the model with the data's statistics goes.
struct Target {
    repository: PathBuf,
    version: Name,
}

impl Target {
    /// The version beside the bundle's.
    fn new(plan: &StatisticsCheckPlan, version: &Name) -> Result<Self, TrainError> {
        let unreadable = |source| TrainError::Unwritable {
            folder: plan.bundle.clone(),
            source,
            flag: "--bundle",
        };
        let bundle = plan.bundle.canonicalize().map_err(unreadable)?;
        let model = bundle.parent().unwrap_or(Path::new("."));
        let number = version.as_str();
        if number.starts_with('0') || number.parse::<u64>().is_err() {
            return Err(TrainError::Version { version: number.to_owned() });
        }
        let folder = model.join(number);
        if folder.exists() {
            return Err(TrainError::Incompatible {
                reason: format!("{} already exists: choose another --as-version", folder.display()),
            });
        }
        let repository = model.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { repository, version: version.clone() })
    }

    /// Writes the bundle with another model; what was measured of the old one goes.
    fn write(
        self,
        runtime: &Runtime,
        bundle: Bundle,
        model: &[u8],
        report: &StatisticsReport,
    ) -> Result<PathBuf, TrainError> {
        let Bundle { mut manifest, mut golden, .. } = bundle;
        let mut session = Session::open(runtime, model, &manifest.input.shape(), Provider::Cpu)?;
        let outputs = session.run(golden.input.view())?;
        let outputs = outputs.into_iter().map(|tensor| (tensor.name, Tensor(tensor.values)));
        golden.outputs = outputs.collect::<BTreeMap<_, _>>();
        manifest.version = self.version;
        manifest.baseline = None;
        if let Some(origin) = &mut manifest.origin {
            origin.warnings.push(format!(
                "the statistics of its batch normalisations were measured on {} inputs after the import",
                report.reference_inputs
            ));
        }
        Ok(drsn_bundle::write(&self.repository, manifest, model, &golden, false)?)
    }
}
