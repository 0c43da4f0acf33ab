//! The API's description: `GET /openapi.json`, and `GET /docs`, a page to read and try the API,
//! which loads nothing from other servers. The document is built once, at the first request for it.

mod document;
mod operations;
mod parts;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper::body::Bytes;
use utoipa_swagger_ui::Config;

use super::{console, routes::Routes};
use crate::error::{ApiError, ErrorKind};

/// Path of the document.
const DOCUMENT_PATH: &str = "/openapi.json";

/// Content security policy of the page: it may load from and connect to this server only.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

static DOCUMENT: LazyLock<Result<Bytes, serde_json::Error>> =
    LazyLock::new(|| serde_json::to_vec(&document::document()?).map(Bytes::from));

/// Settings of Swagger UI: no external validator, and none taken from the query.
static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::new([DOCUMENT_PATH])
        .validator_url("none")
        .query_config_enabled(false)
        .try_it_out_enabled(true)
        .display_request_duration(true);
    Arc::new(config)
});

/// The routes that describe the others.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/", get(console::home))
        .route(DOCUMENT_PATH, get(document))
        .route("/docs", get(page))
        .route("/docs/{file}", get(page_file))
}

/// Whether a path describes the API or is a file of the console. Such a path needs no key, as it
/// reveals nothing about the models, and is not counted as a request.
pub(super) fn is_description(path: &str) -> bool {
    let is_file = || path.starts_with("/docs/") || path.starts_with(console::FILES);
    path == "/" || path == DOCUMENT_PATH || path == "/docs" || is_file()
}

async fn document() -> Result<Response, ApiError> {
    let json = DOCUMENT.as_ref().map_err(|error| {
        tracing::error!(%error, "cannot serialize the OpenAPI document");
        ApiError::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response())
}

/// The page. It replaces Swagger UI's own, whose relative links need a path that ends with a slash.
async fn page() -> Response {
    (page_headers(HeaderValue::from_static("text/html")), include_str!("page.html")).into_response()
}

async fn page_file(name: Result<Path<String>, PathRejection>) -> Result<Response, ApiError> {
    match name {
        Ok(Path(name)) if !name.is_empty() => file(&name),
        Ok(_) | Err(_) => Err(no_file()),
    }
}

fn file(name: &str) -> Result<Response, ApiError> {
    let found = utoipa_swagger_ui::serve(name, Arc::clone(&PAGE)).map_err(|error| {
        tracing::error!(%error, "cannot serve a file of the documentation page");
        ApiError::internal()
    })?;
    let found = found.ok_or_else(no_file)?;
    let content_type =
        HeaderValue::try_from(found.content_type).map_err(|_| ApiError::internal())?;
    let body = match found.bytes {
        Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    Ok((page_headers(content_type), body).into_response())
}

fn page_headers(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
}

fn no_file() -> ApiError {
    ErrorKind::NotFound.because("the documentation page has no such file; open /docs")
}
