//! JSON bodies: signals, images in base64, tensors, and options beside them.

mod nested;

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use drsn_bundle::InputSpec;
use serde::Deserialize;

use super::{Decoder, Inputs, expect_kind, named};
use crate::error::{ApiError, ErrorKind};
use nested::Nested;

/// A JSON body, parsed, before it is known which model it is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonRequest<'a> {
    signal: Option<Nested>,
    signals: Option<Nested>,
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
    #[serde(borrow)]
    images: Option<Vec<Cow<'a, str>>>,
    tensor: Option<Nested>,
    tensors: Option<Nested>,
    /// Name of the model.
    pub model: Option<String>,
    /// Version of the model.
    pub version: Option<String>,
    /// Classes in the answer.
    pub top_k: Option<usize>,
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
        if body.is_empty() {
            return Err(invalid("the body is empty, and JSON was expected".to_owned()));
        }
        serde_json::from_slice(body).map_err(|error| {
            invalid(format!("the body is not the JSON that was expected: {error}"))
        })
    }

    /// Decodes and prepares the inputs for a model.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn inputs(self, decoder: &mut Decoder<'_>) -> Result<Inputs, ApiError> {
        match self.form()? {
            Form::Signal(signal) => {
                expect_kind(decoder.spec, "signal")?;
                let signal = signal.into_signal(decoder.spec);
                decoder.nested(vec![signal])
            }
            Form::Signals(signals) => {
                expect_kind(decoder.spec, "signal")?;
                let signals = signals.split(decoder.spec)?;
                let spec = decoder.spec;
                decoder.nested(signals.into_iter().map(|s| s.into_signal(spec)).collect())
            }
            Form::Tensor(tensor) => decoder.nested(vec![tensor]),
            Form::Tensors(tensors) => {
                let tensors = tensors.split(decoder.spec)?;
                decoder.nested(tensors)
            }
            Form::Images(images) => decoder.base64_images(&images),
        }
    }

    fn form(self) -> Result<Form<'a>, ApiError> {
        let forms = [
            self.signal.map(Form::Signal),
            self.signals.map(Form::Signals),
            self.image.map(|image| Form::Images(vec![image])),
            self.images.map(Form::Images),
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

impl Decoder<'_> {
    fn nested(&mut self, inputs: Vec<Nested>) -> Result<Inputs, ApiError> {
        let count = inputs.len();
        let mut values = Vec::with_capacity(count * self.spec.elements());
        for (index, input) in inputs.into_iter().enumerate() {
            input.check_shape(self.spec).map_err(|e| named(e, index, count))?;
            values.extend(input.values);
        }
        self.prepared(values)
    }

    fn base64_images(&mut self, images: &[Cow<'_, str>]) -> Result<Inputs, ApiError> {
        let mut files = Vec::with_capacity(images.len());
        for (index, text) in images.iter().enumerate() {
            let file = STANDARD.decode(text.as_bytes()).map_err(|error| {
                let error = ErrorKind::InvalidArgument
                    .because(format!("the image is not base64 of a file: {error}"));
                named(error, index, images.len())
            })?;
            files.push(file);
        }
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        self.images(&files)
    }
}

impl Nested {
    /// A signal of one channel may come without the brackets of its channel.
    fn into_signal(mut self, spec: &InputSpec) -> Self {
        if self.shape.len() == 1 && spec.shape().first() == Some(&1) {
            self.shape.insert(0, 1);
        }
        self
    }

    fn check_shape(&self, spec: &InputSpec) -> Result<(), ApiError> {
        if self.shape == spec.shape() {
            return Ok(());
        }
        let sizes: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        Err(ErrorKind::InvalidArgument.because(format!(
            "numbers of shape {} were expected, and their shape is {}",
            spec.shape_in_words(),
            sizes.join(" x ")
        )))
    }
}
