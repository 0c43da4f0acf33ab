//! What the fuzz targets `form` and `request` call.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use clap::Parser as _;
use hyper::body::Bytes;

use super::{body::Incoming, middleware, multipart, query};
use crate::{
    admission::ByteBudget,
    config::Config,
    error::ApiError,
    inference::{classify::File, decode::MediaType, options::Options},
};

pub(crate) use super::oip::{assert_decompression, assert_framing};

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::parse_from(["drsn-serve"]));

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without input and output can be built");
}

/// Reads a form that arrives in these pieces, within a budget of so many bytes. Its deadline is far.
pub(crate) fn form(
    content_type: &[u8],
    pieces: Vec<Bytes>,
    budget: u64,
) -> Result<(Vec<File>, Options), ApiError> {
    let pieces = pieces.into_iter().map(Ok::<_, std::convert::Infallible>);
    let mut body = Body::from_stream(futures_util::stream::iter(pieces));
    let deadline = Instant::now() + Duration::from_secs(60);
    let incoming = Incoming::new(&mut body, &HeaderMap::new(), deadline)?;
    let mut memory = ByteBudget::new(budget).open();
    let reading = multipart::read(&CONFIG, &mut memory, incoming, content_type, Options::default());
    RUNTIME.with(|runtime| runtime.block_on(reading))
}

/// A query gives the same options if it is there twice, and options are within their ranges.
pub(crate) fn assert_options(query: &str) {
    let Ok(options) = query::options(query) else { return };
    assert_eq!(query::options(&format!("{query}&{query}")), Ok(options.clone()));
    assert!(options.top_k.is_none_or(|count| count > 0));
    assert!(options.batch.is_none_or(|count| count > 0));
    assert!(options.overlap.is_none_or(|share| (0.0..1.0).contains(&share)));
    assert!(options.sample_rate_hz.is_none_or(|rate| rate.is_finite() && rate > 0.0));
    assert!(options.channel.is_none_or(|channels| !channels.is_empty()));
}

/// The headers that every route reads.
pub(crate) fn assert_headers(headers: &HeaderMap) {
    let _ = MediaType::of(headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()));
    let limit = middleware::client_limit(headers);
    assert!(limit.is_err() || limit.is_ok_and(|limit| limit != Some(Duration::ZERO)));
    let (id, _) = middleware::request_id(headers);
    assert!(id.is_some_and(|id| id.len() <= middleware::LONGEST_REQUEST_ID));
}
