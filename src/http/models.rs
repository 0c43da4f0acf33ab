//! `GET /models`: what is served, and all that a client needs to know to use it.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};
use drsn_bundle::{Architecture, Baseline, InputSpec, ThresholdKind, Training};
use serde::Serialize;

use crate::{
    error::{ApiError, ErrorKind},
    model::Model,
    server::App,
};

#[derive(Serialize)]
struct Models<'a> {
    default: Option<&'a str>,
    models: Vec<Description<'a>>,
}

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    version: &'a str,
    state: &'static str,
    input: Input<'a>,
    classes: &'a [String],
    blocks: Vec<BlockName<'a>>,
    architecture: &'a Architecture,
    training: Option<&'a Training>,
    baseline: Option<BaselineStory<'a>>,
    execution_provider: &'static str,
    max_batch: usize,
}

/// The input's kind and preparation, and its shape in one place.
#[derive(Serialize)]
struct Input<'a> {
    #[serde(flatten)]
    spec: &'a InputSpec,
    shape: Vec<usize>,
}

#[derive(Serialize)]
struct BlockName<'a> {
    name: &'a str,
    channels: usize,
    threshold: ThresholdKind,
}

/// What a client must know of a baseline to read its answers; its numbers stay here.
#[derive(Serialize)]
struct BaselineStory<'a> {
    data: &'a str,
    alarm_level: f64,
    /// Held-out inputs that the shift is ranked among; null without one.
    shift_held_out_inputs: Option<u64>,
    /// The same for the level.
    level_held_out_inputs: Option<u64>,
}

impl<'a> BaselineStory<'a> {
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
    json(&Models {
        default: repository.default_model().map(|model| model.labels.model.as_str()),
        models: repository.models().map(|model| describe(model)).collect(),
    })
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| {
        ErrorKind::NotFound.because("there is no model of that name: it is not UTF-8")
    })?;
    let model = app.repository()?.find(Some(&name), None)?;
    json(&describe(model))
}

fn describe(model: &Model) -> Description<'_> {
    let manifest = model.manifest();
    Description {
        name: &model.labels.model,
        version: &model.labels.version,
        state: "ready",
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
        architecture: &manifest.architecture,
        training: manifest.training.as_ref(),
        baseline: manifest.baseline.as_ref().map(BaselineStory::of),
        execution_provider: model.provider.name(),
        max_batch: model.max_batch(),
    }
}

fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    let json = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "a description could not be written as JSON");
        ApiError::internal()
    })?;
    Ok(([(axum::http::header::CONTENT_TYPE, "application/json")], json).into_response())
}
