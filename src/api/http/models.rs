//! `GET /models`: the models, and what a client needs to know to use them.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use drsn_bundle::{
    Architecture, Baseline, Calibration, InputSpec, Origin, ThresholdKind, Training,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    engine::{class_map::MapShape, model::Model},
    error::{ApiError, ErrorKind},
    repository::{IndexEntry, ModelState},
    schema::{self, Schemas},
};

#[derive(Serialize, ToSchema)]
#[schema(as = ModelList)]
struct Models<'a> {
    #[schema(required)]
    default: Option<&'a str>,
    models: Vec<Entry<'a>>,
}

/// A version that is served, or one that is not and why.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelEntry)]
#[serde(untagged)]
enum Entry<'a> {
    Served(Box<Description<'a>>),
    Other(ModelStatus<'a>),
}

#[derive(Serialize, ToSchema)]
#[schema(as = ModelStanding)]
struct ModelStatus<'a> {
    name: &'a str,
    version: &'a str,
    state: String,
    reason: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ModelDescription)]
struct Description<'a> {
    name: &'a str,
    version: &'a str,
    state: &'static str,
    /// Why newer contents of this version's folder are not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// All versions of the model.
    versions: Vec<VersionStatus<'a>>,
    #[schema(schema_with = schema::model_input)]
    input: Input<'a>,
    classes: &'a [String],
    blocks: Vec<BlockName<'a>>,
    /// The layers; missing for an imported network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::architecture)]
    architecture: Option<&'a Architecture>,
    /// Where an imported network comes from; missing for one that `drsn-train` trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::origin)]
    origin: Option<&'a Origin>,
    #[schema(required, schema_with = schema::training)]
    training: Option<&'a Training>,
    #[schema(required)]
    baseline: Option<BaselineSummary<'a>>,
    /// The temperature that the logits are divided by; null if none was chosen.
    #[schema(required, schema_with = schema::calibration)]
    calibration: Option<&'a Calibration>,
    /// Positions of the class activation map of `diagnostics=full`; null if the network does not end
    /// in a global mean and one linear layer.
    #[schema(required)]
    map: Option<Map>,
    execution_provider: &'static str,
    max_batch: usize,
}

/// Positions along a signal, or rows and columns over a picture.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelMap)]
#[serde(untagged)]
enum Map {
    Signal { positions: usize },
    Image { height: usize, width: usize },
}

impl From<MapShape> for Map {
    fn from(shape: MapShape) -> Self {
        match shape {
            MapShape::Signal { positions } => Self::Signal { positions },
            MapShape::Image { height, width } => Self::Image { height, width },
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = VersionStanding)]
struct VersionStatus<'a> {
    version: &'a str,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The input's kind, preparation and shape.
#[derive(Serialize)]
struct Input<'a> {
    #[serde(flatten)]
    spec: &'a InputSpec,
    shape: Vec<usize>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ModelBlock)]
struct BlockName<'a> {
    name: &'a str,
    channels: usize,
    #[schema(schema_with = schema::threshold_kind)]
    threshold: ThresholdKind,
}

/// What a client needs to know about the baseline to interpret answers.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelBaseline)]
struct BaselineSummary<'a> {
    data: &'a str,
    alarm_level: f64,
    /// Held-out inputs among which the shift is ranked; null without a baseline of the shift.
    shift_held_out_inputs: Option<u64>,
    /// Held-out inputs among which the level is ranked; null without a baseline of the level.
    level_held_out_inputs: Option<u64>,
}

impl<'a> BaselineSummary<'a> {
    fn of(baseline: &'a Baseline) -> Self {
        Self {
            data: &baseline.data,
            alarm_level: baseline.alarm_level,
            shift_held_out_inputs: baseline.shift.as_ref().map(|shift| shift.held_out.count),
            level_held_out_inputs: baseline.level.as_ref().map(|level| level.held_out.count),
        }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let repository = app.repository()?;
    let (models, index) = (repository.models(), repository.index());
    let default = repository.default_model();
    let entry = |entry| match served(&models, entry) {
        Some(model) => Entry::Served(Box::new(describe(model, &index))),
        None => Entry::Other(ModelStatus::of(entry)),
    };
    json(&Models {
        default: default.as_ref().map(|model| model.labels.model.as_str()),
        models: index.iter().map(entry).collect(),
    })
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| {
        ErrorKind::NotFound
            .because("there is no such model: the name in the path is not valid UTF-8")
    })?;
    let repository = app.repository()?;
    let index = repository.index();
    match repository.find(Some(&name), None) {
        Ok(model) => json(&describe(&model, &index)),
        Err(error) => match index.iter().rev().find(|entry| entry.name == name) {
            Some(entry) => json(&ModelStatus::of(entry)),
            None => Err(error),
        },
    }
}

fn served<'a>(models: &'a [Arc<Model>], entry: &IndexEntry) -> Option<&'a Arc<Model>> {
    models
        .iter()
        .find(|model| model.labels.model == entry.name && model.labels.version == entry.version)
}

fn lower_case(state: ModelState) -> String {
    state.as_str().to_lowercase()
}

fn reason(entry: &IndexEntry) -> Option<&str> {
    Some(entry.reason.as_str()).filter(|reason| !reason.is_empty())
}

impl<'a> ModelStatus<'a> {
    fn of(entry: &'a IndexEntry) -> Self {
        let IndexEntry { name, version, state, reason } = entry;
        Self { name, version, state: lower_case(*state), reason }
    }
}

fn describe<'a>(model: &'a Model, index: &'a [IndexEntry]) -> Description<'a> {
    let manifest = model.manifest();
    let of_model = || index.iter().filter(|entry| entry.name == model.labels.model);
    Description {
        name: &model.labels.model,
        version: &model.labels.version,
        state: "ready",
        reason: of_model().find(|e| e.version == model.labels.version).and_then(reason),
        versions: of_model()
            .map(|entry| VersionStatus {
                version: &entry.version,
                state: lower_case(entry.state),
                reason: reason(entry),
            })
            .collect(),
        input: Input { spec: &manifest.input, shape: manifest.input.shape() },
        classes: &manifest.classes,
        blocks: manifest
            .blocks
            .iter()
            .map(|block| BlockName {
                name: block.name.as_str(),
                channels: block.channels,
                threshold: block.threshold,
            })
            .collect(),
        architecture: manifest.architecture.as_ref(),
        origin: manifest.origin.as_ref(),
        training: manifest.training.as_ref(),
        baseline: manifest.baseline.as_ref().map(BaselineSummary::of),
        calibration: manifest.calibration.as_ref(),
        map: model.map.map(Map::from),
        execution_provider: model.provider.name(),
        max_batch: model.max_batch(),
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    Ok(json_of(to_json(value)?.into()))
}

/// A description as JSON.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "cannot serialize a description");
        ApiError::internal()
    })
}

/// A response of JSON.
pub(super) fn json_of(json: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Adds the schemas of the responses.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Models<'_>>();
}
