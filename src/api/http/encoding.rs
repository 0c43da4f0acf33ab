//! gzip and deflate: decompresses requests and compresses responses.

use std::{io::Write as _, time::Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::{
    Compression,
    bufread::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use hyper::body::Bytes;

use crate::{
    admission::Reservation,
    app::{App, Caller},
    error::{ApiError, ErrorKind},
    inference::decode::{UnpackLimits, unpack},
};

const BROKEN: &str = "the body cannot be decompressed as its Content-Encoding says";

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// HTTP's deflate, which is in the zlib format.
    Deflate,
}

impl Encoding {
    /// The value for `Content-Encoding`.
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }

    fn of(name: &str) -> Option<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () => None,
        }
    }

    /// The encoding of a request body, if any. Removes the header.
    pub(super) fn take(headers: &mut HeaderMap) -> Result<Option<Self>, ApiError> {
        if !headers.contains_key(header::CONTENT_ENCODING) {
            return Ok(None);
        }
        let header::Entry::Occupied(entry) = headers.entry(header::CONTENT_ENCODING) else {
            return Ok(None);
        };
        let (_, mut encodings) = entry.remove_entry_mult();
        let first = encodings.next();
        let name = first.as_ref().and_then(|value| value.to_str().ok()).map(str::trim);
        let is_alone = encodings.next().is_none();
        let is_none = name.is_some_and(|n| n.is_empty() || n.eq_ignore_ascii_case("identity"));
        if is_none && is_alone {
            return Ok(None);
        }
        name.filter(|_| is_alone).and_then(Self::of).map(Some).ok_or_else(|| {
            ErrorKind::UnsupportedMediaType.because(
                "the body's Content-Encoding is not supported; send it uncompressed, or as gzip or \
                 deflate",
            )
        })
    }

    /// The encoding that the client prefers, if any: the first one with the largest weight.
    pub(super) fn preferred(headers: &HeaderMap) -> Option<Self> {
        let accept = headers.get_all(header::ACCEPT_ENCODING).into_iter();
        let words = accept.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        let mut best = None;
        for word in words {
            let mut parts = word.split(';').map(str::trim);
            let encoding = Self::of(parts.next().unwrap_or_default());
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, weight);
            if let Some(encoding) = encoding
                && weight > best.map_or(0.0, |(_, best)| best)
            {
                best = Some((encoding, weight));
            }
        }
        best.map(|(encoding, _)| encoding)
    }

    /// Decompresses the body of a request to at most `limit` bytes, off the threads that serve
    /// connections. What it was before is dropped, and its bytes are no longer reserved.
    ///
    /// # Errors
    /// Those of [`Encoding::decompress`].
    pub(super) async fn unpack(
        self,
        app: &App,
        caller: Caller,
        body: Bytes,
        limit: usize,
        memory: &mut Reservation,
    ) -> Result<Bytes, ApiError> {
        let packed = memory.bytes();
        let decompress = || self.decompress(&body, limit, caller.deadline, memory);
        let plain = app.compute(true, caller, decompress).await??;
        drop(body);
        memory.shrink_to(memory.bytes().saturating_sub(packed));
        Ok(plain.into())
    }

    /// Decompresses a body to at most `limit` bytes, which are reserved piece by piece.
    ///
    /// # Errors
    /// Those of [`unpack`].
    pub(super) fn decompress(
        self,
        body: &[u8],
        limit: usize,
        deadline: Instant,
        memory: &mut Reservation,
    ) -> Result<Vec<u8>, ApiError> {
        let limits = UnpackLimits { bytes: limit, deadline };
        match self {
            Self::Gzip => unpack(body, MultiGzDecoder::new, limits, memory, BROKEN),
            Self::Deflate => unpack(body, ZlibDecoder::new, limits, memory, BROKEN),
        }
    }

    /// Compresses a response body.
    pub(super) fn compress(self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let compressed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        compressed.map_err(|error| {
            tracing::error!(%error, "cannot compress an answer");
            ApiError::internal()
        })
    }
}

