//! Classifies a few files by a bundle that is being made, for its maker to look at.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::{
    Format,
    answers::Answered,
    files::{File, Search},
    formats::Lines,
    local::Local,
};
use crate::{config::Config, inference::options::Options};

/// The reason if the model fails.
const FAILED: &str = "the model fails on it, or answers with numbers that are not finite";

/// The answers for some files.
#[derive(Debug)]
pub(in crate::commands) struct Samples {
    /// As `classify` prints them.
    pub(in crate::commands) table: String,
    /// One for each input; an array `[N, C, L]` is N of them.
    pub(in crate::commands) inputs: Vec<Sample>,
}

/// The answer for one input.
#[derive(Debug, PartialEq, Serialize)]
pub(in crate::commands) struct Sample {
    /// Its file, with its position if the file has several inputs.
    pub(in crate::commands) name: String,
    /// The most probable class.
    label: String,
    /// The probabilities of the classes, in the model's order.
    pub(in crate::commands) probabilities: Vec<f32>,
}

/// A prediction as the API writes it.
#[derive(Debug, Deserialize)]
struct Prediction {
    label: String,
    probabilities: Vec<OfClass>,
}

#[derive(Debug, Deserialize)]
struct OfClass {
    class_index: usize,
    probability: f32,
}

/// Classifies files by the bundle in `folder`, with the pipeline of the server.
///
/// # Errors
/// If the bundle cannot be served, or a file cannot be classified: each must be.
pub(in crate::commands) fn samples(
    config: &Config,
    folder: PathBuf,
    paths: &[PathBuf],
) -> anyhow::Result<Samples> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    let _inside = runtime.enter();
    let local = Local::open(config, folder, Options::default(), true)?;
    let answered = runtime.block_on(all(&local, paths));
    local.stop();
    answered
}

async fn all(local: &Local, paths: &[PathBuf]) -> anyhow::Result<Samples> {
    let facts = local.facts().map_err(|error| anyhow::anyhow!(error.detail))?;
    let mut search = Search::new(&facts, None);
    for path in paths {
        search.add(path);
    }
    let lines = Lines::new(Format::Table, &facts, &search.files);
    let mut samples = Samples { table: lines.head(), inputs: Vec::new() };
    for file in &search.files {
        let answered = match &file.problem {
            Some(problem) => Err(problem.clone()),
            None => local.classify(file).await.map_err(|refused| refused.sentence(FAILED)),
        };
        let answered = answered.map_err(|reason| {
            anyhow::anyhow!("the sample {} cannot be classified: {reason}", file.shown())
        })?;
        samples.table += &lines.of(file, Ok(&answered));
        samples.inputs.extend(inputs(file, &answered, facts.classes.len())?);
    }
    if samples.inputs.is_empty() {
        bail!("the folders given with --sample have no files that the model reads");
    }
    Ok(samples)
}

/// The answers for the inputs of a file.
fn inputs(file: &File, answered: &Answered, classes: usize) -> anyhow::Result<Vec<Sample>> {
    let text = answered.predictions.as_deref().unwrap_or("[]");
    let predictions: Vec<Prediction> = serde_json::from_str(text)?;
    let is_one = predictions.len() == 1;
    let sample = |(index, prediction): (usize, Prediction)| {
        let shown = file.shown();
        let name = if is_one { shown } else { format!("{shown} [{index}]") };
        let mut probabilities = vec![0.0; classes];
        for of_class in &prediction.probabilities {
            if let Some(probability) = probabilities.get_mut(of_class.class_index) {
                *probability = of_class.probability;
            }
        }
        Sample { name, label: prediction.label, probabilities }
    };
    Ok(predictions.into_iter().enumerate().map(sample).collect())
}
