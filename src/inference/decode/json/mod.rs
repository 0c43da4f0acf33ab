//! JSON bodies: signals, images in base64, tensors, and options beside them.

mod fast_path;
mod nested;
mod text;

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ndarray::{Array3, Axis};
use serde::Deserialize;

use super::{
    Decoded, Decoder, RawInput, Samples, array, expect_image, expect_signal, for_input, image,
    rates::rates, recording::check_available_channels,
};
use crate::{error::ApiError, inference::options::Options};
use fast_path::Member;
pub(crate) use nested::Nested;
use text::{Files, Word, Words};

/// Limit of a message of the JSON parser, in characters: it can quote what the client sent.
const MAX_MESSAGE_CHARS: usize = 300;

/// Limit of the memory that parsing needs for each byte of a body: `0,` becomes a 32-bit float in a
/// list that doubles as it grows.
pub(crate) const PARSING_FACTOR: u64 = 4;

/// A parsed JSON body, before its model is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonRequest<'a> {
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
    overlap: Option<serde_json::Number>,
    channel: Option<Words>,
    sample_rate_hz: Option<serde_json::Number>,
    resample: Option<bool>,
}

/// The form of a body's inputs.
enum Form<'a> {
    Signal(Nested),
    Signals(Nested),
    Images(Vec<Cow<'a, str>>),
    Tensor(Nested),
    Tensors(Nested),
}

impl<'a> JsonRequest<'a> {
    /// Parses a body. `rest` is a buffer for the body without its numbers, if the fast path reads
    /// them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] with the position of the error.
    pub(crate) fn parse(body: &'a [u8], rest: &'a mut Vec<u8>) -> Result<Self, ApiError> {
        if let Some(plain) = fast_path::read(body) {
            *rest = plain.rest;
            // An error must have its position in the client's body, so that is parsed below.
            if let Ok(request) = serde_json::from_slice::<Self>(rest) {
                return Ok(request.with(plain.member, plain.numbers));
            }
        }
        Self::parse_whole(body)
    }

    /// Compares the fast reading of a body with the general one.
    #[cfg(fuzzing)]
    pub(crate) fn assert_readers_agree(body: &[u8]) {
        let mut rest = Vec::new();
        let text = |parsed: Result<JsonRequest<'_>, ApiError>| format!("{parsed:?}");
        assert_eq!(text(JsonRequest::parse(body, &mut rest)), text(JsonRequest::parse_whole(body)));
    }

    /// Whether decoding can take much longer than the body's length suggests: a small file can be
    /// a large picture, and a conversion of rates has to be planned.
    pub(crate) fn is_costly(&self) -> bool {
        self.image.is_some() || self.images.is_some() || self.resample.is_some()
    }

    fn with(mut self, member: Member, numbers: Nested) -> Self {
        let place = match member {
            Member::Signal => &mut self.signal,
            Member::Signals => &mut self.signals,
            Member::Tensor => &mut self.tensor,
            Member::Tensors => &mut self.tensors,
        };
        *place = Some(numbers);
        self
    }

    fn parse_whole(body: &'a [u8]) -> Result<Self, ApiError> {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => {
                Err(ApiError::invalid("the body is empty; a JSON object was expected".to_owned()))
            }
            Some(b'{') => serde_json::from_slice(body).map_err(|error| {
                let message: String = error.to_string().chars().take(MAX_MESSAGE_CHARS).collect();
                ApiError::invalid(format!("the JSON body is invalid: {message}"))
            }),
            // The parser would also read an object's fields from a list, by position.
            Some(_) => Err(ApiError::invalid(
                "the body must be a JSON object, such as {\"signal\": [1, 2, 3]}".to_owned(),
            )),
        }
    }

    /// Moves the options out of the body and adds them to those of the query.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if an option is invalid or contradicts the query.
    pub(crate) fn take_options(&mut self, mut options: Options) -> Result<Options, ApiError> {
        if options.batch.is_some() {
            return Err(ApiError::invalid(
                "the option batch applies to raw numbers; a JSON body has its inputs in a list",
            ));
        }
        let word = |word: Option<Word>| word.map(|Word(text)| text);
        let number = |number: Option<serde_json::Number>| number.map(|n| n.to_string());
        for (name, value) in [
            ("model", word(self.model.take())),
            ("version", word(self.version.take())),
            ("top_k", number(self.top_k.take())),
            ("diagnostics", word(self.diagnostics.take())),
            ("overlap", number(self.overlap.take())),
            ("channel", self.channel.take().map(|Words(words)| words.join(","))),
            ("sample_rate_hz", number(self.sample_rate_hz.take())),
            ("resample", self.resample.take().map(|resample| resample.to_string())),
        ] {
            if let Some(value) = value {
                options.set(name, &value)?;
            }
        }
        Ok(options)
    }

    /// Decodes and prepares the inputs for a model.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received.
    pub(crate) fn inputs(self, decoder: &mut Decoder<'_>) -> Result<Decoded, ApiError> {
        let spec = decoder.spec;
        match self.form()? {
            Form::Signal(signal) => decoder.signals(signal, false),
            Form::Signals(signals) => decoder.signals(signals, true),
            Form::Tensor(tensor) => {
                tensor.one(&[spec.shape()], spec).and_then(|v| decoder.tensor(v))
            }
            Form::Tensors(tensors) => {
                tensors.several(&[spec.shape()], spec).and_then(|values| decoder.tensor(values))
            }
            Form::Images(images) => {
                decoder.base64_images(&images).and_then(|values| decoder.ready(values))
            }
        }
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
            (first, _) => Err(ApiError::invalid(format!(
                "the body must have exactly one of signal, signals, image, images, tensor and tensors; it has {}",
                if first.is_some() { "more than one" } else { "none" }
            ))),
        }
    }
}

