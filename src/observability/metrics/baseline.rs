//! Metrics of the baseline checks: how unusual inputs are for their models.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::{Histograms, ModelLabels};

/// Upper bounds for p-values: dense near 0, where alarms are.
const P_VALUES: [f64; 11] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// The families of all models.
#[derive(Debug)]
pub(super) struct BaselineFamilies {
    p_value: Histograms<ModelLabels>,
    shift_alarms: Family<ModelLabels, Counter>,
    level_alarms: Family<ModelLabels, Counter>,
}

/// The metrics of one model. Without a baseline they stay at zero.
#[derive(Debug, Clone)]
pub(crate) struct BaselineMetrics {
    /// p-values of the input shift.
    pub(crate) p_value: Histogram,
    /// Inputs whose shift alarmed.
    pub(crate) shift_alarms: Counter,
    /// Inputs whose level alarmed.
    pub(crate) level_alarms: Counter,
}

impl BaselineFamilies {
    pub(super) fn new() -> Self {
        Self {
            p_value: Family::new_with_constructor(|| Histogram::new(P_VALUES)),
            shift_alarms: Family::default(),
            level_alarms: Family::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "drsn_input_shift_p_value",
            "p-values of the input shift: the share of held-out inputs at least as far from the training data",
            self.p_value.clone(),
        );
        registry.register(
            "drsn_input_shift_alarms",
            "Inputs that lie farther from the training data than the model's alarm level allows",
            self.shift_alarms.clone(),
        );
        registry.register(
            "drsn_input_level_alarms",
            "Inputs whose raw signal level is more unusual than the model's alarm level allows",
            self.level_alarms.clone(),
        );
    }

    pub(super) fn forget(&self, labels: &ModelLabels) {
        self.p_value.remove(labels);
        self.shift_alarms.remove(labels);
        self.level_alarms.remove(labels);
    }

    pub(super) fn of(&self, labels: &ModelLabels) -> BaselineMetrics {
        BaselineMetrics {
            p_value: self.p_value.get_or_create_owned(labels),
            shift_alarms: self.shift_alarms.get_or_create_owned(labels),
            level_alarms: self.level_alarms.get_or_create_owned(labels),
        }
    }
}
