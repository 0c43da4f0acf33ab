//! `multipart/form-data`: files, and options as text parts.

use std::{
    pin::Pin,
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
    admission::Reservation,
    error::{ApiError, ErrorKind},
    inference::{classify::File, context::RequestContext, decode::FileKind, options::Options},
};

/// Longest value of an option, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Longest file name that the answer repeats, in bytes.
const LONGEST_NAME: usize = 255;
/// Reserved bytes for each received byte: one for the parser's buffer, one for the file. What is
/// kept of a part's headers is shorter than the headers.
const COPIES: u64 = 2;

/// A body with a limit on its length, whose bytes are reserved before they are parsed.
struct LimitedBody<'a> {
    body: &'a mut Body,
    memory: &'a mut Reservation,
    limit: usize,
    received: usize,
}

impl HttpBody for LimitedBody<'_> {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        let this = &mut *self;
        let frame = match ready!(Pin::new(&mut *this.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(_)) => return Poll::Ready(Some(Err(incomplete()))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        this.received += length;
        let room = if this.received > this.limit {
            Err(too_large(this.limit))
        } else {
            this.memory.grow(COPIES * length as u64)
        };
        Poll::Ready(Some(room.map(|()| frame)))
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
    let before = memory.bytes();
    let body = LimitedBody { body: incoming.into_body(), memory: &mut *memory, limit, received: 0 };
    let mut form = Multipart::new(BodyDataStream::new(body), boundary);
    let files = read_parts(&mut form, most_parts, deadline, &mut options).await?;
    drop(form);
    let kept: usize = files.iter().map(|file| file.bytes.len() + size_of::<File>()).sum();
    memory.shrink_to(before + kept as u64);
    if files.is_empty() {
        return Err(ApiError::invalid(
            "the body has no part named file; send each input as one, as curl -F file=@a.wav does",
        ));
    }
    Ok((files, options))
}

async fn read_parts(
    form: &mut Multipart<'_>,
    most_parts: usize,
    deadline: Instant,
    options: &mut Options,
) -> Result<Vec<File>, ApiError> {
    let mut files: Vec<File> = Vec::new();
    for part in 0.. {
        let next = timeout_at(deadline.into(), form.next_field()).await.map_err(|_| too_slow())?;
        let Some(mut field) = next.map_err(malformed)? else { break };
        if part == most_parts {
            return Err(ErrorKind::TooLarge
                .because(format!("the body has more parts than the limit of {part}")));
        }
        let name = field.name().map(str::to_owned).unwrap_or_default();
        if name == "file" {
            files.push(file(&mut field, deadline).await?);
        } else {
            let text = text(&mut field, &name, deadline).await?;
            options.set(&name, &text)?;
        }
    }
    Ok(files)
}

fn boundary(content_type: &[u8]) -> Result<String, ApiError> {
    let text = std::str::from_utf8(content_type).ok();
    text.and_then(|text| multer::parse_boundary(text).ok()).ok_or_else(|| {
        ApiError::invalid(
            "the Content-Type multipart/form-data has no boundary; let the HTTP client set it",
        )
    })
}

async fn file(field: &mut Field<'_>, deadline: Instant) -> Result<File, ApiError> {
    // Old browsers sent the whole path.
    let name = field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name));
    let name = name.filter(|name| !name.is_empty()).map(shortened);
    let declared = field.headers().get("content-type");
    let declared = declared.and_then(|t| FileKind::of_media_type(t.as_bytes()));
    let mut content = Vec::new();
    while let Some(chunk) = chunk(field, deadline).await? {
        content.extend_from_slice(&chunk);
    }
    Ok(File { name, bytes: content.into(), declared })
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

fn malformed(error: multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(error) = error {
        return error.downcast::<ApiError>().map_or_else(|_| incomplete(), |error| *error);
    }
    ApiError::invalid(
        "the body is not valid multipart/form-data: a boundary or a part's header is missing or \
         malformed",
    )
}
