//! What the fuzz target `request` calls.

use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use hyper::body::Bytes;

use super::request::{InferRequest, json_length};
use crate::{
    admission::ByteBudget,
    api::http::encoding::Encoding,
    inference::{decode::PARSING_FACTOR, tensors::Values},
};

/// The JSON and the numbers behind it are all of a body, and parsing holds no more than is reserved
/// for it. `peak` runs something and returns the most bytes that it held.
pub(crate) fn assert_framing(
    headers: &HeaderMap,
    body: &Bytes,
    peak: impl FnOnce(&mut dyn FnMut()) -> usize,
) {
    /// Memory of the lists whose length is limited, and of a message.
    const BESIDES: u64 = 64 << 10;
    let Ok(length) = json_length(headers) else { return };
    let mut request = None;
    let held = peak(&mut || request = InferRequest::parse(body, length, &[1, 2]).ok());
    let json = length.unwrap_or(body.len()).min(body.len());
    let reserved = PARSING_FACTOR * json as u64 + BESIDES;
    assert!(held as u64 <= reserved, "{held} bytes held for {json} bytes of JSON");
    let inputs = request.iter().flat_map(|request| &request.infer.inputs);
    let binary = inputs.map(|input| match &input.values {
        Values::Bytes(bytes) => bytes.len(),
        Values::Floats(_) => 0,
    });
    assert!(request.is_none() || binary.sum::<usize>() + json == body.len());
}

/// Decompressing holds no more than its limit and its budget allow.
pub(crate) fn assert_decompression(
    headers: &HeaderMap,
    body: &[u8],
    peak: impl FnOnce(&mut dyn FnMut()) -> usize,
) {
    const LIMIT: usize = 300_000;
    const BUDGET: u64 = 1 << 20;
    /// Memory of the decoder, and of a piece.
    const BESIDES: u64 = 192 << 10;
    let _ = Encoding::preferred(headers);
    let Ok(Some(encoding)) = Encoding::take(&mut headers.clone()) else { return };
    let mut memory = ByteBudget::new(BUDGET).open();
    let deadline = Instant::now() + Duration::from_hours(1);
    let mut result = None;
    let held = peak(&mut || result = encoding.decompress(body, LIMIT, deadline, &mut memory).ok());
    assert!(held as u64 <= BUDGET + BESIDES, "{held} bytes held");
    if let Some(plain) = result {
        assert!(plain.len() <= LIMIT && plain.capacity() as u64 <= memory.bytes());
    }
}
