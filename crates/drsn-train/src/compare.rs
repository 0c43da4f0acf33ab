//! A study: several kinds of unit, each trained with several seeds on the same data, compared by mean and deviation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{Bundle, Evaluation, Manifest, Name, Unit};
use serde::Serialize;

use crate::{Destination, Inputs, Job, TrainError, recipe::Recipe, train, training::Progress};

/// What is compared, and where.
#[derive(Debug, Clone)]
pub struct Study {
    /// The recipe; unit and seed are those of each training.
    pub recipe: Recipe,
    /// Kinds of unit.
    pub units: Vec<Unit>,
    /// Trainings of each kind, with the seeds 1, 2, …
    pub seeds: usize,
    /// Where the data lies.
    pub inputs: Inputs,
    /// Folder for bundles and checkpoints.
    pub out: PathBuf,
    /// The ONNX Runtime library, where it is not to be searched for.
    pub onnxruntime: Option<PathBuf>,
}

/// What one kind of unit reached under one noise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Kind of unit.
    pub unit: Unit,
    /// The noise; none for clean inputs.
    pub noise: Option<String>,
    /// Accuracy of each training, in [0, 1], by seed.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; none for a single one.
    pub deviation: Option<f64>,
}

/// Trains what is not trained yet and gives the results, unit by unit and noise by noise.
///
/// # Errors
/// [`TrainError::Interrupted`] where `stop` was set: the next call goes on from there; else what is wrong.
pub fn compare(
    study: &Study,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Vec<Cell>, TrainError> {
    let mut cells = Vec::new();
    for &unit in &study.units {
        let mut accuracies: BTreeMap<usize, (Option<String>, Vec<f64>)> = BTreeMap::new();
        for seed in 1..=study.seeds {
            for (place, evaluation) in
                trained(study, unit, seed, progress, stop)?.iter().enumerate()
            {
                let Evaluation { noise, accuracy, .. } = evaluation;
                let entry = accuracies.entry(place).or_insert_with(|| (noise.clone(), Vec::new()));
                entry.1.push(*accuracy);
            }
        }
        cells.extend(accuracies.into_values().map(|(noise, values)| cell(unit, noise, values)));
    }
    Ok(cells)
}

/// The evaluations of one training, which is done first where it has not been.
fn trained(
    study: &Study,
    unit: Unit,
    seed: usize,
    progress: &mut (dyn Progress + Send),
    stop: &AtomicBool,
) -> Result<Vec<Evaluation>, TrainError> {
    let mut recipe = study.recipe.clone();
    recipe.network.unit = unit;
    recipe.seed = seed as u64;
    let destination = Destination {
        repository: study.out.clone(),
        name: Name::new(format!("{}-seed{seed}", word(unit)))?,
        version: Name::new("1")?,
        replace: false,
        onnxruntime: study.onnxruntime.clone(),
    };
    if let Some(manifest) = finished(&destination.folder(), &recipe)? {
        return Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default());
    }
    progress.step(&format!("{}, seed {seed}", word(unit)));
    let checkpoint = study.out.join(format!("{}.checkpoint", destination.name));
    let resume = checkpoint.exists();
    let inputs = study.inputs.clone();
    let job = Job { inputs, checkpoint, resume, restart: false, destination };
    let folder = train(&recipe, &job, progress, stop)?;
    let manifest = Bundle::open(&folder)?.manifest;
    Ok(manifest.training.map(|story| story.evaluations).unwrap_or_default())
}

/// The manifest of a training that is complete already; none where it is still to be made.
fn finished(folder: &Path, recipe: &Recipe) -> Result<Option<Manifest>, TrainError> {
    if !folder.exists() {
        return Ok(None);
    }
    let manifest = Bundle::open(folder)?.manifest;
    let same = manifest
        .training
        .as_ref()
        .is_some_and(|story| story.configuration == serde_json::json!(recipe));
    if same {
        return Ok(Some(manifest));
    }
    Err(TrainError::Config {
        reason: format!(
            "{} was trained with another recipe: choose another --out, or delete it",
            folder.display()
        ),
    })
}

fn cell(unit: Unit, noise: Option<String>, accuracies: Vec<f64>) -> Cell {
    let count = accuracies.len() as f64;
    let mean = accuracies.iter().sum::<f64>() / count;
    let squares = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>();
    let deviation = (accuracies.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    Cell { unit, noise, accuracies, mean, deviation }
}

/// The kind of unit as recipes and command line write it.
pub fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Cw => "cw",
        Unit::Cs => "cs",
        Unit::Se => "se",
        Unit::Resnet => "resnet",
    }
}

/// The results as a table: a line a kind of unit, a column a noise, in percent.
pub fn table(cells: &[Cell]) -> String {
    let mut noises: Vec<&Option<String>> = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    for cell in cells {
        if !noises.contains(&&cell.noise) {
            noises.push(&cell.noise);
        }
        if !units.contains(&cell.unit) {
            units.push(cell.unit);
        }
    }
    let heads = noises.iter().map(|noise| noise.as_deref().unwrap_or("clean").to_owned());
    let mut rows = vec![std::iter::once("unit".to_owned()).chain(heads).collect::<Vec<_>>()];
    for unit in units {
        let of = |noise: &&Option<String>| {
            let cell = cells.iter().find(|cell| cell.unit == unit && cell.noise == **noise);
            cell.map_or_else(String::new, |cell| match cell.deviation {
                Some(deviation) => format!("{:.2} ± {:.2}", 100.0 * cell.mean, 100.0 * deviation),
                None => format!("{:.2}", 100.0 * cell.mean),
            })
        };
        rows.push(std::iter::once(word(unit).to_owned()).chain(noises.iter().map(of)).collect());
    }
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>();
    let (head, body) = rows.split_at(1);
    std::iter::once(line(&head[0]))
        .chain(std::iter::once(line(&rule)))
        .chain(body.iter().map(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_a_unit_and_a_column_a_noise() {
        let noise = Some("gaussian@0dB".to_owned());
        let cells = [
            cell(Unit::Cw, None, vec![0.9, 1.0]),
            cell(Unit::Cw, noise.clone(), vec![0.5, 0.5]),
            cell(Unit::Resnet, None, vec![0.8]),
            cell(Unit::Resnet, noise, vec![0.4]),
        ];
        let expected = "\
            | unit   | clean        | gaussian@0dB |\n\
            | ------ | ------------ | ------------ |\n\
            | cw     | 95.00 ± 7.07 | 50.00 ± 0.00 |\n\
            | resnet | 80.00        | 40.00        |\n";
        assert_eq!(table(&cells), expected);
    }
}
