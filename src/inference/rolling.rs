//! What came for a model in the last hour and the last day, whatever protocol asks for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    engine::{change::ChangeWatch, model::Model},
    observability::{
        clock::rfc3339,
        rolling::{self, Counts, P_VALUES},
    },
};

/// What came for a version of a model.
#[derive(Serialize, ToSchema)]
#[schema(as = RollingView)]
pub(crate) struct View<'a> {
    pub(crate) model: Name<'a>,
    /// When this process first loaded the version: nothing was counted before.
    #[schema(format = DateTime)]
    pub(crate) since: String,
    #[schema(format = DateTime)]
    pub(crate) now: String,
    /// The level of the alarms; null for a model without a baseline.
    #[schema(required)]
    pub(crate) alarm_level: Option<f64>,
    /// A sequential test over all inputs since the version was loaded; null for a model without that
    /// baseline.
    #[schema(required)]
    pub(crate) change: Option<ChangeStanding>,
    /// The last hour, and up to a minute more.
    pub(crate) hour: Span<'a>,
    /// The last 24 hours, and up to an hour more.
    pub(crate) day: Span<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingModel)]
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingChange)]
pub(crate) struct ChangeStanding {
    /// Whether the inputs are no longer like the training data.
    pub(crate) alarm: bool,
    /// How near it is to an alarm, in [0, 1].
    pub(crate) evidence: f64,
    /// When the first input came that speaks for a change; null if none does now.
    #[schema(required, format = DateTime)]
    pub(crate) since: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingSpan)]
pub(crate) struct Span<'a> {
    #[schema(format = DateTime)]
    pub(crate) start: String,
    /// Answers: a recording counts once.
    pub(crate) predictions: u64,
    pub(crate) classes: Vec<ClassCount<'a>>,
    /// Null for a model without that baseline.
    #[schema(required)]
    pub(crate) input_shift: Option<ShiftCounts<'a>>,
    /// Null for images, and for a model without that baseline.
    #[schema(required)]
    pub(crate) input_level: Option<LevelCounts>,
    /// Minute by minute, or of a day hour by hour; the oldest first, the last one not over yet.
    pub(crate) timeline: Vec<Moment>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingClass)]
pub(crate) struct ClassCount<'a> {
    pub(crate) label: &'a str,
    pub(crate) class_index: usize,
    pub(crate) count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingShift)]
pub(crate) struct ShiftCounts<'a> {
    /// Inputs, each window of a recording counted.
    pub(crate) inputs: u64,
    pub(crate) alarms: u64,
    pub(crate) p_values: Vec<Bin>,
    pub(crate) blocks: Vec<BlockScore<'a>>,
}

/// Inputs with a p-value of at most `le`, and above the bin before.
#[derive(Serialize, ToSchema)]
#[schema(as = RollingBin)]
pub(crate) struct Bin {
    pub(crate) le: f64,
    pub(crate) count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingBlock)]
pub(crate) struct BlockScore<'a> {
    pub(crate) name: &'a str,
    /// Mean over inputs and channels of how far the mean magnitudes lie from those of training, in
    /// standard deviations of training; null if no input came.
    #[schema(required)]
    pub(crate) z: Option<f64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingLevel)]
pub(crate) struct LevelCounts {
    /// Inputs, each window of a recording counted.
    pub(crate) inputs: u64,
    pub(crate) alarms: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingMoment)]
pub(crate) struct Moment {
    #[schema(format = DateTime)]
    pub(crate) start: String,
    pub(crate) predictions: u64,
    pub(crate) shift_inputs: u64,
    pub(crate) shift_alarms: u64,
    pub(crate) level_alarms: u64,
}

/// What came for a model until now.
pub(crate) fn view(model: &Model) -> View<'_> {
    let now = SystemTime::now();
    let rolling::View { age, hour, day } = model.metrics.baseline.rolling.view(Instant::now());
    View {
        model: Name { name: &model.labels.model, version: &model.labels.version },
        since: timestamp(now, age),
        now: timestamp(now, Duration::ZERO),
        alarm_level: model.manifest().baseline.as_ref().map(|baseline| baseline.alarm_level),
        change: model.change.as_ref().map(ChangeWatch::standing).map(|standing| ChangeStanding {
            alarm: standing.alarm,
            evidence: standing.evidence,
            since: standing.age.map(|age| timestamp(now, age)),
        }),
        hour: span(model, hour, now),
        day: span(model, day, now),
    }
}

fn span(model: &Model, span: rolling::Span, now: SystemTime) -> Span<'_> {
    let manifest = model.manifest();
    let rolling::Span { age, counts, timeline } = span;
    let classes = manifest.classes.iter().zip(counts.classes()).enumerate();
    let baseline = manifest.baseline.as_ref();
    let moment = |(age, counts): (Duration, Counts)| Moment {
        start: timestamp(now, age),
        predictions: counts.predictions(),
        shift_inputs: counts.shift_inputs(),
        shift_alarms: counts.shift_alarms(),
        level_alarms: counts.level_alarms(),
    };
    Span {
        start: timestamp(now, age),
        predictions: counts.predictions(),
        classes: classes
            .map(|(class_index, (label, &count))| ClassCount { label, class_index, count })
            .collect(),
        input_shift: baseline
            .and_then(|baseline| baseline.shift.as_ref())
            .map(|_| shift_counts(model, &counts)),
        input_level: baseline
            .and_then(|baseline| baseline.level.as_ref())
            .map(|_| LevelCounts { inputs: counts.level_inputs(), alarms: counts.level_alarms() }),
        timeline: timeline.into_iter().map(moment).collect(),
    }
}

fn shift_counts<'a>(model: &'a Model, counts: &Counts) -> ShiftCounts<'a> {
    let bins = P_VALUES.iter().zip(counts.p_values());
    let blocks = model.manifest().blocks.iter().enumerate();
    ShiftCounts {
        inputs: counts.shift_inputs(),
        alarms: counts.shift_alarms(),
        p_values: bins.map(|(&le, &count)| Bin { le, count }).collect(),
        blocks: blocks
            .map(|(index, block)| BlockScore { name: block.name.as_str(), z: counts.mean_z(index) })
            .collect(),
    }
}

/// The time so long before `now`, by RFC 3339.
fn timestamp(now: SystemTime, age: Duration) -> String {
    rfc3339(now.checked_sub(age).unwrap_or(UNIX_EPOCH))
}
