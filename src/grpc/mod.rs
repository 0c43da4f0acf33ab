//! The gRPC face: Open Inference Protocol, the classifier, health and reflection, on the core that HTTP uses.

mod call;
mod classifier;
mod health;
mod inference;
mod messages;
mod parameters;
mod prediction;
pub mod proto;
mod stream;

use std::sync::Arc;

use axum::{Router, middleware};
use tonic::{Status, codec::CompressionEncoding::Gzip, service::Routes};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    error::{ApiError, ErrorKind},
    server::App,
};
use proto::{
    DESCRIPTORS, drsn::classifier_server::ClassifierServer,
    inference::grpc_inference_service_server::GrpcInferenceServiceServer,
};

/// Milliseconds in a second, for push-back.
const MILLISECONDS: u64 = 1000;

/// Every service.
pub fn router(app: &Arc<App>) -> Router {
    let limit = app.config.max_body_bytes.get();
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
            tracing::error!(%error, "the services cannot be described by reflection");
        }
    }
    routes
        .routes()
        .into_axum_router()
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(app), call::observe))
}

/// An error as gRPC has it, with push-back where it is worth to try again.
fn status(error: &ApiError) -> Status {
    let mut status = Status::new(error.kind.grpc_code(), error.detail.clone());
    let is_overload = matches!(error.kind, ErrorKind::QueueFull | ErrorKind::BytesFull);
    if is_overload && let Some(seconds) = error.kind.retry_after_seconds() {
        let pushback = tonic::metadata::MetadataValue::from(seconds * MILLISECONDS);
        status.metadata_mut().insert("grpc-retry-pushback-ms", pushback);
    }
    status
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> axum::http::Response<axum::body::Body> {
    let error = ApiError::panicked(&*panic);
    let mut response: axum::http::Response<axum::body::Body> = status(&error).into_http();
    response.extensions_mut().insert(call::Panicked);
    response
}
