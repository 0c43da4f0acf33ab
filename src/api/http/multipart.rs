//! `multipart/form-data`: files, and options as text parts.

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::body::Body;
use http_body_util::BodyDataStream;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use multer::{Field, Multipart};
use tokio::time::timeout_at;

use super::body::{Incoming, incomplete, too_large, too_slow};
use crate::{
    admission::{Reservation, ReservedBuffer},
    error::{ApiError, ErrorKind},
    inference::{classify::File, context::RequestContext, decode::FileKind, options::Options},
};

/// Longest value of an option, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Longest file name that the answer repeats, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest headers of a part, in bytes. The parser looks through all of them again whenever more
/// arrive.
const LONGEST_HEADERS: usize = 16 << 10;
/// Memory of the parser, in bytes: the headers of a part, and what arrived last, in a buffer that
/// may be moved while it grows.
const PARSER_BYTES: u64 = 96 << 10;

/// A body with a limit on its length, which arrives piece by piece: the parser takes all that it can
/// get before it looks for the end of headers, so it gets no second piece before it has looked at
/// the first.
struct LimitedBody<'a> {
    body: &'a mut Body,
    limit: usize,
    received: usize,
    /// Whether the parser has to look at a piece before it gets the next.
    must_pause: bool,
    /// Bytes that may still arrive before the headers of the next part end.
    left_for_headers: &'a AtomicUsize,
}

impl HttpBody for LimitedBody<'_> {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.must_pause) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = match ready!(Pin::new(&mut *this.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(_)) => return Poll::Ready(Some(Err(incomplete()))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        this.received += length;
        this.must_pause = true;
        let left = this.left_for_headers.load(Ordering::Relaxed);
        this.left_for_headers.store(left.saturating_sub(length), Ordering::Relaxed);
        Poll::Ready(Some(if this.received > this.limit {
            Err(too_large(this.limit))
        } else if left == 0 {
            Err(endless_headers())
        } else {
            Ok(frame)
        }))
    }
}

/// Reads the files of a form, and adds its options to those of the query.
///
/// The whole body may be as long as a recording (`--max-recording-bytes`).
pub(super) async fn read(
    context: &mut RequestContext<'_>,
    incoming: Incoming<'_>,
    content_type: &[u8],
    mut options: Options,
) -> Result<(Vec<File>, Options), ApiError> {
    let boundary = boundary(content_type)?;
    let (config, memory) = (&context.app.config, &mut context.memory);
    let limit = config.max_recording_bytes.get();
    if incoming.declared().is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    // Beside the files there is room for every option, once.
    let most_parts = config.max_windows.get().saturating_add(32);
    let deadline = incoming.deadline();
    let parser = incoming.declared().map_or(PARSER_BYTES, |length| PARSER_BYTES.min(4 * length));
    memory.grow(parser)?;
    let left_for_headers = AtomicUsize::new(LONGEST_HEADERS);
    let body = LimitedBody {
        body: incoming.into_body(),
        limit,
        received: 0,
        must_pause: false,
        left_for_headers: &left_for_headers,
    };
    let mut form = Form {
        parts: Multipart::new(BodyDataStream::new(body), boundary),
        deadline,
        left_for_headers: &left_for_headers,
    };
    let files = form.read(most_parts, &mut options, memory).await?;
    drop(form);
    memory.shrink_to(memory.bytes().saturating_sub(parser));
    if files.is_empty() {
        return Err(ApiError::invalid(
            "the body has no part named file; send each input as one, as curl -F file=@a.wav does",
        ));
    }
    Ok((files, options))
}

/// The parts of a form, each of which must arrive in time.
struct Form<'a> {
    parts: Multipart<'a>,
    deadline: Instant,
    left_for_headers: &'a AtomicUsize,
}

impl<'a> Form<'a> {
    async fn read(
        &mut self,
        most_parts: usize,
        options: &mut Options,
        memory: &mut Reservation,
    ) -> Result<Vec<File>, ApiError> {
        let mut files: Vec<File> = Vec::new();
        for part in 0.. {
            let Some(mut field) = self.next().await? else { break };
            if part == most_parts {
                return Err(ErrorKind::TooLarge
                    .because(format!("the body has more parts than the limit of {part}")));
            }
            let name = field.name().map(str::to_owned).unwrap_or_default();
            if name == "file" {
                memory.grow(size_of::<File>() as u64 + LONGEST_NAME as u64)?;
                files.push(file(&mut field, self.deadline, memory).await?);
            } else {
                let text = text(&mut field, &name, self.deadline).await?;
                options.set(&name, &text)?;
            }
        }
        Ok(files)
    }

