//! Health, metadata, configuration and statistics of the server and its models.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::{App, Phase},
    engine::model::Model,
    error::{ApiError, ErrorKind},
    inference::tensors::{self, Parameters, TensorDescription},
    observability::statistics::{Statistics, Total},
    schema::Schemas,
};

/// The model in a path; without a version, the highest one served.
#[derive(Debug, Deserialize)]
pub(super) struct ModelPath {
    model: String,
    version: Option<String>,
}

type Named = Result<Path<ModelPath>, PathRejection>;

impl ModelPath {
    pub(super) fn find(path: Named, app: &App) -> Result<Arc<Model>, ApiError> {
        let Path(path) = path.map_err(|_| {
            ErrorKind::NotFound
                .because("there is no such model: the name in the path is not valid UTF-8")
        })?;
        app.repository()?.find(Some(&path.model), path.version.as_deref())
    }
}

#[derive(Serialize, ToSchema)]
struct ModelMetadata<'a> {
    name: &'a str,
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<TensorDescription>,
    outputs: Vec<TensorDescription>,
    parameters: Parameters<'a>,
}

#[derive(Serialize, ToSchema)]
struct ModelConfig<'a> {
    name: &'a str,
    platform: &'static str,
    backend: &'static str,
    max_batch_size: usize,
    input: Vec<ConfigTensor>,
    output: Vec<ConfigTensor>,
    parameters: ConfigParameters,
}

#[derive(Serialize, ToSchema)]
struct ConfigParameters {
    /// What the warm-up measured, by batch size; empty if --max-batch was given as a number.
    warm_up_us_an_input: StringValue,
}

/// A parameter in the form of Triton's configuration.
#[derive(Serialize, ToSchema)]
struct StringValue {
    string_value: String,
}

#[derive(Serialize, ToSchema)]
struct ConfigTensor {
    name: String,
    data_type: &'static str,
    dims: Vec<i64>,
}

#[derive(Serialize, ToSchema)]
struct AllStatistics<'a> {
    model_stats: Vec<ModelStatistics<'a>>,
}

#[derive(Serialize, ToSchema)]
struct ModelStatistics<'a> {
    name: &'a str,
    version: &'a str,
    last_inference: u64,
    inference_count: u64,
    execution_count: u64,
    inference_stats: InferenceStatistics,
}

#[derive(Serialize, ToSchema)]
struct InferenceStatistics {
    success: Duration,
    fail: Duration,
    queue: Duration,
    compute_input: Duration,
    compute_infer: Duration,
    compute_output: Duration,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatisticDuration)]
struct Duration {
    count: u64,
    ns: u64,
}

impl From<&Total> for Duration {
    fn from(total: &Total) -> Self {
        Self { count: total.count(), ns: total.nanoseconds() }
    }
}

pub(super) async fn server() -> Result<Response, ApiError> {
    json(&json!({
        "name": tensors::SERVER,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": tensors::REST_EXTENSIONS,
    }))
}

pub(super) async fn live(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let live = app.is_healthy();
    Ok((probe_status(live), json(&json!({ "live": live }))?).into_response())
}

pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let ready = app.phase() == Phase::Ready;
    Ok((probe_status(ready), json(&json!({ "ready": ready }))?).into_response())
}

pub(super) async fn model(State(app): State<Arc<App>>, path: Named) -> Result<Response, ApiError> {
    let asked = path.as_ref().ok().and_then(|path| path.version.clone());
    let model = ModelPath::find(path, &app)?;
    json(&ModelMetadata {
        name: &model.labels.model,
        versions: app.repository()?.versions_beside(&model, asked.as_deref()),
        platform: tensors::PLATFORM,
        inputs: tensors::inputs(&model),
        outputs: tensors::outputs(&model),
        parameters: Parameters::of(&model),
    })
}

pub(super) async fn model_ready(
    State(app): State<Arc<App>>,
    path: Named,
) -> Result<Response, ApiError> {
    let model = ModelPath::find(path, &app)?;
    let ready = app.phase() == Phase::Ready;
    let body = json(&json!({ "name": model.labels.model, "ready": ready }))?;
    Ok((probe_status(ready), body).into_response())
}

pub(super) async fn config(State(app): State<Arc<App>>, path: Named) -> Result<Response, ApiError> {
    let model = ModelPath::find(path, &app)?;
    let tensors = |tensors: Vec<TensorDescription>| {
        let tensor = |tensor: TensorDescription| ConfigTensor {
            dims: tensor.dims().to_vec(),
            name: tensor.name,
            data_type: "TYPE_FP32",
        };
        tensors.into_iter().map(tensor).collect()
    };
    json(&ModelConfig {
        name: &model.labels.model,
        platform: tensors::PLATFORM,
        backend: tensors::BACKEND,
        max_batch_size: model.max_batch(),
        parameters: ConfigParameters {
            warm_up_us_an_input: StringValue { string_value: model.tuning().to_string() },
        },
        input: tensors(tensors::inputs(&model)),
        output: tensors(tensors::outputs(&model)),
    })
}

pub(super) async fn statistics(
    State(app): State<Arc<App>>,
    path: Named,
) -> Result<Response, ApiError> {
    let model = ModelPath::find(path, &app)?;
    json(&AllStatistics { model_stats: vec![statistics_of(&model)] })
}

pub(super) async fn all_statistics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let models = app.repository()?.models();
    json(&AllStatistics { model_stats: models.iter().map(|model| statistics_of(model)).collect() })
}

fn statistics_of(model: &Model) -> ModelStatistics<'_> {
    let statistics: &Statistics = &model.metrics.statistics;
    ModelStatistics {
        name: &model.labels.model,
        version: &model.labels.version,
        last_inference: statistics.last(),
        inference_count: statistics.inferences(),
        execution_count: statistics.executions(),
        inference_stats: InferenceStatistics {
            success: (&statistics.success).into(),
            fail: (&statistics.fail).into(),
            queue: (&statistics.queue).into(),
            compute_input: (&statistics.compute_input).into(),
            compute_infer: (&statistics.compute_infer).into(),
            compute_output: (&statistics.compute_output).into(),
        },
    }
}

fn probe_status(passed: bool) -> StatusCode {
    if passed { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    let json = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "cannot serialize a description");
        ApiError::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// Adds the schemas of the responses.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<ModelMetadata<'_>>();
    schemas.add::<ModelConfig<'_>>();
    schemas.add::<AllStatistics<'_>>();
}
