//! Metrics of the baseline checks: how unusual inputs are for their models.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Instant,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{BlockLabels, Histograms, ModelIdentity, ModelLabels};
use crate::observability::rolling::{P_VALUES, Rolling};

type Number = Gauge<f64, AtomicU64>;

/// The families of all models.
#[derive(Debug)]
pub(super) struct BaselineFamilies {
    p_value: Histograms<ModelLabels>,
    shift_alarms: Family<ModelLabels, Counter>,
    level_alarms: Family<ModelLabels, Counter>,
    z: Family<BlockLabels, Number>,
    changed: Family<ModelLabels, Gauge>,
    /// They stay when a version is loaded anew.
    rolling: Mutex<HashMap<ModelLabels, Arc<Rolling>>>,
}

/// The metrics of one model. Without a baseline they stay at zero.
#[derive(Debug, Clone)]
pub(crate) struct BaselineMetrics {
    /// What came in the last hour and day.
    pub(crate) rolling: Arc<Rolling>,
    /// p-values of the input shift.
    p_value: Histogram,
    /// Inputs whose shift alarmed.
    shift_alarms: Counter,
    /// Inputs whose level alarmed.
    level_alarms: Counter,
    /// 1 while the sequential test says that the inputs have changed.
    pub(crate) changed: Gauge,
    /// Mean z-score of each block over the last hour.
    z: Vec<Number>,
}

impl BaselineMetrics {
    /// Counts the shift of an input, with the mean z-score of each block's channels.
    pub(crate) fn count_shift(&self, p_value: f64, alarm: bool, z: impl Iterator<Item = f64>) {
        self.p_value.observe(p_value);
        if alarm {
            self.shift_alarms.inc();
        }
        self.rolling.add_shift(p_value, alarm, z);
    }

    /// Counts the level of an input.
    pub(crate) fn count_level(&self, alarm: bool) {
        if alarm {
            self.level_alarms.inc();
        }
        self.rolling.add_level(alarm);
    }

    /// Ends a minute of the rolling view.
    pub(crate) fn end_minute(&self, now: Instant) {
        self.rolling.tick(now);
        let hour = self.rolling.view(now).hour.counts;
        for (block, gauge) in self.z.iter().enumerate() {
            gauge.set(hour.mean_z(block).unwrap_or(f64::NAN));
        }
    }
}

impl BaselineFamilies {
    pub(super) fn new() -> Self {
        Self {
            p_value: Family::new_with_constructor(|| Histogram::new(P_VALUES)),
            shift_alarms: Family::default(),
            level_alarms: Family::default(),
            z: Family::default(),
            changed: Family::default(),
            rolling: Mutex::default(),
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
        registry.register(
            "drsn_input_shift_z",
            "Mean over the last hour of how far a block's mean magnitudes lie from those of training, in standard deviations",
            self.z.clone(),
        );
        registry.register(
            "drsn_input_shift_changed",
            "1 while the sequential test says that the inputs are no longer like the training data, otherwise 0",
            self.changed.clone(),
        );
    }

    pub(super) fn forget_block(&self, labels: &BlockLabels) {
        self.z.remove(labels);
    }

    pub(super) fn forget(&self, labels: &ModelLabels) {
        self.rolling.lock().unwrap_or_else(PoisonError::into_inner).remove(labels);
        self.changed.remove(labels);
        self.p_value.remove(labels);
        self.shift_alarms.remove(labels);
        self.level_alarms.remove(labels);
    }

    pub(super) fn of(&self, identity: &ModelIdentity) -> BaselineMetrics {
        let labels = &identity.labels;
        let z = identity.block_labels().map(|block| self.z.get_or_create_owned(&block));
        BaselineMetrics {
            rolling: self.rolling_of(identity),
            z: z.collect(),
            changed: self.changed.get_or_create_owned(labels),
            p_value: self.p_value.get_or_create_owned(labels),
            shift_alarms: self.shift_alarms.get_or_create_owned(labels),
            level_alarms: self.level_alarms.get_or_create_owned(labels),
        }
    }

    /// The rolling view of a version, which goes on when it is loaded anew with the same classes and
    /// blocks.
    fn rolling_of(&self, identity: &ModelIdentity) -> Arc<Rolling> {
        let ModelIdentity { labels, classes, blocks, .. } = identity;
        let mut all = self.rolling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rolling) = all.get(labels).filter(|rolling| rolling.is_of(classes, blocks)) {
            return Arc::clone(rolling);
        }
        let rolling = Arc::new(Rolling::new(classes.clone(), blocks.clone(), Instant::now()));
        all.insert(labels.clone(), Arc::clone(&rolling));
        rolling
    }
}
