//! W3C trace context: the trace of a request's `traceparent` continues in its answer and in the
//! log.

use std::ops::Range;

use axum::http::HeaderValue;
use uuid::Uuid;

/// The place of a request in its trace, as the text of its header: `00-TRACE-SPAN-FLAGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceContext {
    text: [u8; LENGTH],
}

/// Bytes of a header of version 00.
const LENGTH: usize = 55;
/// The trace's id in it.
const TRACE: Range<usize> = 3..35;

impl TraceContext {
    /// This server's span in a trace.
    pub(super) fn new(trace: u128, span: u64, flags: u8) -> Self {
        let mut text = [b'-'; LENGTH];
        let parts: [(Range<usize>, u128); 4] =
            [(0..2, 0), (TRACE, trace), (36..52, span.into()), (53..55, flags.into())];
        for (place, number) in parts {
            write_hexadecimal(&mut text[place], number);
        }
        Self { text }
    }

    /// Continues the trace of a header; begins a new one if the header is missing or malformed.
    pub(super) fn of(header: Option<&str>) -> Self {
        // Neither id may be zero. A random UUID never is. Its halves have fixed bits in different
        // places, so mixing them gives 64 random bits, of which `| 1` sets the last.
        let random = Uuid::new_v4().as_u64_pair();
        let (trace, _, flags) =
            header.and_then(parse).unwrap_or_else(|| (Uuid::new_v4().as_u128(), 0, 0));
        Self::new(trace, random.0 ^ random.1.rotate_left(32) | 1, flags)
    }

    /// The trace's id, 32 hexadecimal digits.
    pub(super) fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.text[TRACE]).unwrap_or_default()
    }

    /// The header for the answer.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.text).ok()
    }
}

/// Fills `text` with a number's last hexadecimal digits. Each request has two such ids, and the
/// formatting of the standard library takes several times as long.
fn write_hexadecimal(text: &mut [u8], mut number: u128) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// The trace id, the caller's span and the flags of a `traceparent` of W3C Trace Context (level 1):
/// `VV-TRACE-PARENT-FLAGS` in lower-case hexadecimal digits; later versions may append more.
pub(super) fn parse(header: &str) -> Option<(u128, u64, u8)> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hexadecimal = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_valid = is_hexadecimal(version, 2)
        && is_hexadecimal(trace, 32)
        && is_hexadecimal(parent, 16)
        && is_hexadecimal(flags, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none());
    let parent = u64::from_str_radix(parent, 16).ok()?;
    let trace = u128::from_str_radix(trace, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    // The only known flag is `sampled`.
    (is_valid && trace != 0 && parent != 0).then_some((trace, parent, flags & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_goes_on_and_what_cannot_be_read_begins_another() {
        let sound = format!("00-{ID}-00f067aa0ba902b7-01");
        assert_eq!(
            parse(&sound).map(|(trace, parent, flags)| (format!("{trace:x}"), parent, flags)),
            Some((ID.to_owned(), 0x00f0_67aa_0ba9_02b7, 1))
        );
        assert!(parse(&format!("01-{ID}-00f067aa0ba902b7-03-more")).is_some());
        for wrong in [
            String::new(),
            format!("00-{ID}-00f067aa0ba902b7-01-more"),
            format!("ff-{ID}-00f067aa0ba902b7-01"),
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{:032}-00f067aa0ba902b7-01", 0),
            format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
            format!("00-+{}-00f067aa0ba902b7-01", &ID[1..]),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_request_has_a_span_of_its_own() {
        let header = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let (one, other) = (TraceContext::of(header), TraceContext::of(header));
        assert_eq!((one.trace_id(), other.trace_id()), (ID, ID));
        assert_ne!(one, other);
        assert_ne!(TraceContext::of(None).trace_id(), TraceContext::of(None).trace_id());
    }

    #[test]
    fn a_context_is_written_as_its_header_has_it() {
        let header = TraceContext::new(0x0abc, 0x00f0_67aa_0ba9_02b7, 1).header();
        let expected = "00-00000000000000000000000000000abc-00f067aa0ba902b7-01";
        assert_eq!(header, Some(HeaderValue::from_static(expected)));
        assert!(parse(expected).is_some());
    }
}
