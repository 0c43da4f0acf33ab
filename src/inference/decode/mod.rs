//! Request bodies to prepared inputs, or to recordings that are cut into windows later.

mod image;
mod json;
mod media;
mod prepare;
pub(crate) mod rates;
mod raw;
pub(crate) mod recording;
pub(crate) mod selection;
mod unpack;
mod windower;

use std::time::Instant;

use drsn_bundle::{Baseline, ImageSpec, InputSpec, Manifest, SignalSpec};
use ndarray::Array2;

use crate::{
    admission::Reservation,
    engine::inputs::Inputs,
    error::{ApiError, ErrorKind},
    inference::{context::RequestContext, options::Options, origin::Origin},
};

pub(crate) use json::{JsonRequest, Nested, PARSING_FACTOR};
pub(crate) use media::{FileKind, MARK_BYTES, MediaType, refuse_files};
pub(crate) use prepare::prepare_error;
pub(super) use prepare::{array, batch, level_channels};
pub(crate) use unpack::{UnpackLimits, unpack};
pub(crate) use windower::WindowCutter;
pub(super) use windower::{BLOCK, Windower};

/// The decoded inputs of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Decoded {
    /// Every input has the model's shape and is prepared.
    Inputs {
        inputs: Inputs,
        /// Where they are from; empty if none is from a file.
        origins: Vec<Origin>,
    },
    /// Some inputs have another length or rate: all are cut into windows.
    Recordings(Vec<RawInput>),
}

/// One input, before it is cut and prepared.
#[derive(Debug, PartialEq)]
pub(crate) struct RawInput {
    pub(super) origin: Origin,
    pub(super) samples: Samples,
}

/// The numbers of one input.
#[derive(Debug, PartialEq)]
pub(crate) enum Samples {
    /// Raw numbers in the model's own shape.
    Whole(Vec<f32>),
    /// A signal in the model's channels, of another length or rate.
    Signal {
        /// Its channels, `[C, T]`.
        channels: Array2<f32>,
        /// Its sample rate and the model's, if it is to be resampled.
        rates: Option<(f64, f64)>,
    },
}

impl RawInput {
    /// An input that is not from a file.
    pub(super) fn of(samples: Samples) -> Self {
        Self { origin: Origin::default(), samples }
    }

    /// Its size in memory.
    pub(super) fn bytes(&self) -> u64 {
        let numbers = match &self.samples {
            Samples::Whole(values) => values.len(),
            Samples::Signal { channels, .. } => channels.len(),
        };
        (size_of::<Self>() + self.origin.bytes() + numbers * size_of::<f32>()) as u64
    }
}

/// Decodes the inputs of one request to a model.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    /// The model's input.
    pub(super) spec: &'a InputSpec,
    /// Statistics of the inputs that the model was trained on.
    baseline: Option<&'a Baseline>,
    options: &'a Options,
    /// Limit of the pixels that an image declares.
    max_pixels: u64,
    /// Limit of a recording's bytes, in its file and unpacked.
    max_recording_bytes: u64,
    /// Limit of the inputs per request.
    max_inputs: usize,
    /// When the client no longer waits for the answer.
    deadline: Instant,
    /// Whether the raw values are kept beside the prepared ones.
    is_captured: bool,
    /// The request's share of the memory.
    pub(super) memory: &'a mut Reservation,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(
        context: &'a mut RequestContext<'_>,
        manifest: &'a Manifest,
        options: &'a Options,
    ) -> Self {
        let config = &context.app.config;
        Self {
            spec: &manifest.input,
            baseline: manifest.baseline.as_ref(),
            options,
            max_pixels: config.limits.max_image_pixels.get(),
            max_recording_bytes: config.limits.max_recording_bytes.get() as u64,
            max_inputs: config.limits.max_windows.get(),
            deadline: context.deadline(),
            is_captured: context.app.capture.is_some(),
            memory: &mut context.memory,
        }
    }
}

