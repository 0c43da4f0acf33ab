//! `GET /models/{model}/baseline`: what is usual for a model, to compare answers with.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use drsn_bundle::{
    Manifest,
    baseline::{ChannelLimits, ClassThresholds, HeldOut, Limits, Spreads},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    classify::bad_path,
    models::{json_of, to_json},
};
use crate::{
    app::App, engine::model::Model, error::ApiError, inference::classify::ModelName,
    schema::Schemas,
};

/// Steps between the quantiles of held-out scores.
const STEPS: u32 = 100;

/// What is usual for a version of a model.
#[derive(Serialize, ToSchema)]
#[schema(as = Usual)]
struct View<'a> {
    model: ModelName<'a>,
    /// The data that it was measured on; null for a model without a baseline.
    #[schema(required)]
    data: Option<&'a str>,
    /// The level of the alarms; null for a model without a baseline.
    #[schema(required)]
    alarm_level: Option<f64>,
    /// Scores of the held-out inputs; null for a model without that baseline.
    #[schema(required)]
    input_shift: Option<UsualShift>,
    /// Levels of the training windows; null for images, and for a model without that baseline.
    #[schema(required)]
    input_level: Option<UsualLevel<'a>>,
    /// Thresholds of the training inputs; null for a model whose baseline does not have them.
    #[schema(required)]
    thresholds: Option<Vec<UsualBlocks<'a>>>,
}

/// The distribution of the input shift's scores.
#[derive(Serialize, ToSchema)]
struct UsualShift {
    /// Number of held-out inputs.
    held_out_inputs: u64,
    /// Scores above this alarm.
    alarm_above: f32,
    /// Scores of the held-out inputs in ascending order: the smallest, in steps of a hundredth of them,
    /// and the largest.
    quantiles: Vec<Quantile>,
}

/// The score that a share of the held-out inputs does not exceed.
#[derive(Serialize, ToSchema)]
struct Quantile {
    /// The share, in [0, 1].
    share: f64,
    /// The score.
    score: f32,
}

/// The usual levels.
#[derive(Serialize, ToSchema)]
struct UsualLevel<'a> {
    /// Number of held-out windows.
    held_out_inputs: u64,
    /// A window alarms if a number is this many times as far from the middle as the limit on that
    /// side.
    alarm_above: f32,
    classes: Vec<ClassLevel<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsualClassLevel)]
struct ClassLevel<'a> {
    label: &'a str,
    class_index: usize,
    /// For each channel of the input.
    channel: Vec<ChannelLevel>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsualChannelLevel)]
struct ChannelLevel {
    /// Root of the mean square.
    rms: Range,
    /// Deviation from the mean.
    deviation: Range,
    /// Mean.
    offset: Range,
    /// Largest magnitude.
    peak: Range,
    /// Share of samples that stay at an extreme.
    clipped: Range,
    /// Share of samples that equal the one before, or are zero; null if the baseline does not have it,
    /// as the next two.
    #[schema(required)]
    stuck: Option<Range>,
    /// RMS of the first differences over the deviation: it grows with the mean frequency.
    #[schema(required)]
    frequency: Option<Range>,
    /// Bandwidth: RMS of the second differences times the deviation, over the first differences' mean
    /// square.
    #[schema(required)]
    bandwidth: Option<Range>,
}

/// Median of the training windows, and the limits on both sides.
#[derive(Serialize, ToSchema)]
#[schema(as = UsualRange)]
struct Range {
    low: f32,
    middle: f32,
    high: f32,
}

#[derive(Serialize, ToSchema)]
struct UsualBlocks<'a> {
    label: &'a str,
    class_index: usize,
    /// Number of training inputs.
    inputs: u64,
    blocks: Vec<UsualBlock<'a>>,
}

#[derive(Serialize, ToSchema)]
struct UsualBlock<'a> {
    name: &'a str,
    /// For each channel.
    channel: Vec<UsualChannel>,
}

/// Threshold and scale of one channel over the training inputs of a class.
#[derive(Serialize, ToSchema)]
struct UsualChannel {
    /// Of τ; null for a class without training inputs.
    #[schema(required)]
    threshold: Option<MeanAndDeviation>,
    /// Of α; null if it is known for none.
    #[schema(required)]
    scale: Option<MeanAndDeviation>,
}

/// Mean and standard deviation.
#[derive(Serialize, ToSchema)]
struct MeanAndDeviation {
    mean: f32,
    deviation: f32,
}

pub(super) async fn of_model(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = path.map_err(|_| bad_path())?;
    answer(&*app.repository()?.find(Some(&name), None)?)
}

pub(super) async fn of_version(
    State(app): State<Arc<App>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((name, version)) = path.map_err(|_| bad_path())?;
    answer(&*app.repository()?.find(Some(&name), Some(&version))?)
}

