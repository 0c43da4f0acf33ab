//! Comparison of several kinds of network, each trained several times.

use serde::{Deserialize, Serialize};

use super::{
    curve::{CurvePoint, NoiseCurve, noise_name, noises},
    text::{Table, plain},
};
use crate::recipe::{Metric, Noise};

/// Accuracy of kinds of network under noises, over several seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Title of the report.
    pub title: String,
    /// Description of the evaluation data.
    pub data: String,
    /// A row for each kind of network and noise.
    pub rows: Vec<StudyRow>,
    /// Results on held-out inputs of each kind of network.
    #[serde(default)]
    pub held_out: Vec<HeldOutRow>,
    /// What those results are: what the recipe names as the one that counts.
    #[serde(default)]
    pub metric: Metric,
    /// The one with the best held-out result, if one was to be chosen: then `rows` has no other.
    #[serde(default)]
    pub chosen: Option<String>,
}

/// Results of one kind of network on held-out inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutRow {
    /// Kind of network.
    pub variant: String,
    /// The result of each training: a share in [0, 1], or a loss.
    pub results: Vec<f64>,
}

/// One kind of network under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyRow {
    /// Kind of network, such as `cw`.
    pub unit: String,
    /// The noise; `None` for clean inputs.
    pub noise: Option<Noise>,
    /// Accuracy for each seed, in [0, 1].
    pub accuracies: Vec<f64>,
}

/// Mean; 0 if there are no values.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sample standard deviation (n − 1); `None` for fewer than two values.
fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Mean and, of two values and more, deviation, of a loss or in percent.
fn summary(values: &[f64], metric: Metric) -> String {
    match (metric, deviation(values)) {
        (Metric::Loss, Some(deviation)) => format!("{:.4} ± {deviation:.4}", mean(values)),
        (_, Some(deviation)) => format!("{:.2} ± {:.2} %", 100.0 * mean(values), 100.0 * deviation),
        (_, None) => metric.shown(mean(values)),
    }
}

impl Study {
    /// One curve for each kind of network, in order of first appearance; the bars are ± one
    /// deviation.
    pub(super) fn curves(&self) -> Vec<NoiseCurve> {
        let mut curves: Vec<NoiseCurve> = Vec::new();
        for row in &self.rows {
            let (mean, deviation) = (mean(&row.accuracies), deviation(&row.accuracies));
            let point = CurvePoint {
                noise: row.noise,
                accuracy: mean,
                macro_f1: None,
                bar: deviation.map(|d| [mean - d, mean + d]),
            };
            match curves.iter_mut().find(|curve| curve.name == row.unit) {
                Some(curve) => curve.points.push(point),
                None => curves.push(NoiseCurve { name: row.unit.clone(), points: vec![point] }),
            }
        }
        curves
    }

    /// A row for each kind of network and a column for each noise: mean ± deviation in percent.
    pub(super) fn table(&self) -> Table {
        let curves = self.curves();
        let noises = noises(&curves);
        let mut table = Table::new("network");
        table.columns(noises.iter().map(|noise| noise_name(noise.as_ref())));
        for curve in &curves {
            let cell = |noise: &Option<Noise>| {
                let row = self.rows.iter().find(|r| r.unit == curve.name && r.noise == *noise);
                row.map_or_else(|| "–".to_owned(), |row| summary(&row.accuracies, Metric::Accuracy))
            };
            table.row(&curve.name, noises.iter().map(cell));
        }
        table
    }

    /// The kind of network with the best mean held-out result, the first of several.
    pub(crate) fn best_held_out(&self) -> Option<&str> {
        let merit = |row: &HeldOutRow| match self.metric {
            Metric::Accuracy | Metric::MacroRecall => mean(&row.results),
            Metric::Loss => -mean(&row.results),
        };
        let trained = self.held_out.iter().filter(|row| !row.results.is_empty());
        let best = trained.clone().map(merit).fold(f64::MIN, f64::max);
        trained.into_iter().find(|row| merit(row) >= best).map(|row| &*row.variant)
    }

