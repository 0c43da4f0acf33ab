//! The service `grpc.health.v1.Health`: SERVING from ready to draining.

use std::sync::Arc;

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::{HealthReporter, health_reporter},
};

use crate::app::{App, Phase};

/// The empty name, which means the whole server, and each service.
const SERVICES: [&str; 3] = ["", "inference.GRPCInferenceService", "drsn.v1.Classifier"];

/// The health service, whose status follows the server's phase.
pub(super) fn service(app: &Arc<App>) -> HealthServer<impl Health> {
    let (reporter, service) = health_reporter();
    tokio::spawn(follow(Arc::clone(app), reporter));
    service
}

async fn follow(app: Arc<App>, reporter: HealthReporter) {
    set(&reporter, ServingStatus::NotServing).await;
    app.reached(Phase::Ready).await;
    if app.phase() == Phase::Ready {
        set(&reporter, ServingStatus::Serving).await;
    }
    app.reached(Phase::Draining).await;
    set(&reporter, ServingStatus::NotServing).await;
    app.reached(Phase::Closing).await;
    // Ends `Watch` calls, which would otherwise keep their connections open.
    let mut reporter = reporter;
    for service in SERVICES {
        reporter.clear_service_status(service).await;
    }
}

async fn set(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
