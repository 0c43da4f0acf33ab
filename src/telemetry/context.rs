//! W3C trace context: the `traceparent` that a request brings goes on in its answer and in the log.

use std::fmt::{self, Display};

use axum::http::HeaderValue;
use uuid::Uuid;

/// The place of a request in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceContext {
    trace: u128,
    /// This server's part of the trace.
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// A span that has its ids.
    pub(super) fn new(trace: u128, span: u64, flags: u8) -> Self {
        Self { trace, span, flags }
    }

    /// Goes on with the trace that a header names; begins one where it names none that can be read.
    pub(super) fn of(header: Option<&str>) -> Self {
        // A random UUID has more than 64 random bits in either half's sum, and is never zero.
        let random = Uuid::new_v4().as_u64_pair();
        let (trace, _, flags) =
            header.and_then(parse).unwrap_or_else(|| (Uuid::new_v4().as_u128(), 0, 0));
        Self { trace, span: random.0 ^ random.1.rotate_left(32) | 1, flags }
    }

    /// The trace's id, 32 hexadecimal digits.
    pub(super) fn trace_id(&self) -> impl Display {
        let trace = self.trace;
        fmt::from_fn(move |f| write!(f, "{trace:032x}"))
    }

    /// The header for the answer.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let Self { trace, span, flags } = self;
        HeaderValue::try_from(format!("00-{trace:032x}-{span:016x}-{flags:02x}")).ok()
    }
}

/// Trace id, the caller's span and flags of a `traceparent`, as W3C Trace Context (level 1) has it: `VV-TRACE-PARENT-FLAGS` in lower-case
/// hexadecimal digits; later versions may have more behind that.
pub(super) fn parse(header: &str) -> Option<(u128, u64, u8)> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hexadecimal = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_sound = is_hexadecimal(version, 2)
        && is_hexadecimal(trace, 32)
        && is_hexadecimal(parent, 16)
        && is_hexadecimal(flags, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none());
    let parent = u64::from_str_radix(parent, 16).ok()?;
    let trace = u128::from_str_radix(trace, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    // Of the flags only `sampled` is known.
    (is_sound && trace != 0 && parent != 0).then_some((trace, parent, flags & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_goes_on_and_what_cannot_be_read_begins_another() {
        let sound = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(
            parse(&sound).map(|(trace, parent, flags)| (format!("{trace:x}"), parent, flags)),
            Some((TRACE.to_owned(), 0x00f0_67aa_0ba9_02b7, 1))
        );
        assert!(parse(&format!("01-{TRACE}-00f067aa0ba902b7-03-more")).is_some());
        for wrong in [
            String::new(),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{:032}-00f067aa0ba902b7-01", 0),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_request_has_a_span_of_its_own() {
        let header = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let (one, other) = (TraceContext::of(header), TraceContext::of(header));
        assert_eq!((one.trace_id().to_string(), one.flags), (TRACE.to_owned(), 1));
        assert_ne!(one.span, other.span);
        assert_ne!(TraceContext::of(None).trace, 0);
    }
}
