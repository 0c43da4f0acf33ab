//! Every way in which a request can fail, with its HTTP status, its gRPC code and its stable error
//! code, in one table.

use std::any::Any;

use axum::http::StatusCode;
use tonic::Code;

use crate::transport::Refusal;

/// Why a request failed, with a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct ApiError {
    pub(crate) kind: ErrorKind,
    /// What was expected, what the request has, and what to do. It reveals nothing about the host:
    /// no path, no type name.
    pub(crate) detail: String,
}

/// Quotes a client's text for a message, cut after 80 characters.
pub(crate) fn quoted(word: &str) -> String {
    const LONGEST: usize = 80;
    format!("{:?}", word.chars().take(LONGEST).collect::<String>())
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A malformed body, a wrong shape, length, type or option.
    InvalidArgument,
    /// No API key or an unknown one, if keys are configured.
    Unauthenticated,
    /// A load or unload without `--model-control explicit`.
    Forbidden,
    /// A model that a client asked to load cannot be served.
    Unloadable,
    /// An unknown route, model or version.
    NotFound,
    /// A known route with another method.
    MethodNotAllowed,
    /// The client sent its request too slowly.
    RequestTimeout,
    /// A body above a limit, or one that declares a size above it.
    TooLarge,
    /// A media type that the route does not accept.
    UnsupportedMediaType,
    /// The model's queue is full.
    QueueFull,
    /// The request-memory budget is exhausted.
    BytesFull,
    /// The models are still being loaded.
    NotReady,
    /// The server is shutting down.
    Draining,
    /// The request's deadline passed before it was answered.
    DeadlineExceeded,
    /// The runtime failed, or returned a non-finite number.
    Internal,
}

impl ErrorKind {
    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unloadable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::QueueFull | Self::BytesFull => StatusCode::TOO_MANY_REQUESTS,
            Self::NotReady | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The gRPC code.
    pub(crate) fn grpc_code(self) -> Code {
        match self {
            Self::InvalidArgument | Self::UnsupportedMediaType => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::Unloadable => Code::FailedPrecondition,
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed => Code::Unimplemented,
            Self::TooLarge | Self::QueueFull | Self::BytesFull => Code::ResourceExhausted,
            Self::NotReady | Self::Draining => Code::Unavailable,
            Self::RequestTimeout | Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }

    /// The stable error code for programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Unloadable => "model_unloadable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::QueueFull => "queue_full",
            Self::BytesFull => "bytes_full",
            Self::NotReady => "not_ready",
            Self::Draining => "draining",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Internal => "internal",
        }
    }

    /// The short title for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::InvalidArgument => "Invalid request",
            Self::Unauthenticated => "API key required",
            Self::Forbidden => "Not allowed",
            Self::Unloadable => "The model cannot be loaded",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "The request arrived too slowly",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Media type not supported",
            Self::QueueFull => "The queue is full",
            Self::BytesFull => "The request-memory budget is exhausted",
            Self::NotReady => "Not ready",
            Self::Draining => "Shutting down",
            Self::DeadlineExceeded => "Deadline exceeded",
            Self::Internal => "Internal error",
        }
    }

    /// The label `reason` of `drsn_rejected_total`; `None` if the failure does not count as a
    /// rejection.
    pub(crate) fn rejection(self) -> Option<&'static str> {
        match self {
            Self::InvalidArgument | Self::UnsupportedMediaType => Some("invalid"),
            Self::Unauthenticated => Some("unauthenticated"),
            Self::TooLarge => Some("too_large"),
            Self::QueueFull => Some("queue_full"),
            Self::BytesFull => Some("bytes"),
            Self::NotReady => Some("not_ready"),
            Self::Draining => Some("draining"),
            Self::RequestTimeout | Self::DeadlineExceeded => Some("deadline"),
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::Forbidden
            | Self::Unloadable
            | Self::Internal => None,
        }
    }

    /// The value of `Retry-After`, in seconds, if a retry may succeed.
    pub(crate) fn retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::QueueFull | Self::BytesFull | Self::NotReady | Self::Draining => Some(1),
            Self::InvalidArgument
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Unloadable
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::DeadlineExceeded
            | Self::Internal => None,
        }
    }

    /// An error of this kind, with its sentence.
    pub(crate) fn because(self, detail: impl Into<String>) -> ApiError {
        ApiError { kind: self, detail: detail.into() }
    }
}

/// The error for a request for which there is no place.
pub(crate) fn busy(refusal: Refusal) -> ApiError {
    ErrorKind::QueueFull.because(match refusal {
        Refusal::TooManyRequests => {
            "the server has too many unfinished requests, and this connection has its share of \
             them; retry shortly, with fewer requests at once"
        }
        Refusal::TooManyConnections => {
            "the server has as many connections as it may have; retry shortly, and use a \
             connection for many requests"
        }
    })
}

impl ApiError {
    /// The error for a panic. The panic's message is logged and not sent to the client.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let panic = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        tracing::error!(panic, "a request handler panicked");
        Self::internal()
    }

    /// [`ErrorKind::InvalidArgument`] with the sentence for the client.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        ErrorKind::InvalidArgument.because(detail)
    }

    /// A failure of the server. The caller logs the reason, which is not sent to the client.
    pub(crate) fn internal() -> Self {
        ErrorKind::Internal.because("the server failed to answer this request; its log says why")
    }
}
