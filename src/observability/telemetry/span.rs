//! A request in the log and in exported traces.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use opentelemetry::{
    TraceFlags,
    trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceId, TraceState},
};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{
    context::TraceContext,
    export,
    lines::{REQUEST, RequestIds},
};

/// The header `traceparent`.
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's place in its trace, and its ids in the log.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    /// The exported span; [`Span::none`] without a collector.
    span: Span,
    context: TraceContext,
    /// `None` if the log does not name this request.
    ids: Option<RequestIds>,
    is_exported: bool,
}

impl RequestTrace {
    /// Begins a request in the trace of its headers, or in a new one.
    pub(crate) fn begin(headers: &HeaderMap, request: Uuid) -> Self {
        let header = headers.get(&TRACEPARENT).and_then(|value| value.to_str().ok());
        if export::is_on() {
            return Self::exported(header, request);
        }
        Self::new(Span::none(), TraceContext::of(header), request, false)
    }

    fn new(span: Span, context: TraceContext, request: Uuid, is_exported: bool) -> Self {
        Self { span, context, ids: Some(RequestIds { request, trace: context }), is_exported }
    }

    /// A request that is neither logged nor exported.
    pub(crate) fn untold(headers: &HeaderMap) -> Self {
        let header = headers.get(&TRACEPARENT).and_then(|value| value.to_str().ok());
        let context = TraceContext::of(header);
        Self { span: Span::none(), context, ids: None, is_exported: false }
    }

    /// A request with an exported span, whose ids the log and the answer use, too.
    fn exported(header: Option<&str>, request: Uuid) -> Self {
        let span = tracing::info_span!("request", request_id = %request);
        if let Some((trace, parent, flags)) = header.and_then(super::context::parse) {
            let parent = SpanContext::new(
                TraceId::from_bytes(trace.to_be_bytes()),
                SpanId::from_bytes(parent.to_be_bytes()),
                TraceFlags::new(flags),
                true,
                TraceState::default(),
            );
            // This fails if the layer is missing, as in a process that started its log before.
            let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
        }
        let own = span.context().span().span_context().clone();
        let context = if own.is_valid() {
            let (trace, span) = (own.trace_id().to_bytes(), own.span_id().to_bytes());
            TraceContext::new(
                u128::from_be_bytes(trace),
                u64::from_be_bytes(span),
                own.trace_flags().to_u8(),
            )
        } else {
            TraceContext::of(header)
        };
        Self::new(span, context, request, true)
    }

    /// Runs work as part of this request: its log lines have the request's ids, its spans are
    /// children of the request's.
    pub(crate) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        REQUEST.scope(self.ids, work.instrument(self.span.clone()))
    }

    /// Calls `line`, which logs something, with the ids of this request.
    pub(crate) fn log(&self, line: impl FnOnce()) {
        REQUEST.sync_scope(self.ids, line);
    }

    /// The header for the answer.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.context.header()
    }

    /// Describes an HTTP request and its answer, by OpenTelemetry's semantic conventions.
    pub(crate) fn describe_http(&self, method: &Method, path: &str, status: u16) {
        if !self.is_exported {
            return;
        }
        self.span.context().span().update_name(format!("{method} {path}"));
        self.span.set_attribute("http.request.method", method.as_str().to_owned());
        self.span.set_attribute("url.path", path.to_owned());
        self.span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            self.span.set_status(Status::error(""));
        }
    }

    /// Describes a gRPC call, by OpenTelemetry's semantic conventions.
    pub(crate) fn describe_grpc(&self, path: &str) {
        if !self.is_exported {
            return;
        }
        let path = path.trim_start_matches('/');
        self.span.context().span().update_name(path.to_owned());
        self.span.set_attribute("rpc.system", "grpc");
        if let Some((service, method)) = path.split_once('/') {
            self.span.set_attribute("rpc.service", service.to_owned());
            self.span.set_attribute("rpc.method", method.to_owned());
        }
    }

    /// Adds the duration of a stage.
    pub(crate) fn describe_stage(&self, stage: &str, duration: Duration) {
        if self.is_exported {
            let us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
            self.span.set_attribute(format!("drsn.{stage}_us"), us);
        }
    }
}
