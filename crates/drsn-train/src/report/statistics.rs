//! The report on the statistics of a model's batch normalisations.

use drsn_bundle::AccuracyByStatistics;
use serde::Serialize;

use super::text::{Table, percent, plain};
use crate::{batch_norm_reestimation::Sample, evaluation::LayerDrift};

/// Layers in the text.
const SHOWN: usize = 8;

/// What a check of exported statistics found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatisticsReport {
    /// Name of the model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Number of inputs on which the data's statistics were measured.
    pub reference_inputs: usize,
    /// Name of the inputs whose accuracy was measured.
    pub test: String,
    /// Their number.
    pub test_inputs: usize,
    /// Accuracy on them: as exported, with the statistics of the data, with those of each batch.
    pub accuracy: AccuracyByStatistics,
    /// What that means.
    pub verdict: Verdict,
    /// The normalisations, in the order in which they are computed.
    pub layers: Vec<LayerDrift>,
}

/// What the accuracies mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The network works with its exported statistics.
    Right,
    /// It works better with those of the data.
    Wrong,
    /// It works with the statistics of each batch only.
    OnlyWithBatches,
}

impl Verdict {
    /// The verdict on accuracies.
    pub(crate) fn of(sample: &Sample) -> Self {
        let AccuracyByStatistics { running, exact, batch } = sample.accuracy;
        if exact - running > sample.meaningful_loss(running) {
            Self::Wrong
        } else if batch - exact.max(running) > sample.meaningful_loss(exact.max(running)) {
            Self::OnlyWithBatches
        } else {
            Self::Right
        }
    }
}

impl StatisticsReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let Self { model, version, reference_inputs, test, test_inputs, accuracy, .. } = self;
        let mut accuracies = Table::new(&format!("accuracy on {test}, {test_inputs} inputs"));
        accuracies.columns([String::new()]);
        for (statistics, accuracy) in [
            ("with the statistics that were exported", accuracy.running),
            ("with those of the data", accuracy.exact),
            ("with those of each batch, as in training", accuracy.batch),
        ] {
            accuracies.row(statistics, [percent(accuracy)]);
        }
        let count = self.layers.len();
        format!(
            "{} {}: {count} batch normalisations, compared with {reference_inputs} inputs\n\n{}\n{}\n\n{}",
            plain(model),
            plain(version),
            accuracies.text(),
            self.verdict_in_words(),
            self.layers_in_words(),
        )
    }

    fn verdict_in_words(&self) -> &'static str {
        match self.verdict {
            Verdict::Right => "The network works with the statistics that were exported.",
            Verdict::Wrong => {
                "The statistics that were exported are not those of this data, and spoil the answers. If \
                 the data is like that of the training, compute them anew before the export, as \
                 docs/import.md shows, or write a version that has the data's with --as-version."
            }
            Verdict::OnlyWithBatches => {
                "The network depends on the statistics of each batch, which a served model does not \
                 have: train it for longer or with larger batches, and look for a few inputs with \
                 extreme values."
            }
        }
    }

    /// The layers that differ most.
    fn layers_in_words(&self) -> String {
        let mut layers: Vec<&LayerDrift> = self.layers.iter().collect();
        layers.sort_by(|a, b| b.size().total_cmp(&a.size()));
        let mut table = Table::new("normalisation, the most different first");
        table.columns(["before", "mean (0 is right)", "deviation (1 is right)"].map(str::to_owned));
        // Without the sign of a zero.
        let rounded = |value: f64| (100.0 * value).round() / 100.0 + 0.0;
        let range = |[least, largest]: [f64; 2]| {
            format!("{:.2} to {:.2}", rounded(least), rounded(largest))
        };
        for layer in layers.iter().take(SHOWN) {
            let before = layer.before.clone().unwrap_or_else(|| "the end".to_owned());
            table.row(&layer.name, [before, range(layer.mean), range(layer.deviation)]);
        }
        let more = layers.len().saturating_sub(SHOWN);
        let rest = if more > 0 { format!("and {more} more\n") } else { String::new() };
        format!(
            "{}{rest}\nIf the network has more of them than these {}, the exporter merged the others \
             into convolutions or other factors, and their statistics cannot be told.\n",
            table.text(),
            layers.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_accuracies() {
        let verdict = |running, exact, batch| {
            let accuracy = AccuracyByStatistics { running, exact, batch };
            Verdict::of(&Sample { inputs: 1000, accuracy })
        };
        assert_eq!(verdict(0.310, 0.579, 0.582), Verdict::Wrong);
        assert_eq!(verdict(0.95, 0.94, 0.96), Verdict::Right);
        assert_eq!(verdict(0.30, 0.31, 0.90), Verdict::OnlyWithBatches);
        assert_eq!(verdict(0.90, 0.31, 0.90), Verdict::Right);
    }
}
