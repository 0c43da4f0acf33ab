//! Bodies to checked and prepared inputs.

mod image;
mod json;
mod raw;

use std::{ops::Range, sync::Arc};

use drsn_bundle::{Baseline, InputSpec, PrepareError, baseline::Level};

use crate::{
    admission::Reservation,
    error::{ApiError, ErrorKind},
};

pub use json::{JsonOptions, JsonRequest, PARSING_FACTOR};

/// A media type that `POST /classify` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `image/png` or `image/jpeg`; which one it is shows in its first bytes.
    Image,
    /// `application/octet-stream`: little-endian 32-bit floats.
    Raw,
}

/// The media types, for messages.
const MEDIA_TYPES: &str =
    "application/json, image/png, image/jpeg or application/octet-stream (32-bit floats)";

impl MediaType {
    /// Reads a `Content-Type` header.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedMediaType`] where there is none, or another.
    pub fn of(content_type: Option<&[u8]>) -> Result<Self, ApiError> {
        let unsupported = |came: &str| {
            ErrorKind::UnsupportedMediaType
                .because(format!("the body's Content-Type is {came}; send {MEDIA_TYPES}"))
        };
        let Some(content_type) = content_type else {
            return Err(unsupported("missing"));
        };
        let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
        match &essence.trim_ascii().to_ascii_lowercase()[..] {
            b"application/json" => Ok(Self::Json),
            // image/jpg is no registered type, and is sent all the same.
            b"image/png" | b"image/jpeg" | b"image/jpg" => Ok(Self::Image),
            b"application/octet-stream" => Ok(Self::Raw),
            // What curl and browsers send where nobody chose a type.
            b"application/x-www-form-urlencoded" => Err(unsupported(
                "application/x-www-form-urlencoded (curl's own choice: add -H 'content-type: …')",
            )),
            _ => Err(unsupported("none of those that are taken")),
        }
    }
}

/// Prepared inputs of one request, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Numbers in one input.
    elements: usize,
    /// All inputs.
    values: Vec<f32>,
    /// The raw levels of each one's channels, before it was prepared; empty where the model has no baseline of them.
    levels: Vec<Level>,
}

impl Inputs {
    /// Number of inputs.
    pub fn count(&self) -> usize {
        self.values.len() / self.elements
    }

    /// Memory that they take.
    pub fn bytes(&self) -> u64 {
        (size_of_val(&self.values[..]) + size_of_val(&self.levels[..])) as u64
    }

    /// Takes the raw levels out; none where the model has no baseline of them.
    pub fn take_levels(&mut self) -> Vec<Level> {
        std::mem::take(&mut self.levels)
    }

    /// The inputs, and the ranges of pieces of at most `most` inputs.
    pub fn into_pieces(self, most: usize) -> (Arc<Vec<f32>>, Vec<Piece>) {
        let count = self.count();
        let pieces = (0..count).step_by(most).map(|first| {
            let piece = most.min(count - first);
            Piece { range: first * self.elements..(first + piece) * self.elements, count: piece }
        });
        (Arc::new(self.values), pieces.collect())
    }
}

/// Some of a request's inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where their numbers are.
    pub range: Range<usize>,
    /// Number of inputs.
    pub count: usize,
}

/// What decoding needs to know.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// What the model takes.
    pub spec: &'a InputSpec,
    /// What its inputs look like as long as nothing has changed.
    pub baseline: Option<&'a Baseline>,
    /// Most pixels that an image may declare.
    pub most_pixels: u64,
    /// Most inputs of a request.
    pub most_inputs: usize,
    /// The request's share of the memory.
    pub memory: &'a mut Reservation,
}

impl Decoder<'_> {
    /// Decodes a body that is one image file.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn image(&mut self, body: &[u8]) -> Result<Inputs, ApiError> {
        let pixels = image::pixels(body, self)?;
        self.prepared(pixels)
    }

    /// Decodes a body of 32-bit floats; `batch` is the number of inputs where the client said it.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn raw(&mut self, body: &[u8], batch: Option<usize>) -> Result<Inputs, ApiError> {
        self.memory.grow(body.len() as u64)?;
        raw::floats(body, batch, self.spec).and_then(|values| self.prepared(values))
    }

    /// Refuses more inputs than a request may have, before they are decoded.
    fn check_count(&self, count: usize) -> Result<(), ApiError> {
        if count > self.most_inputs {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request has {count} inputs, and at most {} are taken at once",
                self.most_inputs
            )));
        }
        Ok(())
    }

    /// Checks and normalises raw inputs that lie one after the other.
    pub(crate) fn prepared(&mut self, mut values: Vec<f32>) -> Result<Inputs, ApiError> {
        let elements = self.spec.elements();
        let count = values.len() / elements;
        if count == 0 {
            return Err(ErrorKind::InvalidArgument.because("the request has no inputs"));
        }
        self.check_count(count)?;
        let levels = self.levels(&values, count)?;
        for (index, input) in values.chunks_mut(elements).enumerate() {
            self.spec.prepare(input).map_err(|e| named(refused(&e), index, count))?;
        }
        Ok(Inputs { elements, values, levels })
    }

    /// The levels of raw inputs' channels. Inputs with numbers that are not finite are refused later.
    fn levels(&mut self, values: &[f32], count: usize) -> Result<Vec<Level>, ApiError> {
        let has_levels = self.baseline.is_some_and(|baseline| baseline.level.is_some());
        let InputSpec::Signal(signal) = self.spec else { return Ok(Vec::new()) };
        if !has_levels {
            return Ok(Vec::new());
        }
        let channels = count * signal.channels;
        self.memory.grow((channels * size_of::<Level>()) as u64)?;
        Ok(Level::of_channels(values, channels))
    }
}

/// A sentence that says which input is at fault, where there is more than one.
fn named(error: ApiError, index: usize, count: usize) -> ApiError {
    if count == 1 {
        return error;
    }
    ApiError { kind: error.kind, detail: format!("input {index}: {}", error.detail) }
}

fn refused(error: &PrepareError) -> ApiError {
    ErrorKind::InvalidArgument.because(error.to_string())
}

/// Refuses a kind of input that the model does not take.
fn expect_kind(spec: &InputSpec, kind: &str) -> Result<(), ApiError> {
    if spec.kind() == kind {
        return Ok(());
    }
    let takes = spec.kind();
    Err(ErrorKind::InvalidArgument.because(format!(
        "the request has {kind} data, and this model takes {takes} data ({})",
        spec.shape_in_words()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_read_without_its_parameters_and_in_any_case() {
        assert_eq!(MediaType::of(Some(b"Application/JSON; charset=utf-8")), Ok(MediaType::Json));
        assert_eq!(MediaType::of(Some(b"image/jpg")), Ok(MediaType::Image));
    }

    #[test]
    fn a_missing_or_unknown_media_type_is_answered_with_those_that_are_taken() {
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let error = MediaType::of(content_type.map(str::as_bytes)).err();
            assert_eq!(error.as_ref().map(|e| e.kind), Some(ErrorKind::UnsupportedMediaType));
            assert!(error.is_some_and(|e| e.detail.contains("application/json, image/png")));
        }
    }

    #[test]
    fn pieces_hold_every_input_in_order() {
        let inputs =
            Inputs { elements: 2, values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], levels: vec![] };
        let (values, pieces) = inputs.into_pieces(2);
        assert_eq!(values.len(), 6);
        assert_eq!(pieces, [Piece { range: 0..4, count: 2 }, Piece { range: 4..6, count: 1 }]);
    }
}
