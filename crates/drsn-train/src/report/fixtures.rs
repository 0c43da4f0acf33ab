//! Results for tests, similar to those of real models.

use drsn_bundle::{AccuracyByStatistics, Epoch, Manifest};
use ndarray::Array2;

use super::{
    curve::{CurvePoint, NoiseCurve},
    evaluation::EvaluationReport,
    noise_scores::NoiseScores,
};
use crate::evaluation::{
    AlarmRates, BlockActivity, Independent, IndependentUnit, Predictions, RecordingScores,
    RecordingVote, Scores, Spread, wilson,
};

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

/// An evaluation of windows of recordings in some groups.
pub(super) fn recordings(groups: usize) -> EvaluationReport {
    let report = report("gearbox", 0.9);
    let manifest = include_bytes!("../../../../models/bearing/1/manifest.json");
    let manifest = Manifest::from_json(manifest).unwrap();
    let result = |mut result: NoiseScores| {
        result.scores.independent =
            Some(Independent { unit: IndependentUnit::Groups, count: groups });
        result.scores.interval = (groups > 1).then_some([0.71, 0.96]);
        result.recordings = Some(votes(&manifest.classes));
        result
    };
    let results = report.results.into_iter().map(result).collect();
    let blocks = report.blocks;
    EvaluationReport { blocks, ..EvaluationReport::new(&manifest, "gearbox test", 0, results) }
}

/// Twelve recordings, of which two are classified wrongly.
fn votes(classes: &[String]) -> RecordingScores {
    let vote = |n: usize| RecordingVote {
        file: format!("2024-05-{n:02}/machine 3/channel-drive-end.wav"),
        group: Some(format!("load {}", n % 4)),
        class: classes[n % classes.len()].clone(),
        prediction: classes[(n + n / 10) % classes.len()].clone(),
        probability: 0.97 - 0.03 * n as f64,
        windows: 50,
        right: 50 - 3 * n,
        shift_alarms: Some(0.02 * n as f64),
        shift_alarm: Some(n > 3),
    };
    RecordingScores {
        right: 10,
        accuracy: 10.0 / 12.0,
        interval: Some([0.55, 0.95]),
        macro_recall: 0.85,
        shift_alarms: Some(8),
        recordings: (0..12).map(vote).collect(),
    }
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
        uncalibrated: None,
        watched: Some(AlarmRates {
            shift_alarms: Some(0.01 + 7.0 * loss),
            level_alarms: None,
            auroc: noise.map(|_| 0.5 + 4.0 * loss),
            shift_scores: Spread::of((1..200).map(|i| (1.0 + 20.0 * loss) * f64::from(i))),
        }),
        recordings: None,
    };
    let training = manifest.training.as_mut().unwrap();
    training.history = history();
    training.held_out_accuracy =
        Some(AccuracyByStatistics { running: 0.9412, exact: 0.9846, batch: 0.9851 });
    let results = noises.into_iter().map(result).collect();
    let report = EvaluationReport::new(&manifest, "MNIST test", 0, results);
    let block = |(at, name): (usize, &str)| {
        let value = |class: usize| Some(((class * 7 + at * 13) % 20) as f64 / 20.0);
        let values: Vec<_> = (0..classes.len()).map(value).collect();
        BlockActivity {
            name: name.to_owned(),
            threshold: values.clone(),
            relative: values.clone(),
            zeroed: values,
        }
    };
    let names = ["stage1.block1", "stage2.block1", "stage3.block1"];
    EvaluationReport { blocks: names.into_iter().enumerate().map(block).collect(), ..report }
}
