//! Results for tests, similar to those of real models.

use drsn_bundle::{AccuracyByStatistics, Epoch, Manifest};
use ndarray::Array2;

use super::{
    curve::{CurvePoint, NoiseCurve},
    evaluation::{EvaluationReport, NoiseScores},
};
use crate::evaluation::{Predictions, Scores, wilson};

/// Scores of a model with an accuracy of about `accuracy`.
pub(super) fn scores(classes: &[&str], accuracy: f64) -> Scores {
    let count = classes.len();
    let mut labels = Vec::new();
    let mut probabilities = Vec::new();
    for i in 0..200 * count {
        let label = i % count;
        let hit = ((i * 7919) % 1_000) as f64 / 1_000.0 < accuracy;
        // Mostly confused with the next class.
        let class = if hit { label } else { (label + 1 + (i * 31) % 7 / 4) % count };
        let top = 1.0 / count as f32
            + (1.0 - 1.0 / count as f32) * (((i * 104_729) % 997) as f32 / 997.0).sqrt();
        let rest = (1.0 - top) / (count.max(2) - 1) as f32;
        labels.push(label);
        probabilities.extend((0..count).map(|k| if k == class { top } else { rest }));
    }
    let names: Vec<String> = classes.iter().map(ToString::to_string).collect();
    let probabilities = Array2::from_shape_vec((labels.len(), count), probabilities).unwrap();
    Scores::new(&Predictions::new(labels, probabilities).unwrap(), &names).unwrap()
}

/// Curves of four models under five noises.
pub(super) fn curves() -> Vec<NoiseCurve> {
    let noises = [
        None,
        Some("gaussian@10dB"),
        Some("gaussian@5dB"),
        Some("gaussian@0dB"),
        Some("gaussian@-5dB"),
    ];
    let models =
        ["bearing 1", "bearing 2 with shared thresholds", "resnet 1", "squeeze and excitation"];
    let point = |model: usize, i: usize| {
        let accuracy = 0.998 - (0.02 + 0.008 * model as f64) * (i * i) as f64 / 1.6;
        CurvePoint {
            noise: noises[i].map(|text| text.parse().unwrap()),
            accuracy,
            macro_f1: Some(accuracy - 0.01),
            bar: Some(wilson((accuracy * 2_000.0) as usize, 2_000)),
        }
    };
    let curve = |(model, name): (usize, &&str)| NoiseCurve {
        name: (*name).to_owned(),
        points: (0..5).map(|i| point(model, i)).collect(),
    };
    models.iter().enumerate().map(curve).collect()
}

/// A history of eighteen epochs.
pub(super) fn history() -> Vec<Epoch> {
    let epoch = |i: usize| {
        let t = i as f64;
        Epoch {
            loss: 0.08 + 1.4 * (-t / 4.0).exp(),
            accuracy: 0.985 - 0.5 * (-t / 3.0).exp(),
            held_out_loss: 0.10 + 1.2 * (-t / 4.0).exp() + 0.02 * (t * 1.7).sin(),
            held_out_accuracy: 0.98 - 0.4 * (-t / 3.0).exp() + 0.004 * (t * 1.7).sin(),
            learning_rate: 0.0015 * (1.0 + (t / 18.0 * std::f64::consts::PI).cos()),
        }
    };
    (1..=18).map(epoch).collect()
}

/// An evaluation of a model under three noises; `name` must be a valid model name.
pub(super) fn report(name: &str, accuracy: f64) -> EvaluationReport {
    let manifest = include_bytes!("../../../../models/mnist/1/manifest.json");
    let mut manifest = Manifest::from_json(manifest).unwrap();
    manifest.name = name.parse().unwrap();
    let classes: Vec<&str> = manifest.classes.iter().map(String::as_str).collect();
    let noises = [(None, 0.0), (Some("gaussian@0dB"), 0.04), (Some("gaussian@-5dB"), 0.12)];
    let result = |(noise, loss): (Option<&str>, f64)| NoiseScores {
        noise: noise.map(|text| text.parse().unwrap()),
        scores: scores(&classes, accuracy - loss),
        watched: None,
    };
    let training = manifest.training.as_mut().unwrap();
    training.history = history();
    training.held_out_accuracy =
        Some(AccuracyByStatistics { running: 0.9412, exact: 0.9846, batch: 0.9851 });
    EvaluationReport::new(&manifest, "MNIST test", 0, noises.into_iter().map(result).collect())
}
