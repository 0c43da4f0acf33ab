//! Series that come with a model and go with it, so that their number stays bounded however often models change.
//!
//! One content of a version can still drain when the next one serves already: a series goes when nobody uses it any
//! more.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    BlockLabels, Metrics, ModelLabels, PredictionLabels, ProtocolLabels, ProviderLabels,
    RejectionLabels, RequestLabels, ResponseCode, StageLabels,
};

/// What the labels of a model's series say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelStory {
    /// Name and version.
    pub(crate) labels: ModelLabels,
    /// Its classes.
    pub(crate) classes: Vec<String>,
    /// Its blocks that shrink.
    pub(crate) blocks: Vec<String>,
    /// The device that was asked for.
    pub(crate) requested: String,
    /// The execution provider in use.
    pub(crate) actual: &'static str,
}

/// Something that series are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Name(String),
    Version(ModelLabels),
    Class(PredictionLabels),
    Block(BlockLabels),
    Provider(ProviderLabels),
}

/// Who uses which series.
#[derive(Debug, Default)]
pub(super) struct Used(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    users: HashMap<Subject, usize>,
    /// Series that came with a request.
    requests: HashSet<RequestLabels>,
    rejections: HashSet<RejectionLabels>,
}

impl Used {
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

/// The use of one model's series; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Series {
    metrics: Arc<Metrics>,
    story: ModelStory,
}

impl Series {
    pub(super) fn start(metrics: &Arc<Metrics>, story: ModelStory) -> Self {
        let series = Self { metrics: Arc::clone(metrics), story };
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

    pub(super) fn story(&self) -> &ModelStory {
        &self.story
    }

    fn subjects(&self) -> Vec<Subject> {
        let ModelStory { labels, classes, blocks, requested, actual } = &self.story;
        let ModelLabels { model, version } = labels;
        let mut subjects = vec![
            Subject::Name(model.clone()),
            Subject::Version(labels.clone()),
            Subject::Provider(ProviderLabels {
                model: model.clone(),
                requested: requested.clone(),
                actual,
            }),
        ];
        subjects.extend(classes.iter().map(|class| {
            Subject::Class(PredictionLabels {
                model: model.clone(),
                version: version.clone(),
                class: class.clone(),
            })
        }));
        subjects.extend(blocks.iter().map(|block| {
            Subject::Block(BlockLabels {
                model: model.clone(),
                version: version.clone(),
                block: block.clone(),
            })
        }));
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
            }
            Subject::Provider(labels) => {
                self.execution_provider.remove(labels);
            }
        }
    }

    fn forget_version(&self, labels: &ModelLabels) {
        let ModelLabels { model, version } = labels.clone();
        let protocol = "http";
        let answered = RequestLabels {
            model: model.clone(),
            version: version.clone(),
            protocol,
            code: ResponseCode::Http(200),
        };
        self.requests.remove(&answered);
        for protocol in ["http", "grpc"] {
            let (model, version) = (model.clone(), version.clone());
            self.request_duration.remove(&ProtocolLabels { model, version, protocol });
        }
        for stage in ["decode", "queue", "inference", "encode"] {
            let (model, version) = (model.clone(), version.clone());
            self.stage_duration.remove(&StageLabels { model, version, stage });
        }
        self.batch_size.remove(labels);
        self.queue_depth.remove(labels);
        self.model_ready.remove(labels);
        self.model_load_duration.remove(labels);
        self.baseline.forget(labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::metrics::Format;

    fn story(version: &str, classes: &[&str]) -> ModelStory {
        ModelStory {
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
        let old = metrics.model(story("1", &["x", "y"]));
        let labels = story("1", &[]).labels;
        metrics.count_request(Some(&labels), ResponseCode::Http(400));
        metrics.count_rejection(Some(&labels), "invalid");
        let all = of_model(&metrics);
        let new = metrics.model(story("1", &["x", "z"]));
        assert_eq!(of_model(&metrics), all + 1);
        drop(old);
        assert_eq!(of_model(&metrics), all);
        let other = metrics.model(story("2", &[]));
        drop(new);
        let text = metrics.render(Format::Prometheus, 0).unwrap_or_default();
        assert!(!text.contains("version=\"1\""), "{text}");
        assert!(text.contains("reason=\"invalid\""), "the name is still served");
        drop(other);
        assert_eq!(of_model(&metrics), 0);
    }
}
