//! A request as the log and a collector of traces know it.

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

/// The header's name.
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's place in its trace, and what lines of the log name it by.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    /// What the collector gets; none where there is no collector.
    span: Span,
    context: TraceContext,
    /// None where the log does not name it.
    ids: Option<RequestIds>,
    is_exported: bool,
}

impl RequestTrace {
    /// Begins one in the trace that the headers name, or in a new one.
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

    /// One that neither the log nor the collector hears of.
    pub(crate) fn untold(headers: &HeaderMap) -> Self {
        let header = headers.get(&TRACEPARENT).and_then(|value| value.to_str().ok());
        let context = TraceContext::of(header);
        Self { span: Span::none(), context, ids: None, is_exported: false }
    }

    /// One whose ids are those that the collector gets.
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
            // It fails where the layer is missing, as in a process whose log was started before.
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

    /// Work whose lines in the log name this request, and which is this part of its trace.
    pub(crate) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        REQUEST.scope(self.ids, work.instrument(self.span.clone()))
    }

    /// Logs something of this request.
    pub(crate) fn log(&self, line: impl FnOnce()) {
        REQUEST.sync_scope(self.ids, line);
    }

    /// The header for the answer.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.context.header()
    }

    /// Tells the collector what an HTTP request was and how it ended, in the names of its semantic conventions.
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

    /// Tells the collector what a gRPC call was.
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

    /// Tells the collector what a stage took.
    pub(crate) fn describe_stage(&self, stage: &str, duration: Duration) {
        if self.is_exported {
            let us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
            self.span.set_attribute(format!("drsn.{stage}_us"), us);
        }
    }
}
