//! The lines of the log. A line that is written while a request is answered has the request's ids.
//!
//! The ids are task-local values rather than a span: a span costs each request three microseconds,
//! and few requests write a line.

use std::{fmt, time::Instant};

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer as _},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
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

use super::{context::TraceContext, repeats::Repeats};
use crate::config::LogFormat;

const TIMESTAMP: &str = "timestamp";
const LEVEL: &str = "level";
const REQUEST_ID: &str = "request_id";
const TRACE_ID: &str = "trace_id";
/// How often the line came without being written, since it was last written.
const REPEATED: &str = "repeated";
/// The keys of a JSON line beside the event's own, `message` being one of those.
const RESERVED: [&str; 5] = [TIMESTAMP, LEVEL, REQUEST_ID, TRACE_ID, REPEATED];

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

/// The id of the request that the current task answers, if any, as the log has it.
pub(crate) fn current_request() -> Option<Uuid> {
    RequestIds::current().map(|ids| ids.request)
}

/// Runs what another task does for the request that the current task answers: its lines have the
/// request's ids.
pub(crate) fn for_same_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(RequestIds::current(), work)
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
            let text = |format| TextLines { format, repeats: Repeats::default() };
            layer.with_ansi(ansi).map_event_format(text).with_filter(events).boxed()
        }
        LogFormat::Json => {
            layer.event_format(JsonLines(Repeats::default())).with_filter(events).boxed()
        }
    }
}

/// How often a line was held back since it was last written; `None` if it is held back now. A line
/// of a request is the only one with its ids.
fn held_back(repeats: &Repeats, event: &Event<'_>, ids: Option<RequestIds>) -> Option<u64> {
    if ids.is_some() { Some(0) } else { repeats.held_back(event, Instant::now()) }
}

/// Text lines, with the ids of the request at the end.
struct TextLines<F> {
    format: F,
    repeats: Repeats,
}

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
        let ids = RequestIds::current();
        // A line without text is not written.
        let Some(repeated) = held_back(&self.repeats, event, ids) else { return Ok(()) };
        if ids.is_none() && repeated == 0 {
            return self.format.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        write!(writer, "{}", line.trim_end())?;
        if let Some(ids) = ids {
            let (request, trace) = (ids.request, ids.trace.trace_id());
            write!(writer, " {REQUEST_ID}={request} {TRACE_ID}={trace}")?;
        }
        if repeated > 0 {
            write!(writer, " {REPEATED}={repeated}")?;
        }
        writeln!(writer)
    }
}

/// One JSON object per line: time, level, the event's fields, and the ids of the request.
struct JsonLines(Repeats);

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
        let ids = RequestIds::current();
        // A line without text is not written.
        let Some(repeated) = held_back(&self.0, event, ids) else { return Ok(()) };
        let line = json_line(event, ids, repeated).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn json_line(
    event: &Event<'_>,
    ids: Option<RequestIds>,
    repeated: u64,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut object = serializer.serialize_map(None)?;
    object.serialize_entry(TIMESTAMP, &time)?;
    object.serialize_entry(LEVEL, event.metadata().level().as_str())?;
    let mut fields = Fields { object, used: RESERVED.map(str::to_owned).into(), outcome: Ok(()) };
    event.record(&mut fields);
    fields.outcome?;
    let mut object = fields.object;
    if let Some(ids) = ids {
        object.serialize_entry(REQUEST_ID, &ids.request.to_string())?;
        object.serialize_entry(TRACE_ID, ids.trace.trace_id())?;
    }
    if repeated > 0 {
        object.serialize_entry(REPEATED, &repeated)?;
    }
    object.end()?;
    Ok(String::from_utf8(line)?)
}

/// Writes an event's fields into a JSON object, each under a key that the object does not have yet.
struct Fields<M: SerializeMap> {
    object: M,
    used: Vec<String>,
    outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<M> {
    fn add(&mut self, field: &Field, value: impl Serialize) {
        if self.outcome.is_err() {
            return;
        }
        let mut key = field.name().to_owned();
        while self.used.contains(&key) {
            key.insert_str(0, "field_");
        }
        self.outcome = self.object.serialize_entry(&key, &value);
        self.used.push(key);
    }
}

impl<M: SerializeMap> Visit for Fields<M> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
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

    /// The lines of `events`.
    fn logged(format: LogFormat, events: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::registry().with(lines(format, false, move || writer.clone()));
        tracing::subscriber::with_default(log, events);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// Calls `event` as a part of a request.
    fn in_request(event: impl FnOnce()) {
        let trace = TraceContext::new(7, 8, 1);
        let ids = RequestIds { request: Uuid::from_u128(9), trace };
        REQUEST.sync_scope(Some(ids), event);
    }

    /// Two events, the first one of a request.
    fn two_events() {
        in_request(|| tracing::error!(count = 3, "it \"failed\""));
        tracing::info!("ready");
    }

    #[test]
    fn a_line_names_the_request_in_whose_course_it_is_written() {
        let (request, trace) = (Uuid::from_u128(9).to_string(), format!("{:032x}", 7));
        let json: Vec<serde_json::Value> = logged(LogFormat::Json, two_events)
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

        let text = logged(LogFormat::Text, two_events);
        assert!(
            text[0]
                .ends_with(&format!("it \"failed\" count=3 request_id={request} trace_id={trace}")),
            "{text:?}"
        );
        assert!(text[1].ends_with("INFO ready"), "{text:?}");
    }

    /// A panic in a handler was logged with the key `message` twice, and a reader of JSON keeps one
    /// of the two.
    #[test]
    fn no_key_of_a_line_occurs_twice() {
        let event = || {
            tracing::error!(
                message = "b", timestamp = 1, level = true, request_id = -2, trace_id = 0.5,
                repeated = 3, field_level = ?"c", count = 1_u64, count = 2_u64, "a"
            );
        };
        let line = logged(LogFormat::Json, || in_request(event)).pop().unwrap();
        let entry: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line).unwrap();
        for key in RESERVED.iter().chain(&["message", "count", "field_level"]) {
            let times = line.matches(&format!("\"{key}\":")).count();
            assert_eq!(times, usize::from(*key != REPEATED), "{key} in {line}");
        }
        let field = |key: &str| entry[key].clone();
        assert_eq!(field("message"), "a");
        assert_eq!(field("level"), "ERROR");
        assert_eq!(field("request_id"), Uuid::from_u128(9).to_string());
        assert_eq!((field("field_message"), field("field_timestamp")), ("b".into(), 1.into()));
        assert_eq!(
            (field("field_level"), field("field_field_level")),
            (true.into(), "\"c\"".into())
        );
        assert_eq!((field("field_request_id"), field("field_trace_id")), ((-2).into(), 0.5.into()));
        assert_eq!((field("count"), field("field_count")), (1.into(), 2.into()));
        assert_eq!((field("field_repeated"), entry.len()), (3.into(), 14), "{line}");
    }

    /// A process without file descriptors logged 20 lines a second.
    #[test]
    fn an_error_that_comes_again_at_once_is_one_line_except_in_requests() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let fail = |number: u64| tracing::warn!(number, "cannot accept a connection");
            let lines = logged(format, || (0..100).for_each(|n| fail(n / 50)));
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert_eq!(logged(format, || (0..3).for_each(|_| in_request(|| fail(0)))).len(), 3);
            assert_eq!(logged(format, || (0..3).for_each(|_| tracing::info!("ready"))).len(), 3);
        }
    }
}
