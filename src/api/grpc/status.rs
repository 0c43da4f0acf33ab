//! Errors as gRPC statuses.

use tonic::Status;

use crate::error::{ApiError, ErrorKind};

/// Milliseconds in a second, for push-back.
const MILLISECONDS: u64 = 1000;

/// An error as gRPC has it, with push-back where it is worth to try again.
pub(super) fn of(error: &ApiError) -> Status {
    let mut status = Status::new(error.kind.grpc_code(), error.detail.clone());
    let is_overload = matches!(error.kind, ErrorKind::QueueFull | ErrorKind::BytesFull);
    if is_overload && let Some(seconds) = error.kind.retry_after_seconds() {
        let pushback = tonic::metadata::MetadataValue::from(seconds * MILLISECONDS);
        status.metadata_mut().insert("grpc-retry-pushback-ms", pushback);
    }
    status
}
