//! Decodes the files of a request in slices of time.

use std::time::{Duration, Instant};

use drsn_recording::gzip;
use hyper::body::Bytes;
use tokio::task::yield_now;

use super::{DecodedRequest, Plan, find};
use crate::{
    error::ApiError,
    inference::{
        context::RequestContext,
        decode::{Decoded, Decoder, FileKind, RawInput, for_input},
        options::Options,
    },
};

/// How long files of one request are decoded before other requests get a turn.
const SLICE: Duration = Duration::from_millis(20);

/// A file of an image or a recording.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its name, which the answer repeats.
    pub(crate) name: Option<String>,
    pub(crate) bytes: Bytes,
    /// The kind that the client declares. Its first bytes and its name take precedence.
    pub(crate) declared: Option<FileKind>,
}

impl File {
    pub(crate) fn kind(&self) -> Result<FileKind, ApiError> {
        FileKind::of(&self.bytes, self.name.as_deref(), self.declared)
    }
}

/// Decodes files one after the other. After each [`SLICE`] it yields to other requests and to the
/// connection itself, which notices if the client has hung up; the other files are then not
/// decoded.
pub(super) async fn decode(
    context: &mut RequestContext<'_>,
    files: Vec<File>,
    options: Options,
) -> Result<DecodedRequest, ApiError> {
    let model = find(context, &options)?;
    if options.batch.is_some_and(|batch| batch != 1) {
        return Err(ApiError::invalid(
            "the option batch applies to raw numbers; this body has files",
        ));
    }
    let (app, caller) = (context.app, context.caller);
    let is_long = {
        let decoder = Decoder::new(context, model.manifest(), &options);
        !matches!(files.as_slice(), [file] if decoder.is_quick(&file.bytes))
    };
    let (count, mut files) = (files.len(), files.into_iter().enumerate());
    let mut inputs = Vec::with_capacity(count);
    let decoded = loop {
        let slice = || {
            let mut decoder = Decoder::new(context, model.manifest(), &options);
            decode_slice(&mut decoder, &mut files, count, &mut inputs)
        };
        match app.compute(is_long, caller, slice).await?? {
            Some(decoded) => break decoded,
            None => yield_now().await,
        }
    };
    Ok(DecodedRequest { model, decoded, plan: Plan::new(context, &options) })
}

/// Decodes files until a [`SLICE`] is over; returns the inputs once all files are decoded.
fn decode_slice(
    decoder: &mut Decoder<'_>,
    files: &mut impl Iterator<Item = (usize, File)>,
    count: usize,
    inputs: &mut Vec<RawInput>,
) -> Result<Option<Decoded>, ApiError> {
    let started = Instant::now();
    for (index, file) in files {
        let found = decode_file(decoder, &file);
        let found = found.map_err(|error| for_input(error, index, file.name.as_deref(), count))?;
        inputs.extend(found.into_iter().map(|mut input| {
            input.origin.name.clone_from(&file.name);
            input
        }));
        if started.elapsed() >= SLICE {
            return Ok(None);
        }
    }
    if inputs.is_empty() {
        return Err(ApiError::invalid("the request has no inputs"));
    }
    decoder.decoded(std::mem::take(inputs)).map(Some)
}

/// Decodes a file, or what is in one that was packed with gzip.
pub(super) fn decode_file(
    decoder: &mut Decoder<'_>,
    file: &File,
) -> Result<Vec<RawInput>, ApiError> {
    if !gzip::is_packed(&file.bytes) {
        return decoder.file(file.kind()?, &file.bytes);
    }
    let plain = decoder.unpacked(&file.bytes)?;
    let name = file.name.as_deref().map(gzip::unpacked_name);
    let inputs = decoder.file(FileKind::of(&plain, name, file.declared)?, &plain)?;
    decoder.release(plain);
    Ok(inputs)
}
