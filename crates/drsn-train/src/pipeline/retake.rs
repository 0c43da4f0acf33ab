//! Taking the baseline of an existing bundle again.

use std::{collections::btree_map::Entry, path::Path, sync::atomic::AtomicBool};

use drsn_bundle::{
    Bundle, BundleError, Tensor,
    manifest::FORMAT,
    onnx::LastLayer,
    runtime::{Provider, Runtime, Session},
};

use super::{
    compatibility::check_data, data_options::DataOptions, error::TrainError, imported::open_data,
};
use crate::{
    evaluation::{BaselineOutcome, BaselineSample, Names, calibrate, measure_baseline},
    export::calibrated,
    training::{Batches, Disturbance, describe_data},
};

/// Measures the baseline of a bundle again, on the data of its recipe or, if it was imported, on data
/// read as its input says, and writes it to the bundle; with `temperature` also the temperature of its
/// probabilities, which may change them.
/// A bundle of an older format comes to have what this one has: its graph gives the features before
/// the last layer, and nothing else of it changes.
///
/// # Errors
/// [`TrainError::NoBaseline`] if there are too few held-out inputs, or the error of bundle, data or
/// ONNX Runtime.
pub fn retake_baseline(
    folder: &Path,
    data: &DataOptions,
    temperature: bool,
    onnxruntime: Option<&Path>,
    stop: &AtomicBool,
) -> Result<(), TrainError> {
    let mut bundle = Bundle::open(folder)?;
    let (recipe, data) = open_data(&bundle.manifest, data)?;
    let data = data.in_order_of(&bundle.manifest.classes);
    check_data(&bundle.manifest, &data, "pass matching data with --data")?;
    renew(&mut bundle)?;
    let input = bundle.manifest.input.clone();
    let batches = |part| Batches { part, input: &input, disturbance: Disturbance::data(&recipe) };
    let sample = BaselineSample {
        training: batches(&data.training),
        held_out: batches(&data.held_out),
        description: describe_data(&recipe, &data),
    };
    let runtime = Runtime::start(onnxruntime)?;
    let mut session = Session::open(&runtime, &bundle.model, &input.shape(), Provider::Cpu)?;
    let names = Names::of(&bundle.manifest);
    let classes = bundle.manifest.classes.len();
    let outcome = measure_baseline(&mut session, names, classes, &sample, stop)?;
    let baseline = match outcome {
        BaselineOutcome::Stopped => return Ok(()),
        BaselineOutcome::Measured(baseline) => *baseline,
        BaselineOutcome::Unavailable(reason) => return Err(reason.into()),
    };
    bundle.manifest.baseline = Some(baseline);
    complete_golden(&mut bundle, &mut session)?;
    if temperature {
        let Some(mut found) = calibrate(&mut session, &sample.held_out, classes, stop)? else {
            return Ok(());
        };
        let Bundle { model, golden, .. } = &mut bundle;
        (*model, _) = calibrated(model, golden, &mut found, &runtime, &input.shape())?;
        bundle.manifest.calibration = Some(found);
    }
    let Bundle { manifest, model, golden } = bundle;
    Ok(drsn_bundle::rewrite(folder, manifest, &model, &golden)?)
}

/// Brings a bundle to the present format: its graph gives the features before the last layer.
fn renew(bundle: &mut Bundle) -> Result<(), BundleError> {
    let Bundle { manifest, model, .. } = bundle;
    if manifest.features.is_some() && manifest.format == FORMAT {
        return Ok(());
    }
    let mut last_layer = LastLayer::of(model)?;
    if manifest.features.is_none() {
        manifest.features = last_layer.give_features();
    }
    manifest.format = FORMAT;
    *model = last_layer.finish();
    Ok(())
}

/// Adds outputs that the golden data does not have yet; those that it has stay.
fn complete_golden(bundle: &mut Bundle, session: &mut Session) -> Result<(), TrainError> {
    let Bundle { manifest, golden, .. } = bundle;
    let mut outputs = session.run(golden.input.view())?;
    for (name, _) in manifest.outputs() {
        if let Entry::Vacant(missing) = golden.outputs.entry(name) {
            let values = outputs.take(missing.key())?.into_dyn();
            missing.insert(Tensor(values));
        }
    }
    Ok(())
}
