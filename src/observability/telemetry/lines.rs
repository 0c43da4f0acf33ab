//! The lines of the log. A line that is written while a request is answered has the request's ids.
//!
//! The ids are task-local values rather than a span: a span costs each request three microseconds,
//! and few requests write a line.

use std::fmt;

use serde::ser::{SerializeMap as _, Serializer as _};
use tracing::{Event, Subscriber};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    Layer,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};
use uuid::Uuid;

use super::context::TraceContext;
use crate::config::LogFormat;

tokio::task_local! {
    /// The ids of the request that this task answers.
    pub(super) static REQUEST: Option<RequestIds>;
}

/// The ids that lines of a request have.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestIds {
    pub(super) request: Uuid,
    pub(super) trace: TraceContext,
}

impl RequestIds {
    /// The ids of the request that the current task answers, if any.
    fn current() -> Option<Self> {
        REQUEST.try_get().ok().flatten()
    }
}

/// The layer that writes events as lines. It ignores spans, which are for the collector.
pub(super) fn lines<S>(
    format: LogFormat,
    ansi: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    let events = filter_fn(|metadata| !metadata.is_span());
    match format {
        LogFormat::Text => {
            layer.with_ansi(ansi).map_event_format(TextLines).with_filter(events).boxed()
        }
        LogFormat::Json => layer.event_format(JsonLines).with_filter(events).boxed(),
    }
}

/// Text lines, with the ids of the request at the end.
struct TextLines<F>(F);

impl<S, N, F> FormatEvent<S, N> for TextLines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = RequestIds::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let (line, request, trace) = (line.trim_end(), ids.request, ids.trace.trace_id());
        writeln!(writer, "{line} request_id={request} trace_id={trace}")
    }
}

/// One JSON object per line: time, level, the event's fields, and the ids of the request.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = json_line(event).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn json_line(event: &Event<'_>) -> Result<String, Box<dyn std::error::Error>> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut object = serializer.serialize_map(None)?;
    object.serialize_entry("timestamp", &time)?;
    object.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = SerdeMapVisitor::new(object);
    event.record(&mut fields);
    let mut object = fields.take_serializer()?;
    if let Some(ids) = RequestIds::current() {
        object.serialize_entry("request_id", &ids.request.to_string())?;
        object.serialize_entry("trace_id", ids.trace.trace_id())?;
    }
    object.end()?;
    Ok(String::from_utf8(line)?)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines of two events, the first one of a request.
    fn logged(format: LogFormat) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::registry().with(lines(format, false, move || writer.clone()));
        tracing::subscriber::with_default(log, || {
            let trace = TraceContext::new(7, 8, 1);
            let ids = RequestIds { request: Uuid::from_u128(9), trace };
            REQUEST.sync_scope(Some(ids), || tracing::error!(count = 3, "it \"failed\""));
            tracing::info!("ready");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_names_the_request_in_whose_course_it_is_written() {
        let (request, trace) = (Uuid::from_u128(9).to_string(), format!("{:032x}", 7));
        let json: Vec<serde_json::Value> = logged(LogFormat::Json)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(json.len(), 2);
        assert_eq!(
            (&json[0]["request_id"], &json[0]["trace_id"]),
            (&request.clone().into(), &trace.clone().into())
        );
        assert_eq!((&json[0]["message"], &json[0]["count"]), (&"it \"failed\"".into(), &3.into()));
        assert!(json[1].get("request_id").is_none());

        let text = logged(LogFormat::Text);
        assert!(
            text[0]
                .ends_with(&format!("it \"failed\" count=3 request_id={request} trace_id={trace}")),
            "{text:?}"
        );
        assert!(text[1].ends_with("INFO ready"), "{text:?}");
    }
}
