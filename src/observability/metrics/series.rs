//! The series of a model exist as long as the model does, so that their number stays bounded
//! however often models change.
//!
//! One content of a version may still drain while the next one already serves: a series is removed
//! with its last user.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    BlockLabels, Metrics, ModelLabels, PredictionLabels, ProviderLabels, RejectionLabels,
    RequestLabels,
};

/// The values of the labels of a model's series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelIdentity {
    /// Name and version.
    pub(crate) labels: ModelLabels,
    /// Labels of the classes.
    pub(crate) classes: Vec<String>,
    /// Names of the blocks that shrink.
    pub(crate) blocks: Vec<String>,
    /// The configured device.
    pub(crate) requested: String,
    /// The execution provider in use.
    pub(crate) actual: &'static str,
}

impl ModelIdentity {
    pub(super) fn class_labels(&self) -> impl Iterator<Item = PredictionLabels> {
        self.classes.iter().map(|class| self.labels.class(class))
    }

    pub(super) fn block_labels(&self) -> impl Iterator<Item = BlockLabels> {
        self.blocks.iter().map(|block| self.labels.block(block))
    }
}

/// What a group of series is about: they are removed together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Name(String),
    Version(ModelLabels),
    Class(PredictionLabels),
    Block(BlockLabels),
    Provider(ProviderLabels),
}

/// How many models use which series.
#[derive(Debug, Default)]
pub(super) struct UseCounts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    users: HashMap<Subject, usize>,
    /// Series that requests created.
    requests: HashSet<RequestLabels>,
    rejections: HashSet<RejectionLabels>,
}

impl UseCounts {
    pub(super) fn note_request(&self, labels: RequestLabels) {
        if !labels.model.is_empty() {
            self.lock().requests.insert(labels);
        }
    }

    pub(super) fn note_rejection(&self, labels: RejectionLabels) {
        if !labels.model.is_empty() {
            self.lock().rejections.insert(labels);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One model's use of its series; dropping this ends it.
#[derive(Debug)]
pub(super) struct Series {
    metrics: Arc<Metrics>,
    identity: ModelIdentity,
}

impl Series {
    pub(super) fn start(metrics: &Arc<Metrics>, identity: ModelIdentity) -> Self {
        let series = Self { metrics: Arc::clone(metrics), identity };
        let mut used = metrics.used.lock();
        for subject in series.subjects() {
            if let Subject::Provider(labels) = &subject {
                metrics.execution_provider.get_or_create(labels).set(1);
            }
            *used.users.entry(subject).or_default() += 1;
        }
        drop(used);
        series
    }

    pub(super) fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn subjects(&self) -> Vec<Subject> {
        let ModelIdentity { labels, requested, actual, .. } = &self.identity;
        let provider =
            ProviderLabels { model: labels.model.clone(), requested: requested.clone(), actual };
        let mut subjects = vec![
            Subject::Name(labels.model.clone()),
            Subject::Version(labels.clone()),
            Subject::Provider(provider),
        ];
        subjects.extend(self.identity.class_labels().map(Subject::Class));
        subjects.extend(self.identity.block_labels().map(Subject::Block));
        subjects
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        let mut used = self.metrics.used.lock();
        for subject in self.subjects() {
            let Some(users) = used.users.get_mut(&subject) else { continue };
            *users -= 1;
            if *users == 0 {
                used.users.remove(&subject);
                self.metrics.forget(&subject, &mut used);
            }
        }
    }
}

impl Metrics {
    fn forget(&self, subject: &Subject, used: &mut State) {
        match subject {
            Subject::Name(name) => {
                for labels in used.rejections.extract_if(|labels| labels.model == *name) {
                    self.rejected.remove(&labels);
                }
            }
            Subject::Version(labels) => {
                let ModelLabels { model, version } = labels;
                let of_model = |r: &RequestLabels| r.model == *model && r.version == *version;
                for labels in used.requests.extract_if(of_model) {
                    self.requests.remove(&labels);
                }
                self.forget_version(labels);
            }
            Subject::Class(labels) => {
                self.predictions.remove(labels);
            }
            Subject::Block(labels) => {
                self.threshold.remove(labels);
                self.baseline.forget_block(labels);
            }
            Subject::Provider(labels) => {
                self.execution_provider.remove(labels);
            }
        }
    }

    fn forget_version(&self, labels: &ModelLabels) {
        self.requests.remove(&labels.answered());
        for protocol in ["http", "grpc"] {
            self.request_duration.remove(&labels.protocol(protocol));
        }
        for stage in ["decode", "queue", "inference", "encode"] {
            self.stage_duration.remove(&labels.stage(stage));
        }
        for reason in ["panic", "hang"] {
            self.worker_restarts.remove(&labels.restart(reason));
        }
        self.batch_size.remove(labels);
        self.max_batch.remove(labels);
        self.queue_depth.remove(labels);
        self.model_ready.remove(labels);
        self.model_load_duration.remove(labels);
        self.baseline.forget(labels);
        self.captures.forget(labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::metrics::{Format, ResponseCode};

    fn identity(version: &str, classes: &[&str]) -> ModelIdentity {
        ModelIdentity {
            labels: ModelLabels { model: "a".to_owned(), version: version.to_owned() },
            classes: classes.iter().map(ToString::to_string).collect(),
            blocks: vec!["stage1".to_owned()],
            requested: "cpu".to_owned(),
            actual: "CPUExecutionProvider",
        }
    }

    fn of_model(metrics: &Metrics) -> usize {
        let text = metrics.render(Format::Prometheus, 0).unwrap_or_default();
        text.lines().filter(|line| line.contains("model=\"a\"")).count()
    }

    #[test]
    fn the_series_of_a_model_go_with_it_and_not_before_its_last_user() {
        let metrics = Metrics::new();
        let old = metrics.model(identity("1", &["x", "y"]));
        let labels = identity("1", &[]).labels;
        metrics.count_request(Some(&labels), ResponseCode::Http(400));
        metrics.count_rejection(Some(&labels), "invalid");
        let all = of_model(&metrics);
        let new = metrics.model(identity("1", &["x", "z"]));
        assert_eq!(of_model(&metrics), all + 1);
        drop(old);
        assert_eq!(of_model(&metrics), all);
        let other = metrics.model(identity("2", &[]));
        drop(new);
        let text = metrics.render(Format::Prometheus, 0).unwrap_or_default();
        assert!(!text.contains("version=\"1\""), "{text}");
        assert!(text.contains("reason=\"invalid\""), "the name is still served");
        drop(other);
        assert_eq!(of_model(&metrics), 0);
    }
}
