//! Open Inference Protocol v2 over REST: `/v2…`.

mod describe;
mod encoding;
mod infer;
mod numbers;
mod request;
mod response;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::server::App;

/// The protocol's routes; those of a model also name a version.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v2", get(describe::server))
        .route("/v2/health/live", get(describe::live))
        .route("/v2/health/ready", get(describe::ready))
        .route("/v2/models/stats", get(describe::all_statistics))
        .merge(model_routes("/v2/models/{model}"))
        .merge(model_routes("/v2/models/{model}/versions/{version}"))
}

fn model_routes(model: &str) -> Router<Arc<App>> {
    Router::new()
        .route(model, get(describe::model))
        .route(&format!("{model}/ready"), get(describe::model_ready))
        .route(&format!("{model}/config"), get(describe::config))
        .route(&format!("{model}/stats"), get(describe::statistics))
        .route(&format!("{model}/infer"), post(infer::infer))
}
