//! Comparison of several kinds of network, each trained several times.

use serde::{Deserialize, Serialize};

use super::{
    curve::{CurvePoint, NoiseCurve, noise_name, noises},
    text::{Table, percent},
};
use crate::recipe::Noise;

/// Accuracy of kinds of network under noises, over several seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Title of the report.
    pub title: String,
    /// Description of the evaluation data.
    pub data: String,
    /// A row for each kind of network and noise.
    pub rows: Vec<StudyRow>,
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

impl StudyRow {
    /// Mean over the seeds; 0 if there are none.
    pub(super) fn mean(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / self.accuracies.len().max(1) as f64
    }

    /// Sample standard deviation (n − 1) over the seeds; `None` for fewer than two.
    pub(super) fn deviation(&self) -> Option<f64> {
        let count = self.accuracies.len();
        let mean = self.mean();
        let squares: f64 = self.accuracies.iter().map(|x| (x - mean).powi(2)).sum();
        (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
    }
}

impl Study {
    /// One curve for each kind of network, in order of first appearance; the bars are ± one
    /// deviation.
    pub(super) fn curves(&self) -> Vec<NoiseCurve> {
        let mut curves: Vec<NoiseCurve> = Vec::new();
        for row in &self.rows {
            let (mean, deviation) = (row.mean(), row.deviation());
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
                row.map_or_else(
                    || "–".to_owned(),
                    |row| match row.deviation() {
                        Some(deviation) => {
                            format!("{:.2} ± {:.2} %", 100.0 * row.mean(), 100.0 * deviation)
                        }
                        None => percent(row.mean()),
                    },
                )
            };
            table.row(&curve.name, noises.iter().map(cell));
        }
        table
    }

    /// Whether a network was trained with several seeds.
    fn has_deviations(&self) -> bool {
        self.rows.iter().any(|row| row.deviation().is_some())
    }

    /// What the numbers of the table are.
    pub(super) fn legend(&self) -> String {
        if self.has_deviations() {
            "Accuracy, mean ± sample standard deviation over the seeds".to_owned()
        } else {
            "Accuracy of one training each: how much it varies between seeds is not known"
                .to_owned()
        }
    }

    /// The study as text for a terminal.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n\n{}", self.title, self.data, self.legend(), self.table().text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let row = |accuracies: &[f64]| StudyRow {
            unit: "cw".to_owned(),
            noise: None,
            accuracies: accuracies.to_vec(),
        };
        let three = row(&[0.9, 0.8, 0.7]);
        assert!((three.mean() - 0.8).abs() < 1e-12);
        assert!((three.deviation().unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(row(&[0.9]).deviation(), None);
        assert!(row(&[]).mean().abs() < 1e-12);
    }

    /// One seed each was called "mean ± deviation over seeds".
    #[test]
    fn a_deviation_is_spoken_of_only_if_there_is_one() {
        let study = |accuracies: &[f64]| Study {
            title: "study".to_owned(),
            data: "data".to_owned(),
            rows: vec![StudyRow {
                unit: "cw".to_owned(),
                noise: None,
                accuracies: accuracies.to_vec(),
            }],
        };
        let one = study(&[0.9]);
        assert!(!one.text().contains('±'), "{}", one.text());
        assert!(one.text().contains("Accuracy of one training each"));
        assert!(study(&[0.9, 0.8]).text().contains("± sample standard deviation"));
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