/// A weight in `Accept-Encoding`; 0, which excludes the encoding, if it is not a number.
fn weight(text: &str) -> f32 {
    text.parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::admission::ByteBudget;

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn taken(encodings: &[&'static str]) -> Result<Option<Encoding>, ErrorKind> {
        let encodings = encodings
            .iter()
            .map(|&encoding| (header::CONTENT_ENCODING, HeaderValue::from_static(encoding)));
        let mut headers = HeaderMap::new();
        encodings.for_each(|(name, value)| {
            headers.append(name, value);
        });
        let taken = Encoding::take(&mut headers).map_err(|error| error.kind);
        assert!(!headers.contains_key(header::CONTENT_ENCODING));
        taken
    }

    #[test]
    fn one_known_encoding_is_taken_and_every_other_refused() {
        assert_eq!(taken(&[]), Ok(None));
        assert_eq!(taken(&[""]), Ok(None));
        assert_eq!(taken(&["identity"]), Ok(None));
        assert_eq!(taken(&["GZip"]), Ok(Some(Encoding::Gzip)));
        assert_eq!(taken(&["x-gzip"]), Ok(Some(Encoding::Gzip)));
        assert_eq!(taken(&["deflate"]), Ok(Some(Encoding::Deflate)));
        for wrong in
            [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "gzip"], &["identity", "br"]]
        {
            assert_eq!(taken(wrong), Err(ErrorKind::UnsupportedMediaType), "{wrong:?}");
        }
    }

    #[test]
    fn decompression_ends_at_the_deadline() {
        let compressed = Encoding::Gzip.compress(&[7; 1000]).unwrap();
        let mut memory = ByteBudget::new(1 << 20).open();
        let late = Encoding::Gzip.decompress(&compressed, 1000, Instant::now(), &mut memory);
        assert_eq!(late.map_err(|e| e.kind), Err(ErrorKind::DeadlineExceeded));
    }

    fn accepting(words: &'static str) -> Option<Encoding> {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(words))]);
        Encoding::preferred(&headers)
    }

    #[test]
    fn a_response_is_compressed_as_the_client_prefers() {
        assert_eq!(accepting("gzip, deflate"), Some(Encoding::Gzip));
        assert_eq!(accepting("gzip;q=0.5, deflate"), Some(Encoding::Deflate));
        assert_eq!(accepting("gzip;q=0, br"), None);
        assert_eq!(accepting("identity"), None);
    }

    #[test]
    fn a_compressed_body_is_decompressed_to_the_same_bytes() {
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let body = vec![7; 200_000];
            let compressed = encoding.compress(&body).unwrap();
            let mut memory = ByteBudget::new(1 << 20).open();
            assert_eq!(encoding.decompress(&compressed, 200_000, soon(), &mut memory), Ok(body));
            assert_eq!(memory.bytes(), 200_000);
        }
    }

    /// Regression: the spare capacity of what was decompressed was not reserved.
    #[test]
    fn what_is_decompressed_is_reserved_with_its_spare_capacity() {
        for length in [1, 60_000, 150_000, 299_000] {
            let compressed = Encoding::Gzip.compress(&vec![7; length]).unwrap();
            let mut memory = ByteBudget::new(1 << 20).open();
            let plain =
                Encoding::Gzip.decompress(&compressed, 300_000, soon(), &mut memory).unwrap();
            assert!(plain.capacity() as u64 <= memory.bytes(), "{length}: {}", plain.capacity());
        }
    }

    #[test]
    fn a_body_that_becomes_too_large_is_refused_before_it_is_decompressed_whole() {
        let bomb = Encoding::Gzip.compress(&vec![0; 64 << 20]).unwrap();
        let mut memory = ByteBudget::new(1 << 20).open();
        let refused = Encoding::Gzip.decompress(&bomb, 200_000, soon(), &mut memory);
        assert_eq!(refused.map_err(|e| e.kind), Err(ErrorKind::TooLarge));
        assert!(memory.bytes() <= 200_000);
        let broken = Encoding::Gzip.decompress(b"no gzip", 200_000, soon(), &mut memory);
        assert_eq!(broken.map_err(|e| e.kind), Err(ErrorKind::InvalidArgument));
    }

    /// Regression: a body of blocks without content was read to its end, whatever the deadline.
    #[test]
    fn a_body_from_which_nothing_comes_out_ends_at_its_deadline() {
        const MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";
        const BLOCK: &[u8] = &[0, 0, 0, 0xff, 0xff];
        let endless =
            |head: &[u8], part: &[u8]| [head, &part.repeat((64 << 20) / part.len())].concat();
        for (encoding, body) in [
            (Encoding::Gzip, endless(b"", MEMBER)),
            (Encoding::Gzip, endless(&MEMBER[..10], BLOCK)),
            (Encoding::Deflate, endless(b"\x78\x01", BLOCK)),
        ] {
            let begun = Instant::now();
            let deadline = begun + Duration::from_millis(5);
            let mut memory = ByteBudget::new(1 << 20).open();
            let refused = encoding.decompress(&body, 200_000, deadline, &mut memory);
            assert_eq!(refused.map_err(|e| e.kind), Err(ErrorKind::DeadlineExceeded));
            let took = begun.elapsed();
            assert!(took < Duration::from_millis(60), "{encoding:?}: {took:?}");
        }
    }
}