impl Decoder<'_> {
    /// Signals as lists of numbers; the brackets around a single channel may be omitted.
    fn signals(&mut self, signals: Nested, several: bool) -> Result<Decoded, ApiError> {
        let spec = expect_signal(self.spec)?;
        let (count, inner) = signals.inputs(several)?;
        let fits = match *inner {
            [length] => (spec.channels, length) == (1, spec.window),
            [channels, length] => (channels, length) == (spec.channels, spec.window),
            _ => false,
        };
        let options = self.options;
        if fits && options.channel.is_none() && rates(spec, None, options)?.is_none() {
            return self.ready(signals.values);
        }
        let (channels, length) = match *inner {
            [length] => (1, length),
            [channels, length] => (channels, length),
            _ => return Err(Nested::wrong_shape(inner, self.spec)),
        };
        if channels * length == 0
            || (length < spec.least_samples() && options.resample != Some(true))
        {
            return Err(Nested::wrong_shape(inner, self.spec));
        }
        self.check_count(count)?;
        check_available_channels(spec, channels, options)?;
        self.memory.grow(2 * size_of_val(&signals.values[..]) as u64)?;
        let signals = array((count, channels, length), signals.values)?;
        self.recordings_in(&signals)
    }

    /// Signals `[N, C, T]`.
    fn recordings_in(&mut self, signals: &Array3<f32>) -> Result<Decoded, ApiError> {
        let count = signals.len_of(Axis(0));
        let inputs = signals.outer_iter().enumerate().map(|(index, signal)| {
            let samples = self.channels(signal.to_owned());
            let samples = samples.map_err(|error| for_input(error, index, None, count))?;
            Ok(RawInput::of(samples))
        });
        let inputs = inputs.collect::<Result<Vec<_>, ApiError>>()?;
        if inputs.iter().all(|input| matches!(input.samples, Samples::Whole(_))) {
            return self.decoded(inputs);
        }
        Ok(Decoded::Recordings(inputs))
    }

    fn base64_images(&mut self, images: &[Cow<'_, str>]) -> Result<Vec<f32>, ApiError> {
        expect_image(self.spec)?;
        self.check_count(images.len())?;
        let mut values = Vec::new();
        for (index, text) in images.iter().enumerate() {
            self.check_time()?;
            let pixels = file_of(text).and_then(|file| image::pixels(&file, self));
            values.extend(pixels.map_err(|error| for_input(error, index, None, images.len()))?);
        }
        Ok(values)
    }
}

/// Decodes base64; line breaks and the prefix of a `data:` URL are allowed.
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
    STANDARD
        .decode(text.as_bytes())
        .map_err(|error| ApiError::invalid(format!("the image is not valid base64: {error}")))
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
        let body = br#"{"version": 1, "top_k": 3, "channel": [1, "left"], "overlap": 0.5}"#;
        let options = JsonRequest::parse(body, &mut Vec::new())
            .unwrap()
            .take_options(Options::default())
            .unwrap();
        let mut expected = Options::default();
        for (name, value) in
            [("version", "1"), ("top_k", "3"), ("channel", "1,left"), ("overlap", "0.5")]
        {
            expected.set(name, value).unwrap();
        }
        assert_eq!(options, expected);
    }

    #[test]
    fn a_message_quotes_no_more_than_a_little_of_what_came() {
        let body = format!("{{\"{}\": 1}}", "x".repeat(1 << 20));
        let error = JsonRequest::parse(body.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(error.detail.len() < 2 * MAX_MESSAGE_CHARS);
    }

    #[test]
    fn no_message_names_a_type_of_the_program() {
        for body in ["[]", "7", r#"{"top_k": "3"}"#, r#"{"version": []}"#, r#"{"images": [1]}"#] {
            let detail = JsonRequest::parse(body.as_bytes(), &mut Vec::new()).unwrap_err().detail;
            for name in ["JsonRequest", "usize", "i64", "Word", "Nested", "Files"] {
                assert!(!detail.contains(name), "{body}: {detail}");
            }
        }
    }

    #[test]
    fn a_fault_behind_numbers_is_told_at_its_place_in_the_body() {
        let body = r#"{"signal": [1, 2, 3], "top": 1}"#;
        let detail = JsonRequest::parse(body.as_bytes(), &mut Vec::new()).unwrap_err().detail;
        assert!(detail.contains("unknown field `top`") && detail.contains("column 27"), "{detail}");
        let twice = r#"{"signal": [1], "signal": [2]}"#;
        let detail = JsonRequest::parse(twice.as_bytes(), &mut Vec::new()).unwrap_err().detail;
        assert!(detail.contains("duplicate field `signal`"), "{detail}");
    }
}
