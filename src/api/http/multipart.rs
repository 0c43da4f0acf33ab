//! `multipart/form-data`: files, and options as texts beside them.

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

use super::body::{Incoming, broken_off, too_large, too_slow};
use crate::{
    admission::Reservation,
    error::{ApiError, ErrorKind},
    inference::{classify::File, context::RequestContext, decode::FileKind, options::Options},
};

/// Longest text of an option, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Longest name of a file that is repeated in the answer, in bytes.
const LONGEST_NAME: usize = 255;
/// Memory for each byte that comes: where it is looked for boundaries, and in its file. The lines about a part are
/// longer than what is kept of them.
const COPIES: u64 = 2;

/// A body within its limits; every byte is reserved before it is handed on.
struct Bounded<'a> {
    body: &'a mut Body,
    memory: &'a mut Reservation,
    limit: usize,
    came: usize,
}

impl HttpBody for Bounded<'_> {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        let this = &mut *self;
        let frame = match ready!(Pin::new(&mut *this.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(_)) => return Poll::Ready(Some(Err(broken_off()))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        this.came += length;
        let room = if this.came > this.limit {
            Err(too_large(this.limit))
        } else {
            this.memory.grow(COPIES * length as u64)
        };
        Poll::Ready(Some(room.map(|()| frame)))
    }
}

/// Reads the parts of a body; options are added to those of the query.
///
/// All files together have at most as many bytes as a recording.
pub(super) async fn read(
    context: &mut RequestContext<'_>,
    incoming: Incoming<'_>,
    content_type: &[u8],
    mut options: Options,
) -> Result<(Vec<File>, Options), ApiError> {
    let boundary =
        std::str::from_utf8(content_type).ok().and_then(|t| multer::parse_boundary(t).ok());
    let boundary = boundary.ok_or_else(|| {
        ApiError::invalid(
            "the Content-Type multipart/form-data has no boundary; let the HTTP client set it",
        )
    })?;
    let (config, memory) = (&context.app.config, &mut context.memory);
    let limit = config.max_recording_bytes.get();
    if incoming.declared().is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    // An option that is given twice is an error, or the same again.
    let most_parts = config.max_windows.get().saturating_add(32);
    let deadline = incoming.deadline();
    let before = memory.bytes();
    let body = Bounded { body: incoming.into_body(), memory: &mut *memory, limit, came: 0 };
    let mut form = Multipart::new(BodyDataStream::new(body), boundary);
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

async fn file(field: &mut Field<'_>, deadline: Instant) -> Result<File, ApiError> {
    // Browsers of old sent the whole path.
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

/// The beginning of a name, at most so long.
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

async fn chunk(
    field: &mut Field<'_>,
    deadline: Instant,
) -> Result<Option<hyper::body::Bytes>, ApiError> {
    let chunk = timeout_at(deadline.into(), field.chunk()).await.map_err(|_| too_slow())?;
    chunk.map_err(malformed)
}

fn malformed(error: multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(error) = error {
        return error.downcast::<ApiError>().map_or_else(|_| broken_off(), |error| *error);
    }
    ApiError::invalid(
        "the body is not valid multipart/form-data: a boundary or a part's header is missing or \
         malformed",
    )
}
