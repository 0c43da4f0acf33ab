//! The gRPC services: Open Inference Protocol, classifier, health and reflection. Like `http`, they
//! only translate between messages and `inference`.

mod call;
mod classifier;
mod classify_messages;
mod health;
mod infer_messages;
mod inference;
mod message_shapes;
mod messages;
mod middleware;
mod options;
mod portioned;
pub mod proto;
mod shift_messages;
mod status;
mod stream;

use std::{any::Any, sync::Arc};

use axum::{Router, body::Body, http, middleware::from_fn_with_state};
use tonic::{
    codec::CompressionEncoding::Gzip,
    service::{Routes, RoutesBuilder},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{app::App, config::Switch, error::ApiError};
use proto::{
    DESCRIPTORS, drsn::classifier_server::ClassifierServer,
    inference::grpc_inference_service_server::GrpcInferenceServiceServer,
};

/// The time limit of a call, by its metadata.
#[cfg(fuzzing)]
pub(crate) fn time_limit(headers: &http::HeaderMap) -> Option<std::time::Duration> {
    call::timeout_of(headers)
}

/// What decoding a message would allocate, in bytes.
#[cfg(fuzzing)]
pub(crate) fn measured_bytes(path: &str, message: &[u8]) -> u64 {
    message_shapes::decoded_bytes(path, message, u64::MAX)
}

/// The router of all services.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let limit = app.config.limits.max_body_bytes.get();
    let inference = GrpcInferenceServiceServer::new(inference::Inference::new(Arc::clone(app)))
        .accept_compressed(Gzip)
        .send_compressed(Gzip)
        .max_decoding_message_size(limit);
    let classifier = ClassifierServer::new(classifier::Service::new(Arc::clone(app)))
        .accept_compressed(Gzip)
        .send_compressed(Gzip)
        .max_decoding_message_size(limit);
    let mut routes = Routes::builder();
    routes.add_service(inference).add_service(classifier).add_service(health::service(app));
    if app.config.network.grpc_reflection == Switch::On {
        add_reflection(&mut routes);
    }
    routes
        .routes()
        .into_axum_router()
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(app), middleware::handle))
}

/// Adds the services that describe the others.
fn add_reflection(routes: &mut RoutesBuilder) {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (described().build_v1(), described().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            routes.add_service(v1).add_service(v1alpha);
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot serve gRPC reflection");
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn Any + Send>) -> http::Response<Body> {
    let error = ApiError::panicked(&*panic);
    let mut response: http::Response<Body> = status::of(&error).into_http();
    response.extensions_mut().insert(middleware::Panicked);
    response
}