    async fn next(&mut self) -> Result<Option<Field<'a>>, ApiError> {
        self.left_for_headers.store(LONGEST_HEADERS, Ordering::Relaxed);
        let next = timeout_at(self.deadline.into(), self.parts.next_field()).await;
        self.left_for_headers.store(usize::MAX, Ordering::Relaxed);
        next.map_err(|_| too_slow())?.map_err(malformed)
    }
}

fn boundary(content_type: &[u8]) -> Result<String, ApiError> {
    let text = std::str::from_utf8(content_type).ok();
    text.and_then(|text| multer::parse_boundary(text).ok()).ok_or_else(|| {
        ApiError::invalid(
            "the Content-Type multipart/form-data has no boundary; let the HTTP client set it",
        )
    })
}

async fn file(
    field: &mut Field<'_>,
    deadline: Instant,
    memory: &mut Reservation,
) -> Result<File, ApiError> {
    // Old browsers sent the whole path.
    let name = field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name));
    let name = name.filter(|name| !name.is_empty()).map(shortened);
    let declared = field.headers().get("content-type");
    let declared = declared.and_then(|t| FileKind::of_media_type(t.as_bytes()));
    let mut content = ReservedBuffer::default();
    while let Some(chunk) = chunk(field, deadline).await? {
        content.push(&chunk, None, memory)?;
    }
    Ok(File { name, bytes: content.finish(memory).into(), declared })
}

/// The beginning of a name, at most [`LONGEST_NAME`] bytes.
fn shortened(name: &str) -> String {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name[..end.unwrap_or(0)].to_owned()
}

async fn text(field: &mut Field<'_>, name: &str, deadline: Instant) -> Result<String, ApiError> {
    let quoted: String = name.chars().take(40).collect();
    let mut text = Vec::new();
    while let Some(chunk) = chunk(field, deadline).await? {
        if text.len() + chunk.len() > LONGEST_TEXT {
            return Err(ApiError::invalid(format!(
                "the part {quoted:?} is longer than the limit of {LONGEST_TEXT} bytes for an option; \
                 send inputs as parts named file"
            )));
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text)
        .map_err(|_| ApiError::invalid(format!("the part {quoted:?} is not valid UTF-8")))
}

async fn chunk(field: &mut Field<'_>, deadline: Instant) -> Result<Option<Bytes>, ApiError> {
    let chunk = timeout_at(deadline.into(), field.chunk()).await.map_err(|_| too_slow())?;
    chunk.map_err(malformed)
}

fn endless_headers() -> ApiError {
    ApiError::invalid(format!(
        "the headers of a part do not end within {LONGEST_HEADERS} bytes: they end with an empty line"
    ))
}

fn malformed(error: multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(error) = error {
        return error.downcast::<ApiError>().map_or_else(|_| incomplete(), |error| *error);
    }
    ApiError::invalid(
        "the body is not valid multipart/form-data: a boundary or a part's header is missing or \
         malformed",
    )
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures_util::stream;

    use super::*;

    /// Pieces that are all there when the parser asks for the first.
    fn arrived(pieces: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)))
    }

    /// Whether the parser finds a part.
    async fn first(mut body: Body) -> Result<bool, ApiError> {
        let left_for_headers = AtomicUsize::new(LONGEST_HEADERS);
        let body = LimitedBody {
            body: &mut body,
            limit: usize::MAX,
            received: 0,
            must_pause: false,
            left_for_headers: &left_for_headers,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let parts = Multipart::new(BodyDataStream::new(body), "xyz");
        let mut form = Form { parts, deadline, left_for_headers: &left_for_headers };
        form.next().await.map(|field| field.is_some())
    }

    const HEAD: &[u8] = b"--xyz\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n";

    /// Regression: the content that had arrived together with the headers was taken for headers,
    /// so that a large file was refused if it came fast.
    #[tokio::test]
    async fn a_file_that_arrives_faster_than_it_is_read_is_not_taken_for_headers() {
        let mut pieces = vec![HEAD.to_vec()];
        pieces.extend(vec![vec![b'x'; 8 << 10]; 100]);
        assert_eq!(first(arrived(pieces)).await, Ok(true));
        let together = [HEAD, &vec![b'x'; 64 << 10]].concat();
        assert_eq!(first(arrived(vec![together; 3])).await, Ok(true));
    }

    #[tokio::test]
    async fn headers_without_an_end_are_refused_however_they_arrive() {
        let begun = &HEAD[..HEAD.len() - 2];
        for size in [100, 8 << 10, 64 << 10] {
            let pieces = std::iter::once(begun.to_vec()).chain(vec![vec![b'x'; size]; 1000]);
            let found = first(arrived(pieces.collect())).await;
            assert_eq!(found, Err(endless_headers()), "{size}");
        }
    }
}