/// It does not change while the model is served, and can be large, so it is kept.
fn answer(model: &Model) -> Result<Response, ApiError> {
    if let Some(kept) = model.usual_json.get() {
        return Ok(json_of(kept.clone()));
    }
    let json = to_json(&view(model))?;
    Ok(json_of(model.usual_json.get_or_init(|| json.into()).clone()))
}

fn view(model: &Model) -> View<'_> {
    let manifest = model.manifest();
    let baseline = manifest.baseline.as_ref();
    let alarm_level = baseline.map(|baseline| baseline.alarm_level);
    let alarm_above = |held_out: &HeldOut| held_out.alarm_above(alarm_level.unwrap_or_default());
    let shift = baseline.and_then(|baseline| baseline.shift.as_ref());
    let level = baseline.and_then(|baseline| baseline.level.as_ref());
    let thresholds = baseline.and_then(|baseline| baseline.thresholds.as_ref());
    View {
        model: ModelName { name: &model.labels.model, version: &model.labels.version },
        data: baseline.map(|baseline| &*baseline.data),
        alarm_level,
        input_shift: shift.map(|shift| UsualShift {
            held_out_inputs: shift.held_out.count,
            alarm_above: alarm_above(&shift.held_out),
            quantiles: quantiles(&shift.held_out.values),
        }),
        input_level: level.map(|level| UsualLevel {
            held_out_inputs: level.held_out.count,
            alarm_above: alarm_above(&level.held_out),
            classes: labelled(manifest, &level.classes)
                .map(|(class_index, label, channels)| ClassLevel {
                    label,
                    class_index,
                    channel: channels.iter().map(ChannelLevel::of).collect(),
                })
                .collect(),
        }),
        thresholds: thresholds.map(|thresholds| {
            let classes = labelled(manifest, &thresholds.classes);
            classes
                .map(|(class_index, label, class)| UsualBlocks {
                    label,
                    class_index,
                    inputs: class.inputs,
                    blocks: blocks(manifest, class),
                })
                .collect()
        }),
    }
}

/// Each class with its index and its label.
fn labelled<'a, T>(
    manifest: &'a Manifest,
    classes: &'a [T],
) -> impl Iterator<Item = (usize, &'a str, &'a T)> {
    let labels = manifest.classes.iter().map(String::as_str);
    labels.zip(classes).enumerate().map(|(index, (label, class))| (index, label, class))
}

/// Quantiles of ascending numbers.
fn quantiles(scores: &[f32]) -> Vec<Quantile> {
    let last = scores.len().saturating_sub(1);
    let quantile = |step: u32| {
        let share = f64::from(step) / f64::from(STEPS);
        let score = scores.get((share * last as f64).round() as usize);
        Some(Quantile { share, score: *score? })
    };
    (0..=STEPS).filter_map(quantile).collect()
}

/// The blocks' channels of one class.
fn blocks<'a>(manifest: &'a Manifest, class: &ClassThresholds) -> Vec<UsualBlock<'a>> {
    let spread = |Spreads { mean, deviation }: &Spreads, at: usize| MeanAndDeviation {
        mean: mean[at],
        deviation: deviation[at],
    };
    let mut places = 0..class.threshold.mean.len();
    let channel = |at: usize| UsualChannel {
        threshold: (class.inputs > 0).then(|| spread(&class.threshold, at)),
        // α is in (0, 1): the mean is 0 if it was never known.
        scale: (class.scale.mean[at] > 0.0).then(|| spread(&class.scale, at)),
    };
    let blocks = manifest.blocks.iter().map(|block| UsualBlock {
        name: block.name.as_str(),
        channel: places.by_ref().take(block.channels).map(channel).collect(),
    });
    blocks.collect()
}

impl ChannelLevel {
    fn of(limits: &ChannelLimits) -> Self {
        let shape = limits.shape.as_ref();
        Self {
            rms: Range::of_logarithms(limits.log_rms),
            deviation: Range::of_logarithms(limits.log_deviation),
            offset: Range::of(limits.offset),
            peak: Range::of_logarithms(limits.log_peak),
            clipped: Range::of(limits.clipped),
            stuck: shape.map(|shape| Range::of(shape.stuck)),
            frequency: shape.map(|shape| Range::of_logarithms(shape.log_frequency)),
            bandwidth: shape.map(|shape| Range::of_logarithms(shape.log_bandwidth)),
        }
    }
}

impl Range {
    fn of(Limits { low, middle, high }: Limits) -> Self {
        Self { low, middle, high }
    }

    /// Of limits of natural logarithms; a manifest's can be those of numbers beyond 32 bits.
    fn of_logarithms(Limits { low, middle, high }: Limits) -> Self {
        let [low, middle, high] =
            [low, middle, high].map(|logarithm| logarithm.exp().min(f32::MAX));
        Self { low, middle, high }
    }
}

/// Adds the schemas of the response.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<View<'_>>();
}
