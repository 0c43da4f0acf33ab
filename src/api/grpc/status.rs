//! Converts errors to gRPC statuses.

use tonic::{Code, Status};

use crate::error::{ApiError, ErrorKind};

const MILLISECONDS_PER_SECOND: u64 = 1000;

/// The status of an error; an overload also tells the client when to retry.
pub(super) fn of(error: &ApiError) -> Status {
    let mut status = Status::new(error.kind.grpc_code(), error.detail.clone());
    let is_overload = matches!(error.kind, ErrorKind::QueueFull | ErrorKind::BytesFull);
    if is_overload && let Some(seconds) = error.kind.retry_after_seconds() {
        let pushback = tonic::metadata::MetadataValue::from(seconds * MILLISECONDS_PER_SECOND);
        status.metadata_mut().insert("grpc-retry-pushback-ms", pushback);
    }
    status
}

/// Corrects a code that tonic set: it reports a message that it cannot decode as INTERNAL, which is
/// the client's fault.
pub(super) fn corrected(code: Code) -> Code {
    if code == Code::Internal { Code::InvalidArgument } else { code }
}
