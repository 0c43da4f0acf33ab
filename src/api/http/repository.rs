//! The model repository extension of the Open Inference Protocol: index, load, unload.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    body::{Incoming, without_mark},
    exchange::Arrival,
};
use crate::{
    app::App,
    error::{ApiError, ErrorKind},
    repository::{IndexEntry, ModelState, check_parameters},
    schema::{self, Schemas},
};

/// Largest request body of these routes, in bytes.
const LARGEST_BODY: usize = 64 << 10;

#[derive(Deserialize, Default, ToSchema)]
#[schema(as = RepositoryIndexRequest)]
struct IndexRequest {
    /// Only versions that are ready.
    #[serde(default)]
    ready: bool,
}

#[derive(Deserialize, Default, ToSchema)]
#[schema(as = RepositoryChangeRequest)]
struct ChangeRequest {
    #[serde(default)]
    #[schema(schema_with = schema::change_parameters)]
    parameters: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RepositoryEntry)]
pub(super) struct Entry {
    name: String,
    version: String,
    state: &'static str,
    reason: String,
}

/// `POST /v2/repository/index`.
pub(super) async fn index(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Vec<Entry>>, ApiError> {
    let request: IndexRequest = read(&app, arrival, &headers, body).await?;
    let entries = app.repository()?.index();
    let wanted =
        entries.into_iter().filter(|entry| !request.ready || entry.state == ModelState::Ready);
    let entry = |IndexEntry { name, version, state, reason }| Entry {
        name,
        version,
        state: state.as_str(),
        reason,
    };
    Ok(Json(wanted.map(entry).collect()))
}

/// `POST /v2/repository/models/{model}/load`.
pub(super) async fn load(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    model: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let request: ChangeRequest = read(&app, arrival, &headers, body).await?;
    check_parameters(request.parameters.keys().map(String::as_str))?;
    app.repository()?.load(&name(model)?).await?;
    Ok(StatusCode::OK)
}

/// `POST /v2/repository/models/{model}/unload`.
pub(super) async fn unload(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    model: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let request: ChangeRequest = read(&app, arrival, &headers, body).await?;
    check_parameters(request.parameters.keys().map(String::as_str))?;
    app.repository()?.unload(&name(model)?).await?;
    Ok(StatusCode::OK)
}

fn name(model: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    model.map(|Path(name)| name).map_err(|_| {
        ErrorKind::NotFound
            .because("there is no such model: the name in the path is not valid UTF-8")
    })
}

/// Reads a small JSON object; an empty body means the default.
async fn read<T: for<'de> Deserialize<'de> + Default>(
    app: &App,
    arrival: Arrival,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<T, ApiError> {
    let mut memory = app.budget.open();
    let incoming = Incoming::new(&mut body, headers, arrival.caller.deadline)?;
    let bytes = without_mark(&incoming.read(LARGEST_BODY, &mut memory).await?);
    match bytes.trim_ascii().first() {
        None => return Ok(T::default()),
        Some(b'{') => {}
        // serde would also read the fields from an array, by position.
        Some(_) => {
            return Err(ApiError::invalid("expected a JSON object or an empty body"));
        }
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::invalid(format!("the body is not valid JSON for this route: {error}"))
    })
}

/// Adds the schemas of requests and responses.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<IndexRequest>();
    schemas.add::<ChangeRequest>();
    schemas.add::<Entry>();
}
