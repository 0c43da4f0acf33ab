//! Comparison of several bundles evaluated on the same data.

use serde::{Deserialize, Serialize};

use super::{
    curve::{NoiseCurve, noise_name, noises},
    error::ReportError,
    evaluation::EvaluationReport,
    text::{Table, percent, plain},
};

/// Marks the best value of a column.
const MARK: &str = " *";

/// Evaluations of several bundles on the same data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    reports: Vec<EvaluationReport>,
}

impl Comparison {
    /// Combines evaluations of different bundles.
    ///
    /// # Errors
    /// [`ReportError::Comparison`] if there are none, or they have different data or noise seeds.
    pub fn new(reports: Vec<EvaluationReport>) -> Result<Self, ReportError> {
        let wrong = |reason: String| ReportError::Comparison { reason };
        let Some(first) = reports.first() else {
            return Err(wrong("there are no evaluations".to_owned()));
        };
        let other = |r: &&EvaluationReport| r.data != first.data || r.seed != first.seed;
        if let Some(other) = reports.iter().find(other) {
            return Err(wrong(format!(
                "{} was evaluated on {} with seed {}, but {} on {} with seed {}",
                first.name(),
                first.data,
                first.seed,
                other.name(),
                other.data,
                other.seed
            )));
        }
        Ok(Self { reports })
    }

    /// The evaluations, at least one.
    pub(super) fn reports(&self) -> &[EvaluationReport] {
        &self.reports
    }

    /// One curve for each bundle.
    pub(super) fn curves(&self) -> Vec<NoiseCurve> {
        self.reports.iter().map(EvaluationReport::curve).collect()
    }

    /// A row for each bundle and a column for each noise. The best accuracy of a column has a star
    /// if it is above the 95 % intervals of all others, because a smaller lead may be chance.
    pub(super) fn table(&self) -> Table {
        let curves = self.curves();
        let noises = noises(&curves);
        let mut table = Table::new("model");
        table.columns(["parameters".to_owned()]);
        table.columns(noises.iter().map(|noise| noise_name(noise.as_ref())));
        for (row, (curve, report)) in curves.iter().zip(&self.reports).enumerate() {
            let parameters = report.model.parameters().to_string();
            let accuracies = noises.iter().map(|noise| {
                let point = curve.point(noise.as_ref());
                point.map_or_else(
                    || "–  ".to_owned(),
                    |point| {
                        let ahead = curves
                            .iter()
                            .enumerate()
                            .filter(|(other, _)| *other != row)
                            .filter_map(|(_, other)| other.point(noise.as_ref()))
                            .map(|other| other.bar.map_or(other.accuracy, |bar| bar[1]))
                            .collect::<Vec<_>>();
                        let best = !ahead.is_empty() && ahead.iter().all(|&h| point.accuracy > h);
                        percent(point.accuracy) + if best { MARK } else { "  " }
                    },
                )
            });
            table.row(&curve.name, std::iter::once(parameters).chain(accuracies));
        }
        table
    }

    /// Explanation of the star.
    pub(super) const LEGEND: &str = "* above the 95 % intervals of all other models";

    /// The comparison as text for a terminal.
    pub fn text(&self) -> String {
        let data = self.reports.first().map_or_else(String::new, |report| plain(&report.data));
        format!("accuracy on {data}\n\n{}\n{}\n", self.table().text(), Self::LEGEND)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures, *};

    #[test]
    fn only_a_lead_beyond_chance_is_marked() {
        let lead = |a, b| {
            let reports = vec![fixtures::report("a", a), fixtures::report("b", b)];
            Comparison::new(reports).unwrap().text()
        };
        let text = lead(0.95, 0.70);
        assert_eq!(text.matches("% *").count(), 3, "{text}");
        assert!(!lead(0.90, 0.895).contains("% *"));
    }

    #[test]
    fn evaluations_on_other_data_are_not_compared() {
        let other = EvaluationReport { data: "other".to_owned(), ..fixtures::report("b", 0.9) };
        let refusal = Comparison::new(vec![fixtures::report("a", 0.9), other]).unwrap_err();
        assert!(refusal.to_string().contains("other"), "{refusal}");
        assert!(Comparison::new(Vec::new()).is_err());
    }
}
