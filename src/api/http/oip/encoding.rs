//! gzip and deflate: decompresses requests and compresses responses.

use std::io::{Read, Write as _};

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::{
    Compression,
    read::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};

use crate::{
    admission::{Reservation, ReservedBuffer},
    error::{ApiError, ErrorKind},
};

/// Bytes that are decompressed at a time; the limits are checked after each piece.
const PIECE: usize = 16 << 10;

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
        let Some(encoding) = headers.remove(header::CONTENT_ENCODING) else { return Ok(None) };
        let name = encoding.to_str().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("identity") {
            return Ok(None);
        }
        Self::of(name).map(Some).ok_or_else(|| {
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

    /// Decompresses a body to at most `limit` bytes, which are reserved piece by piece.
    pub(super) fn decompress(
        self,
        body: &[u8],
        limit: usize,
        memory: &mut Reservation,
    ) -> Result<Vec<u8>, ApiError> {
        match self {
            Self::Gzip => read(MultiGzDecoder::new(body), limit, memory),
            Self::Deflate => read(ZlibDecoder::new(body), limit, memory),
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

fn read(
    mut decoder: impl Read,
    limit: usize,
    memory: &mut Reservation,
) -> Result<Vec<u8>, ApiError> {
    let mut plain = ReservedBuffer::default();
    let mut piece = vec![0; PIECE];
    loop {
        let length = decoder.read(&mut piece).map_err(|_| {
            ApiError::invalid("the body cannot be decompressed as its Content-Encoding says")
        })?;
        if length == 0 {
            return Ok(plain.finish(memory));
        }
        if plain.len() + length > limit {
            return Err(ErrorKind::TooLarge.because(format!(
                "the decompressed body is larger than the limit of {limit} bytes; send fewer inputs \
                 at once"
            )));
        }
        plain.push(&piece[..length], Some(limit as u64), memory)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::ByteBudget;

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
            assert_eq!(encoding.decompress(&compressed, 200_000, &mut memory), Ok(body));
            assert_eq!(memory.bytes(), 200_000);
        }
    }

    /// Regression: the spare capacity of what was decompressed was not reserved.
    #[test]
    fn what_is_decompressed_is_reserved_with_its_spare_capacity() {
        for length in [1, 60_000, 150_000, 299_000] {
            let compressed = Encoding::Gzip.compress(&vec![7; length]).unwrap();
            let mut memory = ByteBudget::new(1 << 20).open();
            let plain = Encoding::Gzip.decompress(&compressed, 300_000, &mut memory).unwrap();
            assert!(plain.capacity() as u64 <= memory.bytes(), "{length}: {}", plain.capacity());
        }
    }

    #[test]
    fn a_body_that_becomes_too_large_is_refused_before_it_is_decompressed_whole() {
        let bomb = Encoding::Gzip.compress(&vec![0; 64 << 20]).unwrap();
        let mut memory = ByteBudget::new(1 << 20).open();
        let refused = Encoding::Gzip.decompress(&bomb, 200_000, &mut memory);
        assert_eq!(refused.map_err(|e| e.kind), Err(ErrorKind::TooLarge));
        assert!(memory.bytes() <= 200_000);
        let broken = Encoding::Gzip.decompress(b"no gzip", 200_000, &mut memory);
        assert_eq!(broken.map_err(|e| e.kind), Err(ErrorKind::InvalidArgument));
    }
}
