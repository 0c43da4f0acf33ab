//! `GET /models/{model}/shift`: what came for a model in the last hour and the last day.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{classify::bad_path, models::json};
use crate::{
    app::App,
    engine::{change::ChangeWatch, model::Model},
    error::ApiError,
    observability::{
        clock::rfc3339,
        rolling::{self, Counts, P_VALUES},
    },
    schema::Schemas,
};

/// What came for a version of a model.
#[derive(Serialize, ToSchema)]
#[schema(as = RollingView)]
struct View<'a> {
    model: Name<'a>,
    /// When this process first loaded the version: nothing was counted before.
    #[schema(format = DateTime)]
    since: String,
    #[schema(format = DateTime)]
    now: String,
    /// The level of the alarms; null for a model without a baseline.
    #[schema(required)]
    alarm_level: Option<f64>,
    /// A sequential test over all inputs since the version was loaded; null for a model without that
    /// baseline.
    #[schema(required)]
    change: Option<ChangeStanding>,
    /// The last hour, and up to a minute more.
    hour: Span<'a>,
    /// The last 24 hours, and up to an hour more.
    day: Span<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingModel)]
struct Name<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingChange)]
struct ChangeStanding {
    /// Whether the inputs are no longer like the training data.
    alarm: bool,
    /// How near it is to an alarm, in [0, 1].
    evidence: f64,
    /// When the first input came that speaks for a change; null if none does now.
    #[schema(required, format = DateTime)]
    since: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingSpan)]
struct Span<'a> {
    #[schema(format = DateTime)]
    start: String,
    /// Answers: a recording counts once.
    predictions: u64,
    classes: Vec<ClassCount<'a>>,
    /// Null for a model without that baseline.
    #[schema(required)]
    input_shift: Option<ShiftCounts<'a>>,
    /// Null for images, and for a model without that baseline.
    #[schema(required)]
    input_level: Option<LevelCounts>,
    /// Minute by minute, or of a day hour by hour; the oldest first, the last one not over yet.
    timeline: Vec<Moment>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingClass)]
struct ClassCount<'a> {
    label: &'a str,
    class_index: usize,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingShift)]
struct ShiftCounts<'a> {
    /// Inputs, each window of a recording counted.
    inputs: u64,
    alarms: u64,
    p_values: Vec<Bin>,
    blocks: Vec<BlockScore<'a>>,
}

/// Inputs with a p-value of at most `le`, and above the bin before.
#[derive(Serialize, ToSchema)]
#[schema(as = RollingBin)]
struct Bin {
    le: f64,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingBlock)]
struct BlockScore<'a> {
    name: &'a str,
    /// Mean over inputs and channels of how far the mean magnitudes lie from those of training, in
    /// standard deviations of training; null if no input came.
    #[schema(required)]
    z: Option<f64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingLevel)]
struct LevelCounts {
    /// Inputs, each window of a recording counted.
    inputs: u64,
    alarms: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RollingMoment)]
struct Moment {
    #[schema(format = DateTime)]
    start: String,
    predictions: u64,
    shift_inputs: u64,
    shift_alarms: u64,
    level_alarms: u64,
}

pub(super) async fn of_model(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = path.map_err(|_| bad_path())?;
    json(&view(&*app.repository()?.find(Some(&name), None)?))
}

pub(super) async fn of_version(
    State(app): State<Arc<App>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((name, version)) = path.map_err(|_| bad_path())?;
    json(&view(&*app.repository()?.find(Some(&name), Some(&version))?))
}

fn view(model: &Model) -> View<'_> {
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

/// Adds the schemas of the response.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<View<'_>>();
}