    /// A row for each kind of network, if one was to be chosen.
    pub(super) fn held_out_table(&self) -> Option<Table> {
        self.chosen.as_ref()?;
        let mut table = Table::new("variant");
        table.columns([format!("held-out {}", self.metric.in_words())]);
        for row in &self.held_out {
            table.row(&row.variant, [summary(&row.results, self.metric)]);
        }
        Some(table)
    }

    /// What the numbers of the tables are.
    pub(super) fn legend(&self) -> String {
        let rows = self.rows.iter().map(|row| &row.accuracies);
        let several = rows.chain(self.held_out.iter().map(|row| &row.results));
        let spread = if several.into_iter().any(|accuracies| accuracies.len() > 1) {
            ", mean ± sample standard deviation over the trainings"
        } else {
            " of one training each: how much it varies between seeds is not known"
        };
        let chosen = self.chosen.as_ref().map_or_else(String::new, |chosen| {
            format!("; {} was chosen by the held-out inputs, before the test", plain(chosen))
        });
        format!("Accuracy{spread}{chosen}")
    }

    /// The study as text for a terminal.
    pub fn text(&self) -> String {
        let held_out = self.held_out_table().map_or_else(String::new, |table| table.text() + "\n");
        format!(
            "{}\n{}\n{}\n\n{held_out}{}",
            plain(&self.title),
            plain(&self.data),
            self.legend(),
            self.table().text()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let three = [0.9, 0.8, 0.7];
        assert!((mean(&three) - 0.8).abs() < 1e-12);
        assert!((deviation(&three).unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(deviation(&[0.9]), None);
        assert!(mean(&[]).abs() < 1e-12);
    }

    /// The deviation of one seed was once announced.
    #[test]
    fn a_deviation_is_announced_from_two_trainings_on() {
        let study = |accuracies: &[f64]| Study {
            title: "study".to_owned(),
            data: "data".to_owned(),
            rows: vec![StudyRow {
                unit: "cw".to_owned(),
                noise: None,
                accuracies: accuracies.to_vec(),
            }],
            ..Study::default()
        };
        assert!(!study(&[0.9]).text().contains('±'));
        assert!(study(&[0.9, 0.8]).text().contains("mean ± sample"));
    }

    #[test]
    fn the_variant_is_chosen_by_held_out_inputs() {
        let row = |variant: &str, results: &[f64]| HeldOutRow {
            variant: variant.to_owned(),
            results: results.to_vec(),
        };
        let mut study = Study {
            title: "study".to_owned(),
            data: "data".to_owned(),
            held_out: vec![row("a", &[]), row("b", &[0.9, 0.8]), row("c", &[0.88, 0.84])],
            chosen: Some("c".to_owned()),
            ..Study::default()
        };
        assert_eq!(study.best_held_out(), Some("c"));
        assert!(study.text().contains("c was chosen by the held-out inputs"));
        assert!(study.text().contains("held-out accuracy") && study.text().contains("86.00 ±"));
        // Of losses the smallest is the best; they were once compared as accuracies.
        study.metric = Metric::Loss;
        assert_eq!(study.best_held_out(), Some("b"));
        assert!(study.text().contains("held-out loss") && study.text().contains("0.8500 ± 0.0707"));
    }

    #[test]
    fn a_network_without_a_result_under_a_noise_has_a_dash() {
        let noise = "gaussian@-5dB".parse().ok();
        let row =
            |unit: &str, noise, accuracies| StudyRow { unit: unit.to_owned(), noise, accuracies };
        let study = Study {
            title: "study".to_owned(),
            data: "data".to_owned(),
            rows: vec![row("cw", None, vec![0.9, 0.8]), row("cs", noise, vec![0.5])],
            ..Study::default()
        };
        let text = study.text();
        assert!(
            text.contains("85.00 ± 7.07 %") && text.contains("50.00 %") && text.contains('–'),
            "{text}"
        );
        assert!(text.contains("gaussian@-5dB"));
        assert_eq!(study.curves().len(), 2);
    }
}
