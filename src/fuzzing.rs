//! Entries for the fuzz targets in `fuzz/`, which only they are built with.
//!
//! Where a target holds memory to account, it passes `peak`, which runs something and returns the
//! most bytes that it held at once.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Bytes;
use prost::Message as _;
use uuid::Uuid;

use crate::{
    admission::Keys,
    api::{
        grpc::{
            measured_bytes,
            proto::{drsn::ClassifyRequest, inference::ModelInferRequest},
            time_limit,
        },
        http::fuzzing::{
            assert_decompression, assert_framing, assert_headers, assert_options, form as read_form,
        },
    },
    inference::decode::JsonRequest,
    observability::telemetry::{RequestTrace, TRACEPARENT},
};

/// The two readers of a JSON body agree.
pub fn json(body: &[u8]) {
    JsonRequest::assert_readers_agree(body);
}

/// A message is measured, and decoded if it is small.
pub fn message(bytes: &[u8]) {
    let infer = measured_bytes("/inference.GRPCInferenceService/ModelInfer", bytes);
    if let Ok(request) = ModelInferRequest::decode(bytes) {
        let inputs = request.inputs.capacity().min(2 * request.inputs.len());
        let least = inputs * size_of_val(&request.inputs[..]) / request.inputs.len().max(1);
        assert!(infer >= least as u64, "{infer} bytes measured, at least {least} held");
    }
    measured_bytes("/drsn.v1.Classifier/Classify", bytes);
    let _ = ClassifyRequest::decode(bytes);
}

/// A form: a byte that chooses the pieces, a line with the `Content-Type`, and the body.
///
/// In pieces it is read as it is in one, and reading it holds no more memory than its budget.
pub fn form(bytes: &[u8], peak: impl FnOnce(&mut dyn FnMut()) -> usize) {
    /// Memory of the runtime, of the options and of a message.
    const BESIDES: usize = 192 << 10;
    const ENOUGH: u64 = 1 << 40;
    let Some((&seed, rest)) = bytes.split_first() else { return };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return };
    let (content_type, body) = (&rest[..end], Bytes::copy_from_slice(&rest[end + 1..]));
    let whole = read_form(content_type, vec![body.clone()], ENOUGH);
    let parts = read_form(content_type, pieces(&body, seed), ENOUGH);
    // Whether headers near their limit are too long depends on where the piece before them ended.
    let is_endless = [&whole, &parts]
        .into_iter()
        .any(|read| read.as_ref().is_err_and(|error| error.detail.contains("do not end within")));
    let [whole, parts] = [whole, parts].map(|read| read.map_err(|error| error.kind));
    assert!(is_endless || whole == parts, "{whole:?} but in pieces {parts:?}");
    drop((whole, parts));
    let budget = (160 << 10) << (seed % 3);
    let mut pieces = Some(pieces(&body, seed));
    let held = peak(&mut || {
        let _ = read_form(content_type, pieces.take().unwrap_or_default(), budget);
    });
    assert!(held as u64 <= budget + BESIDES as u64, "{held} bytes held, {budget} reserved at most");
}

/// Views of a body: all of it, or pieces whose lengths depend on the seed. They are not so many
/// that reading them takes long.
fn pieces(body: &Bytes, seed: u8) -> Vec<Bytes> {
    let longest = [usize::MAX, 1, 2, 7, 61, 1000, 9000, 70_000][usize::from(seed % 8)];
    let longest = longest.max(body.len() / 1000);
    let mut state = u32::from(seed) + 1;
    let mut pieces = Vec::new();
    let mut rest = body.clone();
    while !rest.is_empty() {
        state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        let length = 1 + (state >> 8) as usize % longest;
        pieces.push(rest.split_to(length.min(rest.len())));
    }
    pieces
}

/// A request as HTTP/1.1 writes it: everything outside its JSON that a client chooses.
pub fn request(bytes: &[u8], peak: impl Fn(&mut dyn FnMut()) -> usize) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 4..]));
    let mut lines = head.split(|&byte| byte == b'\n');
    let target = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) =
            line.split_at(line.iter().position(|&byte| byte == b':').unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let query = target.split_once('?').map_or("", |(_, query)| query);
    assert_options(query.split(' ').next().unwrap_or_default());
    assert_headers(&headers);
    assert!(time_limit(&headers).is_none_or(|limit| limit.as_secs() <= 99_999_999 * 3600));
    traced(&headers);
    keys(&headers, &String::from_utf8_lossy(body));
    assert_decompression(&headers, body, &peak);
    assert_framing(&headers, &Bytes::copy_from_slice(body), &peak);
}

/// The answer's trace is that of the request if that has one, and can be read again.
fn traced(headers: &HeaderMap) {
    let answered = |headers: &HeaderMap| {
        RequestTrace::begin(headers, Uuid::nil()).header().expect("hexadecimal digits")
    };
    let header = answered(headers);
    let again = answered(&HeaderMap::from_iter([(TRACEPARENT.clone(), header.clone())]));
    assert_eq!(header.as_bytes()[..35], again.as_bytes()[..35]);
}

/// A key of a key file lets its holder in, and an empty file nobody.
fn keys(headers: &HeaderMap, text: &str) {
    let Ok(keys) = Keys::of_text(text) else { return };
    let _ = keys.client(headers);
    let lines = text.lines().map(str::trim);
    for key in lines.filter(|key| !key.is_empty() && !key.starts_with('#')).take(4) {
        for (name, value) in
            [("x-api-key", key.to_owned()), ("authorization", format!("Bearer {key}"))]
        {
            let value = HeaderValue::try_from(value).expect("a key can be sent in a header");
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
            assert!(keys.client(&headers).is_ok(), "{name}");
        }
    }
}
