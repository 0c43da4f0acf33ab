//! The framework's own answers, against which an imported model's are checked.

use std::path::Path;

use anyhow::{Context as _, bail};
use drsn_recording::{ArrayFile, Limits, RecordingError};
use ndarray::{Array2, ArrayView1, IxDyn, ShapeBuilder as _};

use crate::commands::classify::Sample;

/// Largest file of answers, in bytes, and most numbers in it.
const LIMITS: Limits = Limits::new(64 << 20, 8 << 20);
/// How far the sum of probabilities may be from 1: 16-bit floats round.
const SUM: f32 = 1e-2;

/// Answers of a framework: a row of probabilities for each input.
#[derive(Debug)]
pub(super) struct Expected<'c> {
    /// Its file, for messages.
    file: String,
    classes: &'c [String],
    rows: Array2<f32>,
}

/// Reads the answers from a file: probabilities, or what the model's output is by the report.
///
/// # Errors
/// If the file has no array of finite numbers for these classes.
pub(super) fn read<'c>(
    path: &Path,
    output: &str,
    classes: &'c [String],
) -> anyhow::Result<Expected<'c>> {
    let file = path.display().to_string();
    let mut rows =
        array(path, classes.len()).with_context(|| format!("cannot use {file} of --expect"))?;
    let is_probability = |row: ArrayView1<'_, f32>| {
        row.iter().all(|value| (-SUM..=1.0 + SUM).contains(value)) && (row.sum() - 1.0).abs() <= SUM
    };
    if !rows.rows().into_iter().all(is_probability) {
        match output {
            "logits" | "log-probabilities" => rows.rows_mut().into_iter().for_each(|mut row| {
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                row.mapv_inplace(|value| (value - largest).exp());
                let sum = row.sum();
                row.mapv_inplace(|value| value / sum);
            }),
            _ => bail!(
                "{file} of --expect has numbers that are no probabilities, and the model's own output \
                 is probabilities: save what the model answers to the samples"
            ),
        }
    }
    Ok(Expected { file, classes, rows })
}

/// The numbers of the file's one array, `[inputs, classes]`.
fn array(path: &Path, classes: usize) -> anyhow::Result<Array2<f32>> {
    let opened = ArrayFile::open(path, &LIMITS)?;
    let [info] = opened.arrays() else {
        bail!("it has {} arrays, and one is expected", opened.arrays().len());
    };
    let mut values = Vec::new();
    opened.numbers(0, |part| {
        values.extend_from_slice(part);
        Ok::<_, RecordingError>(())
    })?;
    let shape = info.shape.clone();
    let has_classes = match shape[..] {
        [numbers] => numbers == classes,
        [_, numbers, ref rest @ ..] => numbers == classes && rest.iter().all(|&size| size == 1),
        [] => false,
    };
    if !has_classes {
        bail!("an array [inputs, {classes}] is expected, and it has the shape {shape:?}");
    }
    if !values.iter().all(|value| value.is_finite()) {
        bail!("it has numbers that are not finite");
    }
    let inputs = values.len() / classes;
    let sizes = IxDyn(&[inputs, classes]);
    Ok(ndarray::ArrayD::from_shape_vec(sizes.set_f(info.is_column_major), values)?
        .into_dimensionality()?)
}

impl Expected<'_> {
    /// Compares the answers; returns a sentence on the largest difference.
    ///
    /// # Errors
    /// If there is not one row for each input, or a probability differs by more than `tolerance`.
    pub(super) fn compare(&self, samples: &[Sample], tolerance: f32) -> anyhow::Result<String> {
        let Self { file, classes, rows } = self;
        if rows.nrows() != samples.len() {
            bail!(
                "{file} of --expect has answers to {} inputs, and the samples are {} inputs: one row is \
                 expected for each, in the order of the samples",
                rows.nrows(),
                samples.len()
            );
        }
        let pairs = samples.iter().zip(rows.rows()).flat_map(|(sample, row)| {
            let pairs = sample.probabilities.iter().copied().zip(row.to_vec()).zip(*classes);
            pairs.map(move |((here, there), class)| (here, there, sample, class))
        });
        let largest = pairs.max_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs()));
        let Some((here, there, Sample { name, .. }, class)) = largest else {
            bail!("there are no samples to compare with {file} of --expect");
        };
        let difference = (here - there).abs();
        let place = format!("for {name}, class {class:?}: {here} here and {there} there");
        if difference > tolerance {
            bail!(
                "the probabilities differ from those in {file} by up to {difference:.2e} ({place}), and \
                 at most {tolerance:e} is allowed: see that the samples are the inputs of {file} before \
                 their preparation, and that --normalize, --scale, --mean, --std, --geometry and \
                 --color are as in your framework, or allow more with --tolerance"
            );
        }
        Ok(format!(
            "  the probabilities are those in {file} within {difference:.2e} ({place}); {tolerance:e} is \
             allowed"
        ))
    }
}
