//! Every way in which a request can fail, with its HTTP status, its gRPC code and its stable word, in one table.

use std::any::Any;

use axum::http::StatusCode;
use tonic::Code;

/// A request that was not answered, and why, in a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct ApiError {
    /// What kind of failure it is.
    pub(crate) kind: ErrorKind,
    /// What was expected, what came, and what to do. Nothing of the host: no path, no type name.
    pub(crate) detail: String,
}

/// A word of a client in quotes, to show it what it wrote, but never at length.
pub(crate) fn quoted(word: &str) -> String {
    const LONGEST: usize = 80;
    format!("{:?}", word.chars().take(LONGEST).collect::<String>())
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A malformed body, a wrong shape, length, type or option.
    InvalidArgument,
    /// No key, or one that is not known, where keys are set.
    Unauthenticated,
    /// A model was to be loaded or unloaded, and the server was not started so.
    Forbidden,
    /// A model that was asked to load cannot be served.
    Unloadable,
    /// An unknown route, model or version.
    NotFound,
    /// A route that has other methods.
    MethodNotAllowed,
    /// The client sent its request too slowly.
    RequestTimeout,
    /// A body, or what it declares, above a limit.
    TooLarge,
    /// A media type that is not taken.
    UnsupportedMediaType,
    /// The model's queue is full.
    QueueFull,
    /// The bytes that may be in memory are used up.
    BytesFull,
    /// The models are still being loaded.
    NotReady,
    /// The server is about to end.
    Draining,
    /// The request's time was up before it was answered.
    DeadlineExceeded,
    /// The runtime failed, or gave a number that is none.
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

    /// The stable word for programs.
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
            Self::InvalidArgument => "The request cannot be understood",
            Self::Unauthenticated => "A key is needed",
            Self::Forbidden => "Not allowed",
            Self::Unloadable => "The model cannot be loaded",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "The request came too slowly",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Media type not supported",
            Self::QueueFull => "The queue is full",
            Self::BytesFull => "The memory for requests is full",
            Self::NotReady => "Not ready",
            Self::Draining => "Shutting down",
            Self::DeadlineExceeded => "Out of time",
            Self::Internal => "Internal error",
        }
    }

    /// The label under which `drsn_rejected_total` counts it; none where the fault is not a refusal.
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

    /// Seconds after which it is worth to try again, for `Retry-After`.
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

    /// This kind of failure, with its sentence.
    pub(crate) fn because(self, detail: impl Into<String>) -> ApiError {
        ApiError { kind: self, detail: detail.into() }
    }
}

impl ApiError {
    /// For what panicked, whose message is logged: nothing internal is told to a client.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        tracing::error!(message, "what answers a request panicked");
        Self::internal()
    }

    /// A malformed or unfit request, with the sentence for its client.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        ErrorKind::InvalidArgument.because(detail)
    }

    /// A failure of ours. What happened goes into the log, and not to the client.
    pub(crate) fn internal() -> Self {
        ErrorKind::Internal.because("the server failed to answer this request; its log says why")
    }
}
