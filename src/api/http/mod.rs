//! The HTTP API: routes, handlers, and what all responses have in common.

mod baseline;
mod body;
mod classify;
mod console;
mod cors;
mod encoding;
mod exchange;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod health;
mod middleware;
mod models;
mod multipart;
mod oip;
mod openapi;
mod problem;
mod query;
mod repository;
mod routes;
mod shift;

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::Request,
    http::{Uri, uri::PathAndQuery},
    response::Response,
    routing::{get, post},
};
use tower::{Service, service_fn};

use crate::{
    app::App,
    error::{ApiError, ErrorKind, quoted},
};
pub(crate) use classify::file_in;
use exchange::discard_body;
use routes::Routes;

fn routes() -> Routes {
    Routes::new()
        .route("/classify", post(classify::default_model))
        .route("/models/{model}/classify", post(classify::named_model))
        .route("/models/{model}/versions/{version}/classify", post(classify::named_version))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::one))
        .route("/models/{model}/baseline", get(baseline::of_model))
        .route("/models/{model}/versions/{version}/baseline", get(baseline::of_version))
        .route("/models/{model}/shift", get(shift::of_model))
        .route("/models/{model}/versions/{version}/shift", get(shift::of_version))
        .merge(oip::routes())
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{model}/load", post(repository::load))
        .route("/v2/repository/models/{model}/unload", post(repository::unload))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(openapi::routes())
}

/// The HTTP service: the router within the middleware.
pub(crate) fn service(
    app: Arc<App>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone {
    let router = routes()
        .merge(console::routes(app.config.console))
        .into_router()
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&app));
    service_fn(move |mut request: Request| {
        let (app, router) = (Arc::clone(&app), router.clone());
        if let Some(uri) = without_trailing_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        async move { Ok(middleware::handle(&app, router, request).await) }
    })
}

/// The URI without slashes at the end of its path; `None` if there are none. `/classify/` is
/// `/classify`: a redirect would lose the body of a POST.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().trim_end_matches('/');
    if path.is_empty() || path.len() == uri.path().len() {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

async fn unknown_route(request: Request) -> ApiError {
    discard_body(request).await;
    ErrorKind::NotFound
        .because("there is no such route; send inputs to POST /classify, and see GET /models")
}

async fn wrong_method(request: Request) -> ApiError {
    let method = quoted(request.method().as_str());
    discard_body(request).await;
    ErrorKind::MethodNotAllowed.because(format!(
        "this route does not support the method {method}; the header Allow lists those it supports"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_is_no_part_of_a_path() {
        for (given, expected) in [
            ("/classify/", Some("/classify")),
            ("/classify//?top_k=3", Some("/classify?top_k=3")),
            ("http://host:80/v2/", Some("http://host:80/v2")),
            ("/classify", None),
            ("/", None),
            ("//", None),
            ("/classify?a=b/", None),
            ("*", None),
        ] {
            let found = without_trailing_slash(&Uri::from_static(given));
            assert_eq!(found, expected.map(Uri::from_static), "{given}");
        }
    }
}
