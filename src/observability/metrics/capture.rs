//! Metrics of the inputs that are kept.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{Metrics, ModelLabels};

const RESULTS: [&str; 5] = ["written", "limited", "repeated", "dropped", "failed"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CaptureLabels {
    model: String,
    version: String,
    result: &'static str,
}

/// The captures of all models.
#[derive(Debug, Default)]
pub(super) struct CaptureFamily(Family<CaptureLabels, Counter>);

/// The captures of one model: inputs that were to be kept, by what became of them.
#[derive(Debug, Clone)]
pub(crate) struct CaptureMetrics {
    pub(crate) written: Counter,
    /// Enough of them were kept in the last minute.
    pub(crate) limited: Counter,
    /// The same input was kept lately.
    pub(crate) repeated: Counter,
    /// The disk was too slow.
    pub(crate) dropped: Counter,
    /// Writing failed.
    pub(crate) failed: Counter,
}

impl CaptureFamily {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "drsn_captures",
            "Inputs that were to be kept, by what became of them: written, limited, repeated, dropped, failed",
            self.0.clone(),
        );
    }

    pub(super) fn forget(&self, labels: &ModelLabels) {
        for result in RESULTS {
            self.0.remove(&of(labels, result));
        }
    }
}

impl Metrics {
    /// The captures of a model, whose other metrics must exist.
    pub(crate) fn captures(&self, labels: &ModelLabels) -> CaptureMetrics {
        let [written, limited, repeated, dropped, failed] =
            RESULTS.map(|result| self.captures.0.get_or_create_owned(&of(labels, result)));
        CaptureMetrics { written, limited, repeated, dropped, failed }
    }
}

fn of(labels: &ModelLabels, result: &'static str) -> CaptureLabels {
    let ModelLabels { model, version } = labels.clone();
    CaptureLabels { model, version, result }
}
