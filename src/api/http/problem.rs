//! Writes errors as RFC 9457 problem details.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    error::{ApiError, ErrorKind},
    schema::Schemas,
};

#[derive(Serialize, ToSchema)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'static str,
    /// The same as `detail`, under the key that Open Inference Protocol clients read.
    error: &'a str,
}

impl IntoResponse for ApiError {
    /// Status and headers; [`write_body`], which knows the request, adds the body.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        if let Some(seconds) = self.kind.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        if self.kind == ErrorKind::Unauthenticated {
            let realm = HeaderValue::from_static("Bearer realm=\"drsn-serve\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of an error response; leaves others as they are.
pub(super) fn write_body(response: &mut Response, request: Uuid) {
    let Some(error) = response.extensions().get::<ApiError>() else {
        return;
    };
    let problem = Problem {
        r#type: "about:blank",
        title: error.kind.title(),
        status: error.kind.status().as_u16(),
        detail: &error.detail,
        instance: format!("urn:uuid:{request}"),
        code: error.kind.code(),
        error: &error.detail,
    };
    // Serializing strings and numbers cannot fail; an empty body would still have the status.
    let json = serde_json::to_vec(&problem).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    *response.body_mut() = Body::from(json);
}

/// Adds the schema of error responses.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Problem<'_>>();
}
