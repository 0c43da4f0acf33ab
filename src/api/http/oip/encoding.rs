//! gzip and deflate: bodies that come compressed, and answers that are wanted so.

use std::io::{Read, Write as _};

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::{
    Compression,
    read::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};

use crate::{
    admission::Reservation,
    error::{ApiError, ErrorKind},
};

/// Bytes that are decompressed at a time, each piece within the limits before the next.
const PIECE: usize = 64 << 10;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// As HTTP has it: in zlib's frame.
    Deflate,
}

impl Encoding {
    /// The name in headers.
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

    /// How a request's body is compressed; the header is taken out.
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

    /// The compression that an answer is wanted in, if any: of those with the largest weight, the first.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
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

    /// Decompresses a body to at most `limit` bytes, each reserved before it is kept.
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

    /// Compresses an answer.
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

/// A weight in `Accept-Encoding`; what is no number forbids, as 0 does.
fn weight(text: &str) -> f32 {
    text.parse().unwrap_or(0.0)
}

fn read(
    mut decoder: impl Read,
    limit: usize,
    memory: &mut Reservation,
) -> Result<Vec<u8>, ApiError> {
    let mut plain = Vec::new();
    loop {
        let before = plain.len();
        decoder.by_ref().take(PIECE as u64).read_to_end(&mut plain).map_err(|_| {
            ApiError::invalid("the body cannot be decompressed as its Content-Encoding says")
        })?;
        if plain.len() == before {
            return Ok(plain);
        }
        if plain.len() > limit {
            return Err(ErrorKind::TooLarge.because(format!(
                "the decompressed body is larger than the limit of {limit} bytes; send fewer inputs \
                 at once"
            )));
        }
        memory.grow((plain.len() - before) as u64)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::ByteBudget;

    fn accepting(words: &'static str) -> Option<Encoding> {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(words))]);
        Encoding::wanted(&headers)
    }

    #[test]
    fn an_answer_is_compressed_as_the_client_prefers() {
        assert_eq!(accepting("gzip, deflate"), Some(Encoding::Gzip));
        assert_eq!(accepting("gzip;q=0.5, deflate"), Some(Encoding::Deflate));
        assert_eq!(accepting("gzip;q=0, br"), None);
        assert_eq!(accepting("identity"), None);
    }

    #[test]
    fn what_was_compressed_is_read_again() {
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let body = vec![7; 200_000];
            let compressed = encoding.compress(&body).unwrap();
            let mut memory = ByteBudget::new(1 << 20).open();
            assert_eq!(encoding.decompress(&compressed, 200_000, &mut memory), Ok(body));
            assert_eq!(memory.bytes(), 200_000);
        }
    }

    #[test]
    fn a_body_that_becomes_too_large_is_refused_before_it_is_whole() {
        let bomb = Encoding::Gzip.compress(&vec![0; 64 << 20]).unwrap();
        let mut memory = ByteBudget::new(1 << 20).open();
        let refused = Encoding::Gzip.decompress(&bomb, 200_000, &mut memory);
        assert_eq!(refused.map_err(|e| e.kind), Err(ErrorKind::TooLarge));
        assert!(memory.bytes() <= 200_000);
        let broken = Encoding::Gzip.decompress(b"no gzip", 200_000, &mut memory);
        assert_eq!(broken.map_err(|e| e.kind), Err(ErrorKind::InvalidArgument));
    }
}
