//! `multipart/form-data`: files, and options as text parts.

mod feed;
#[cfg(test)]
mod tests;

use std::{future::poll_fn, time::Instant};

use futures_util::StreamExt as _;
use hyper::body::Bytes;
use multer::{Field, Multipart};
use tokio::{task::yield_now, time::timeout_at};

use super::body::{Incoming, incomplete, too_large, too_slow};
use crate::{
    admission::{Reservation, ReservedBuffer},
    config::Config,
    error::{ApiError, ErrorKind},
    inference::{classify::File, decode::FileKind, options::Options},
    transport::TURN,
};
use feed::{Feed, Valve};

/// Longest value of an option, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Longest file name that the answer repeats, in bytes.
const LONGEST_NAME: usize = 255;
/// Memory of the parser, in bytes: the headers of a part, and the piece that it received last, in a
/// buffer that may be moved while it grows.
const PARSER_BYTES: u64 = 96 << 10;

/// Reads the files of a form, and adds its options to those of the query.
///
/// The whole body may be as long as a recording (`--max-recording-bytes`).
pub(super) async fn read(
    config: &Config,
    memory: &mut Reservation,
    incoming: Incoming<'_>,
    content_type: &[u8],
    mut options: Options,
) -> Result<(Vec<File>, Options), ApiError> {
    let boundary = boundary(content_type)?;
    let limit = config.limits.max_recording_bytes.get();
    if incoming.declared().is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    // Beside the files there is room for every option, once.
    let most_parts = config.limits.max_windows.get().saturating_add(32);
    let deadline = incoming.deadline();
    let parser = incoming.declared().map_or(PARSER_BYTES, |length| PARSER_BYTES.min(4 * length));
    memory.grow(parser)?;
    let valve = Valve::default();
    let feed = Feed::new(incoming.into_body(), limit, &valve);
    let mut form = Form {
        parts: Multipart::new(feed, boundary),
        deadline,
        valve: &valve,
        turn: Instant::now(),
    };
    let files = form.read(most_parts, &mut options, memory).await?;
    drop(form);
    memory.shrink_to(memory.bytes().saturating_sub(parser));
    if files.is_empty() {
        return Err(ApiError::invalid(
            "the body has no part named file with content; send each input as one, as curl -F \
             file=@a.wav does",
        ));
    }
    Ok((files, options))
}

/// The parts of a form, each of which must arrive in time.
struct Form<'a> {
    parts: Multipart<'a>,
    deadline: Instant,
    valve: &'a Valve,
    /// When it began to be parsed without a pause.
    turn: Instant,
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
                let is_named = field.file_name() != Some("");
                let file = self.file(&mut field, memory).await?;
                // Browsers send such a part for a field of which no file was chosen.
                if is_named || !file.bytes.is_empty() {
                    files.push(file);
                }
            } else {
                let text = self.text(&mut field, &name).await?;
                options.set_written(&name, &text)?;
            }
        }
        Ok(files)
    }

    /// Lets others have a turn if this one is over: all that a turn received may be thousands of parts,
    /// or of beginnings of boundaries.
    async fn take_turns(&mut self) {
        if self.turn.elapsed() >= TURN {
            yield_now().await;
            self.turn = Instant::now();
        }
    }

    async fn next(&mut self) -> Result<Option<Field<'a>>, ApiError> {
        self.take_turns().await;
        self.valve.begin_headers();
        let parts = &mut self.parts;
        let next =
            poll_fn(|context| self.valve.poll(context, |context| parts.poll_next_field(context)));
        let next = timeout_at(self.deadline.into(), next).await;
        self.valve.end_headers();
        next.map_err(|_| too_slow())?.map_err(malformed)
    }

    async fn file(
        &mut self,
        field: &mut Field<'_>,
        memory: &mut Reservation,
    ) -> Result<File, ApiError> {
        // Old browsers sent the whole path.
        let name = field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name));
        let name = name.filter(|name| !name.is_empty()).map(shortened);
        let declared = field.headers().get("content-type");
        let declared = declared.and_then(|t| FileKind::of_media_type(t.as_bytes()));
        let mut content = ReservedBuffer::default();
        while let Some(chunk) = self.chunk(field).await? {
            content.push(&chunk, None, memory)?;
        }
        let bytes = content.finish_in_steps(memory).await?.into();
        Ok(File { name, bytes, declared })
    }

    async fn text(&mut self, field: &mut Field<'_>, name: &str) -> Result<String, ApiError> {
        let quoted: String = name.chars().take(40).collect();
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk(field).await? {
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

    async fn chunk(&mut self, field: &mut Field<'_>) -> Result<Option<Bytes>, ApiError> {
        self.take_turns().await;
        let chunk =
            poll_fn(|context| self.valve.poll(context, |context| field.poll_next_unpin(context)));
        let chunk = timeout_at(self.deadline.into(), chunk).await.map_err(|_| too_slow())?;
        chunk.transpose().map_err(malformed)
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

/// The beginning of a name, at most [`LONGEST_NAME`] bytes.
fn shortened(name: &str) -> String {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name[..end.unwrap_or(0)].to_owned()
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
