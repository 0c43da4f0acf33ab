//! A file as the body of a request: read piece by piece, so that its length does not matter.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::body::Body;
use drsn_recording::gzip;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio::task::block_in_place;

use crate::inference::decode::FileKind;

/// Bytes that are read at a time.
const CHUNK: usize = 128 << 10;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) kind: FileKind,
    pub(super) body: Body,
    /// Why the file could not be read to its end.
    failure: Arc<OnceLock<String>>,
}

impl Content {
    /// Opens a file and reads its beginning, which tells its kind, or else its name does. With a
    /// `limit`, a longer recording, in bytes, is refused.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) fn open(path: &Path, limit: Option<u64>) -> Result<Self, String> {
        block_in_place(|| {
            let unread = |error: io::Error| unread(&error);
            let file = File::open(path).map_err(unread)?;
            let metadata = file.metadata().map_err(unread)?;
            let length = metadata.is_file().then_some(metadata.len());
            let mut rest = Rest { file, left: length };
            let first = rest.read().map_err(unread)?;
            if first.is_empty() {
                return Err("it is empty".to_owned());
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let kind = if gzip::is_packed(&first) {
                let name = name.as_deref().map(gzip::unpacked_name);
                FileKind::of(&gzip::beginning(&first), name, None)
            } else {
                FileKind::of(&first, name.as_deref(), None)
            };
            let kind = kind.map_err(|error| error.detail)?;
            let too_long = |limit: &u64| length.is_some_and(|length| length > *limit);
            if let Some(limit) = limit.filter(too_long) {
                return Err(format!(
                    "it has {} bytes, and at most {limit} are allowed (--max-recording-bytes)",
                    metadata.len()
                ));
            }
            let failure = Arc::new(OnceLock::new());
            let whole = FileBody { first, rest, failure: Arc::clone(&failure) };
            Ok(Self { kind, body: Body::new(whole), failure })
        })
    }

    /// Why the file could not be read to its end, if that is so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}

fn unread(error: &io::Error) -> String {
    format!("cannot read it: {error}")
}

/// The part of a file that has not been read.
#[derive(Debug)]
struct Rest {
    file: File,
    /// Its length, if that is known.
    left: Option<u64>,
}

impl Rest {
    /// Reads the next bytes; none at the end.
    fn read(&mut self) -> io::Result<Bytes> {
        let most = self.left.map_or(CHUNK as u64, |left| left.min(CHUNK as u64));
        let mut bytes = Vec::with_capacity(most as usize);
        self.file.by_ref().take(most).read_to_end(&mut bytes)?;
        if let Some(left) = &mut self.left {
            *left -= bytes.len() as u64;
            if bytes.is_empty() && *left > 0 {
                return Err(io::Error::other("it became shorter while it was read"));
            }
        }
        Ok(bytes.into())
    }
}

#[derive(Debug)]
struct FileBody {
    /// What was read to find out the file's kind.
    first: Bytes,
    rest: Rest,
    failure: Arc<OnceLock<String>>,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        if this.rest.left == Some(0) {
            return Poll::Ready(None);
        }
        Poll::Ready(match block_in_place(|| this.rest.read()) {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Ok(Frame::data(bytes))),
            Err(error) => {
                // Only the first failure counts.
                let _ = this.failure.set(unread(&error));
                Some(Err(error))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.rest.left.map(|left| left + self.first.len() as u64);
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
