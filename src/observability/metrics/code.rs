//! The label `code` of answers: an HTTP status or the name of a gRPC code.

use std::fmt::{Error, Write as _};

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use tonic::Code;

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ResponseCode {
    /// The status.
    Http(u16),
    /// The name of the code, from [`grpc_name`].
    Grpc(&'static str),
}

impl ResponseCode {
    /// The value of the label `protocol`.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Grpc(_) => "grpc",
        }
    }
}

impl EncodeLabelValue for ResponseCode {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
        match self {
            Self::Http(status) => write!(encoder, "{status}"),
            Self::Grpc(name) => encoder.write_str(name),
        }
    }
}

/// The name of a gRPC code in the gRPC specification.
pub(crate) fn grpc_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
