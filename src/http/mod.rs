//! The HTTP face: routes, and what every answer has.

mod body;
mod classify;
pub mod connection;
pub(crate) mod delivery;
mod frame;
mod health;
mod models;
mod multipart;
mod oip;
mod openapi;
mod options;
mod patience;
mod problem;
mod repository;
mod routes;

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::Request,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use routes::Routes;
use tower::{Service, service_fn};

use crate::{
    error::{ApiError, ErrorKind, shown},
    model::Model,
    server::App,
};

/// What each stage of a request took; put into an answer for its `Server-Timing`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StageTimes(pub(crate) [(&'static str, Duration); 3]);

/// The model that answered, or was asked; put into an answer for the metrics.
#[derive(Debug, Clone)]
struct Answered(Arc<Model>);

/// When a request's headers had been read, and when its answer is worthless.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    /// By the server's own limit or by its client's, whichever is earlier.
    deadline: Instant,
}

/// Every route.
fn routes() -> Routes {
    Routes::new()
        .route("/classify", post(classify::default_model))
        .route("/models/{model}/classify", post(classify::named_model))
        .route("/models/{model}/versions/{version}/classify", post(classify::named_version))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::one))
        .merge(oip::routes())
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{model}/load", post(repository::load))
        .route("/v2/repository/models/{model}/unload", post(repository::unload))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(openapi::routes())
}

/// The service: every route, and what all of them have in common.
pub fn service(
    app: Arc<App>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone {
    let router = routes()
        .into_router()
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&app));
    service_fn(move |request| {
        let (app, router) = (Arc::clone(&app), router.clone());
        async move { Ok(frame::frame(&app, router, request).await) }
    })
}

/// The answer of a request to a model: what is left of a refused one's body is read, so that its client sees why.
async fn concluded(
    answered: Result<Response, ApiError>,
    asked: Option<Arc<Model>>,
    arrival: Arrival,
    body: Body,
    headers: &HeaderMap,
) -> Response {
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            if error.kind != ErrorKind::RequestTimeout {
                body::discard(body, headers).await;
            }
            error.into_response()
        }
    };
    if let Some(model) = asked {
        model.metrics.request_duration.observe(arrival.at.elapsed().as_secs_f64());
        response.extensions_mut().insert(Answered(model));
    }
    response
}

async fn unknown_route(request: Request) -> ApiError {
    discard_body(request).await;
    ErrorKind::NotFound
        .because("there is no such route; send inputs to POST /classify, and see GET /models")
}

async fn wrong_method(request: Request) -> ApiError {
    let method = shown(request.method().as_str());
    discard_body(request).await;
    ErrorKind::MethodNotAllowed.because(format!(
        "this route has no method {method}; the header Allow names those that it has"
    ))
}

async fn discard_body(request: Request) {
    let (parts, body) = request.into_parts();
    body::discard(body, &parts.headers).await;
}