impl Decoder<'_> {
    /// Whether a file is so quick to decode that a turn on the cores would cost more.
    pub(super) fn is_quick(&self, file: &[u8]) -> bool {
        image::is_quick(file, self)
    }

    /// Decodes a body of 32-bit floats.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received.
    pub(super) fn raw(&mut self, body: &[u8]) -> Result<Decoded, ApiError> {
        if self.options.channel.is_some() {
            return Err(ApiError::invalid(
                "the option channel applies to files and JSON; raw numbers must be exactly the model's channels, one after the other",
            ));
        }
        self.memory.grow(body.len() as u64)?;
        let raw::Floats { values, count } = raw::floats(body, self.options.batch, self.spec)?;
        let InputSpec::Signal(signal) = self.spec else { return self.ready(values) };
        if values.len() == count * self.spec.elements()
            && rates::rates(signal, None, self.options)?.is_none()
        {
            return self.ready(values);
        }
        self.check_count(count)?;
        // The copies exist beside the body's numbers.
        self.memory.grow(body.len() as u64)?;
        let length = values.len() / (count * signal.channels);
        let inputs = array((count, signal.channels, length), values)?;
        let recordings = inputs
            .outer_iter()
            .map(|input| Ok(RawInput::of(self.signal(signal, input.to_owned(), None)?)));
        Ok(Decoded::Recordings(recordings.collect::<Result<_, ApiError>>()?))
    }

    /// Gives back the memory that a file took, which is no longer there.
    pub(super) fn release(&mut self, file: Vec<u8>) {
        let bytes = file.capacity() as u64;
        drop(file);
        self.memory.shrink_to(self.memory.bytes().saturating_sub(bytes));
    }

    /// Decodes a file of the given kind: an image, or one or more recordings.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received.
    pub(super) fn file(&mut self, kind: FileKind, file: &[u8]) -> Result<Vec<RawInput>, ApiError> {
        self.check_time()?;
        match kind {
            FileKind::Image(_) => {
                Ok(vec![RawInput::of(Samples::Whole(image::pixels(file, self)?))])
            }
            FileKind::Recording(format) => self.recordings(format, file),
        }
    }

    /// Inputs in the model's own shape, at its rate.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received, also if an option asks to select
    /// channels or to resample.
    pub(super) fn tensor(&mut self, values: Vec<f32>) -> Result<Decoded, ApiError> {
        if self.options.channel.is_some() {
            return Err(ApiError::invalid(
                "the option channel applies to signals and files; a tensor has the model's channels",
            ));
        }
        if let InputSpec::Signal(signal) = self.spec
            && rates::rates(signal, None, self.options)?.is_some()
        {
            return Err(ApiError::invalid(
                "a tensor is not resampled; send the samples as a signal or a file",
            ));
        }
        self.ready(values)
    }

    /// A signal, `[C, T]`.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received.
    pub(super) fn channels(&mut self, channels: Array2<f32>) -> Result<Samples, ApiError> {
        let spec = expect_signal(self.spec)?;
        let channels = self.select(channels)?;
        self.signal(spec, channels, None)
    }

    /// Rejects a request whose deadline has passed: a small file can need long to decode, and a
    /// request can have many.
    fn check_time(&self) -> Result<(), ApiError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(ErrorKind::DeadlineExceeded
            .because("the request's time was up before its inputs were decoded"))
    }

    /// Rejects more inputs than a request may have, before they are decoded.
    fn check_count(&self, count: usize) -> Result<(), ApiError> {
        if count > self.max_inputs {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request has {count} inputs; at most {} are allowed per request",
                self.max_inputs
            )));
        }
        Ok(())
    }
}

/// Adds the index and name of the input to an error, if the request has several inputs or this one
/// has a name.
pub(super) fn for_input(
    error: ApiError,
    index: usize,
    name: Option<&str>,
    count: usize,
) -> ApiError {
    // A name can be long.
    let detail = match name {
        Some(name) => {
            let quoted: String = name.chars().take(80).collect();
            format!("input {index} ({quoted}): {}", error.detail)
        }
        None if count == 1 => return error,
        None => format!("input {index}: {}", error.detail),
    };
    ApiError { kind: error.kind, detail }
}

/// The model's signal input.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the model expects images.
pub(super) fn expect_signal(spec: &InputSpec) -> Result<&SignalSpec, ApiError> {
    match spec {
        InputSpec::Signal(signal) => Ok(signal),
        InputSpec::Image(_) => Err(wrong_kind(spec, "signal")),
    }
}

/// The model's image input.
fn expect_image(spec: &InputSpec) -> Result<&ImageSpec, ApiError> {
    match spec {
        InputSpec::Image(image) => Ok(image),
        InputSpec::Signal(_) => Err(wrong_kind(spec, "image")),
    }
}

fn wrong_kind(spec: &InputSpec, received: &str) -> ApiError {
    ApiError::invalid(format!(
        "the request has {received} data, but this model expects {} data ({})",
        spec.kind(),
        spec.shape_in_words()
    ))
}
