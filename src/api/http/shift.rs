//! `GET /models/{model}/shift`: what came for a model in the last hour and the last day.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};

use super::{classify::bad_path, models::json};
use crate::{
    app::App,
    error::ApiError,
    inference::rolling::{View, view},
    schema::Schemas,
};

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

/// Adds the schemas of the response.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<View<'_>>();
}
