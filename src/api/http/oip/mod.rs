//! Open Inference Protocol v2 over REST: the routes under `/v2`.

mod describe;
mod few;
#[cfg(fuzzing)]
mod fuzzing;
mod infer;
mod message;
mod numbers;
mod object;
mod request;
mod response;

use axum::routing::{get, post};

use super::routes::Routes;
use crate::schema::Schemas;
#[cfg(fuzzing)]
pub(crate) use fuzzing::{assert_decompression, assert_framing};

/// The protocol's routes; those of a model exist with and without a version.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/v2", get(describe::server))
        .route("/v2/health/live", get(describe::live))
        .route("/v2/health/ready", get(describe::ready))
        .route("/v2/models/stats", get(describe::all_statistics))
        .merge(model_routes("/v2/models/{model}"))
        .merge(model_routes("/v2/models/{model}/versions/{version}"))
}

fn model_routes(model: &str) -> Routes {
    Routes::new()
        .route(model, get(describe::model))
        .route(&format!("{model}/ready"), get(describe::model_ready))
        .route(&format!("{model}/config"), get(describe::config))
        .route(&format!("{model}/stats"), get(describe::statistics))
        .route(&format!("{model}/infer"), post(infer::infer))
}

/// Adds the schemas of requests and responses.
pub(super) fn schemas(schemas: &mut Schemas) {
    describe::schemas(schemas);
    message::schemas(schemas);
    response::schemas(schemas);
}
