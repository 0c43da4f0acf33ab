//! JSON bodies: signals, images in base64, tensors, and options beside them.

mod nested;
mod text;

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use drsn_bundle::InputSpec;
use serde::Deserialize;

use super::{Decoder, Inputs, expect_kind, image, named};
use crate::error::{ApiError, ErrorKind};
use nested::Nested;
use text::{Files, Word};

/// Longest message of the JSON parser that is passed on, in characters: it can quote what the client sent.
const LONGEST_MESSAGE: usize = 300;

/// Memory that parsing takes for each byte of a body, at most: `0,` becomes a 32-bit float in a list that doubles
/// as it grows.
pub const PARSING_FACTOR: u64 = 4;

/// A JSON body, parsed, before it is known which model it is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonRequest<'a> {
    signal: Option<Nested>,
    signals: Option<Nested>,
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
    #[serde(borrow)]
    images: Option<Files<'a>>,
    tensor: Option<Nested>,
    tensors: Option<Nested>,
    model: Option<Word>,
    version: Option<Word>,
    top_k: Option<serde_json::Number>,
    diagnostics: Option<Word>,
}

/// The options that a JSON body has, as they were written.
#[derive(Debug, Default)]
pub struct JsonOptions {
    /// Name of the model.
    pub model: Option<String>,
    /// Version of the model.
    pub version: Option<String>,
    /// Classes in the answer.
    pub top_k: Option<String>,
    /// `none`, `summary` or `full`.
    pub diagnostics: Option<String>,
}

/// The one form of input that a body has.
enum Form<'a> {
    Signal(Nested),
    Signals(Nested),
    Images(Vec<Cow<'a, str>>),
    Tensor(Nested),
    Tensors(Nested),
}

impl<'a> JsonRequest<'a> {
    /// Parses a body.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] with the place of the fault.
    pub fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let invalid = |detail: String| ErrorKind::InvalidArgument.because(detail);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => Err(invalid("the body is empty, and JSON was expected".to_owned())),
            Some(b'{') => serde_json::from_slice(body).map_err(|error| {
                let message: String = error.to_string().chars().take(LONGEST_MESSAGE).collect();
                invalid(format!("the body is not the JSON that was expected: {message}"))
            }),
            // The parser would also read an object's fields from a list, by position.
            Some(_) => Err(invalid(
                "a JSON object was expected, as {\"signal\": [1, 2, 3]}, and the body is something else"
                    .to_owned(),
            )),
        }
    }

    /// Takes the options out of the body.
    pub fn take_options(&mut self) -> JsonOptions {
        let text = |word: Option<Word>| word.map(|Word(text)| text);
        JsonOptions {
            model: text(self.model.take()),
            version: text(self.version.take()),
            top_k: self.top_k.take().map(|number| number.to_string()),
            diagnostics: text(self.diagnostics.take()),
        }
    }

    /// Decodes and prepares the inputs for a model.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn inputs(self, decoder: &mut Decoder<'_>) -> Result<Inputs, ApiError> {
        let spec = decoder.spec;
        let form = self.form()?;
        if matches!(form, Form::Signal(_) | Form::Signals(_)) {
            expect_kind(spec, "signal")?;
        }
        let values = match form {
            Form::Signal(signal) => signal.one(&shapes_of_signal(spec), spec),
            Form::Signals(signals) => signals.several(&shapes_of_signal(spec), spec),
            Form::Tensor(tensor) => tensor.one(&[spec.shape()], spec),
            Form::Tensors(tensors) => tensors.several(&[spec.shape()], spec),
            Form::Images(images) => decoder.base64_images(&images),
        }?;
        decoder.prepared(values)
    }

    fn form(self) -> Result<Form<'a>, ApiError> {
        let forms = [
            self.signal.map(Form::Signal),
            self.signals.map(Form::Signals),
            self.image.map(|image| Form::Images(vec![image])),
            self.images.map(|Files(images)| Form::Images(images)),
            self.tensor.map(Form::Tensor),
            self.tensors.map(Form::Tensors),
        ];
        let mut present = forms.into_iter().flatten();
        match (present.next(), present.next()) {
            (Some(form), None) => Ok(form),
            (first, _) => Err(ErrorKind::InvalidArgument.because(format!(
                "exactly one of signal, signals, image, images, tensor and tensors is expected, and the body has {}",
                if first.is_some() { "more" } else { "none" }
            ))),
        }
    }
}

/// A signal of one channel may come without the brackets of its channel.
fn shapes_of_signal(spec: &InputSpec) -> Vec<Vec<usize>> {
    let shape = spec.shape();
    match shape[..] {
        [1, window] => vec![vec![window], shape],
        _ => vec![shape],
    }
}

impl Decoder<'_> {
    fn base64_images(&mut self, images: &[Cow<'_, str>]) -> Result<Vec<f32>, ApiError> {
        expect_kind(self.spec, "image")?;
        self.check_count(images.len())?;
        let mut values = Vec::new();
        for (index, text) in images.iter().enumerate() {
            let pixels = file_of(text).and_then(|file| image::pixels(&file, self));
            values.extend(pixels.map_err(|error| named(error, index, images.len()))?);
        }
        Ok(values)
    }
}

/// Decodes base64, with or without line breaks and the prefix of a `data:` URL.
fn file_of(text: &str) -> Result<Vec<u8>, ApiError> {
    let text = match text.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
        Some((_, content)) => content,
        None => text,
    };
    let text = if text.contains(|c: char| c.is_ascii_whitespace()) {
        Cow::Owned(text.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(text)
    };
    STANDARD.decode(text.as_bytes()).map_err(|error| {
        ErrorKind::InvalidArgument.because(format!("the image is not base64 of a file: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_line_breaks_and_from_a_data_url() {
        for text in ["c2V2ZW4=", "c2V2\nZW4=\n", "data:image/png;base64,c2V2ZW4="] {
            assert_eq!(file_of(text), Ok(b"seven".to_vec()));
        }
        assert!(file_of("data:image/png,seven").is_err());
    }

    #[test]
    fn options_may_be_numbers_where_people_write_numbers() {
        let mut request = JsonRequest::parse(br#"{"version": 1, "top_k": 3}"#).unwrap();
        let options = request.take_options();
        assert_eq!(options.version.as_deref(), Some("1"));
        assert_eq!(options.top_k.as_deref(), Some("3"));
    }

    #[test]
    fn a_message_quotes_no_more_than_a_little_of_what_came() {
        let body = format!("{{\"{}\": 1}}", "x".repeat(1 << 20));
        let error = JsonRequest::parse(body.as_bytes()).unwrap_err();
        assert!(error.detail.len() < 2 * LONGEST_MESSAGE);
    }

    #[test]
    fn no_message_names_a_type_of_the_program() {
        for body in ["[]", "7", r#"{"top_k": "3"}"#, r#"{"version": []}"#, r#"{"images": [1]}"#] {
            let detail = JsonRequest::parse(body.as_bytes()).unwrap_err().detail;
            for name in ["JsonRequest", "usize", "i64", "Word", "Nested", "Files"] {
                assert!(!detail.contains(name), "{body}: {detail}");
            }
        }
    }
}
