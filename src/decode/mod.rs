//! Bodies to checked and prepared inputs.

mod image;
mod json;
mod raw;

use drsn_bundle::{InputSpec, PrepareError};

use crate::{
    admission::Reservation,
    error::{ApiError, ErrorKind},
};

pub use json::JsonRequest;

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
    pub fn of(content_type: Option<&str>) -> Result<Self, ApiError> {
        let unsupported = |came: &str| {
            ErrorKind::UnsupportedMediaType
                .because(format!("the body's Content-Type is {came}; send {MEDIA_TYPES}"))
        };
        let Some(content_type) = content_type else {
            return Err(unsupported("missing"));
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "image/png" | "image/jpeg" => Ok(Self::Image),
            "application/octet-stream" => Ok(Self::Raw),
            // What curl and browsers send where nobody chose a type.
            "application/x-www-form-urlencoded" => Err(unsupported(
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
}

impl Inputs {
    /// Number of inputs.
    pub fn count(&self) -> usize {
        self.values.len() / self.elements
    }

    /// The inputs in pieces of at most `most`, each with its number of inputs.
    pub fn into_pieces(self, most: usize) -> Vec<(Vec<f32>, usize)> {
        if self.count() <= most {
            let count = self.count();
            return vec![(self.values, count)];
        }
        self.values
            .chunks(most * self.elements)
            .map(|piece| (piece.to_vec(), piece.len() / self.elements))
            .collect()
    }
}

/// What decoding needs to know.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// What the model takes.
    pub spec: &'a InputSpec,
    /// Most pixels that an image may declare.
    pub most_pixels: u64,
    /// The request's share of the memory.
    pub memory: &'a mut Reservation,
}

impl Decoder<'_> {
    /// Decodes a body that is one image file.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn image(&mut self, body: &[u8]) -> Result<Inputs, ApiError> {
        self.images(&[body])
    }

    /// Decodes a body of 32-bit floats; `batch` is the number of inputs where the client said it.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn raw(&mut self, body: &[u8], batch: Option<usize>) -> Result<Inputs, ApiError> {
        raw::floats(body, batch, self.spec).and_then(|values| self.prepared(values))
    }

    fn images(&mut self, files: &[&[u8]]) -> Result<Inputs, ApiError> {
        let mut values = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let pixels = image::pixels(file, self).map_err(|e| named(e, index, files.len()))?;
            values.extend(pixels);
        }
        self.prepared(values)
    }

    /// Checks and normalises raw inputs that lie one after the other.
    fn prepared(&mut self, mut values: Vec<f32>) -> Result<Inputs, ApiError> {
        let elements = self.spec.elements();
        let count = values.len() / elements;
        if count == 0 {
            return Err(ErrorKind::InvalidArgument.because("the request has no inputs"));
        }
        for (index, input) in values.chunks_mut(elements).enumerate() {
            self.spec.prepare(input).map_err(|e| named(refused(&e), index, count))?;
        }
        Ok(Inputs { elements, values })
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
        assert_eq!(MediaType::of(Some("Application/JSON; charset=utf-8")), Ok(MediaType::Json));
        assert_eq!(MediaType::of(Some("image/png")), Ok(MediaType::Image));
    }

    #[test]
    fn a_missing_or_unknown_media_type_is_answered_with_those_that_are_taken() {
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let error = MediaType::of(content_type).err();
            assert_eq!(error.as_ref().map(|e| e.kind), Some(ErrorKind::UnsupportedMediaType));
            assert!(error.is_some_and(|e| e.detail.contains("application/json, image/png")));
        }
    }

    #[test]
    fn pieces_hold_every_input_in_order() {
        let inputs = Inputs { elements: 2, values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] };
        let pieces = inputs.into_pieces(2);
        assert_eq!(pieces, [(vec![0.0, 1.0, 2.0, 3.0], 2), (vec![4.0, 5.0], 1)]);
    }
}
