//! Bodies to checked and prepared inputs, and longer recordings to signals that are cut later.

mod image;
mod json;
mod media;
mod raw;
pub(crate) mod recording;
mod windower;

use std::time::Instant;

use drsn_bundle::{Baseline, InputSpec, Manifest, PrepareError, baseline::Level};
use ndarray::{Array, Array2, ArrayD, Dimension, StrideShape};

use crate::{
    admission::Reservation,
    engine::inputs::Inputs,
    error::{ApiError, ErrorKind},
    inference::{context::RequestContext, options::Options},
};

pub(crate) use json::{JsonRequest, Nested, PARSING_FACTOR};
pub(crate) use media::refuse_files;
pub(crate) use media::{FileKind, MARK_BYTES, MediaType};
pub(crate) use windower::{BLOCK, WindowCutter, Windower};

/// What a request's inputs were decoded to.
#[derive(Debug, PartialEq)]
pub(crate) enum Decoded {
    /// Every input is as long as the model's, and prepared.
    Inputs {
        /// The inputs.
        inputs: Inputs,
        /// Names of their files; empty where none has one.
        names: Vec<Option<String>>,
    },
    /// There are longer ones among them, which are cut into windows.
    Recordings(Vec<RawInput>),
}

/// One input, before it is cut and prepared.
#[derive(Debug, PartialEq)]
pub(crate) struct RawInput {
    /// Name of its file.
    pub(crate) name: Option<String>,
    /// Its numbers.
    pub(crate) samples: Samples,
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
        /// Its sample rate and the model's, where it is to be converted.
        rates: Option<(f64, f64)>,
    },
}

impl RawInput {
    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let numbers = match &self.samples {
            Samples::Whole(values) => values.len(),
            Samples::Signal { channels, .. } => channels.len(),
        };
        (size_of::<Self>() + numbers * size_of::<f32>()) as u64
    }
}

/// What decoding needs to know.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    /// What the model takes.
    pub(crate) spec: &'a InputSpec,
    /// What its inputs look like as long as nothing has changed.
    pub(crate) baseline: Option<&'a Baseline>,
    /// What the client wants.
    pub(crate) options: &'a Options,
    /// Most pixels that an image may declare.
    pub(crate) most_pixels: u64,
    /// Most bytes of a recording, in its file and unpacked.
    pub(crate) most_recording_bytes: u64,
    /// Most inputs of a request.
    pub(crate) most_inputs: usize,
    /// When the request's answer is worthless.
    pub(crate) deadline: Instant,
    /// The request's share of the memory.
    pub(crate) memory: &'a mut Reservation,
}

impl<'a> Decoder<'a> {
    /// A decoder for one request to a model.
    pub(crate) fn new(
        context: &'a mut RequestContext<'_>,
        manifest: &'a Manifest,
        options: &'a Options,
    ) -> Self {
        let config = &context.app.config;
        Self {
            spec: &manifest.input,
            baseline: manifest.baseline.as_ref(),
            options,
            most_pixels: config.max_image_pixels.get(),
            most_recording_bytes: config.max_recording_bytes.get() as u64,
            most_inputs: config.max_windows.get(),
            deadline: context.deadline,
            memory: &mut context.memory,
        }
    }
}

impl Decoder<'_> {
    /// Decodes a body of 32-bit floats.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub(crate) fn raw(&mut self, body: &[u8]) -> Result<Decoded, ApiError> {
        if self.options.channel.is_some() {
            return Err(ApiError::invalid(
                "the option channel applies to files and JSON; raw numbers must be exactly the model's channels, one after the other",
            ));
        }
        self.memory.grow(body.len() as u64)?;
        let raw::Floats { values, count } = raw::floats(body, self.options.batch, self.spec)?;
        let InputSpec::Signal(signal) = self.spec else { return self.ready(values) };
        if values.len() == count * self.spec.elements()
            && recording::rates(signal, None, self.options)?.is_none()
        {
            return self.ready(values);
        }
        self.check_count(count)?;
        // Beside the numbers as they came.
        self.memory.grow(body.len() as u64)?;
        let length = values.len() / (count * signal.channels);
        let inputs = array((count, signal.channels, length), values)?;
        let sources = inputs.outer_iter().map(|input| {
            Ok(RawInput { name: None, samples: self.signal(signal, input.to_owned(), None)? })
        });
        Ok(Decoded::Recordings(sources.collect::<Result<_, ApiError>>()?))
    }

    /// Decodes a file: an image, or one or more recordings. What it is was told before.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub(crate) fn file(&mut self, kind: FileKind, file: &[u8]) -> Result<Vec<Samples>, ApiError> {
        self.check_time()?;
        match kind {
            FileKind::Image(_) => Ok(vec![Samples::Whole(image::pixels(file, self)?)]),
            FileKind::Recording(format) => self.recordings(format, file),
        }
    }

    /// Inputs in the model's own shape, at its rate.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came, also where an option asks for a change of them.
    pub(crate) fn tensor(&mut self, values: Vec<f32>) -> Result<Decoded, ApiError> {
        if self.options.channel.is_some() {
            return Err(ApiError::invalid(
                "the option channel applies to signals and files; a tensor has the model's channels",
            ));
        }
        if let InputSpec::Signal(signal) = self.spec
            && recording::rates(signal, None, self.options)?.is_some()
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
    /// [`ApiError`] with what was expected and what came.
    pub(crate) fn channels(&mut self, channels: Array2<f32>) -> Result<Samples, ApiError> {
        let InputSpec::Signal(spec) = self.spec else {
            return Err(expect_kind(self.spec, "signal").err().unwrap_or_else(ApiError::internal));
        };
        let channels = self.select(channels)?;
        self.signal(spec, channels, None)
    }

    /// What is to be done for these inputs.
    ///
    /// # Errors
    /// [`ApiError`] that names the input that is at fault.
    pub(crate) fn decoded(&mut self, sources: Vec<RawInput>) -> Result<Decoded, ApiError> {
        self.check_count(sources.len())?;
        if sources.iter().any(|source| matches!(source.samples, Samples::Signal { .. })) {
            return Ok(Decoded::Recordings(sources));
        }
        let mut values = Vec::with_capacity(sources.len() * self.spec.elements());
        let mut names = Vec::with_capacity(sources.len());
        for RawInput { name, samples } in sources {
            if let Samples::Whole(numbers) = samples {
                values.extend(numbers);
                names.push(name);
            }
        }
        let inputs = self.prepared(values, &names)?;
        Ok(Decoded::Inputs { inputs, names })
    }

    /// Inputs that are as long as the model's and have no names.
    ///
    /// # Errors
    /// [`ApiError`] that names the input that is at fault.
    pub(crate) fn ready(&mut self, values: Vec<f32>) -> Result<Decoded, ApiError> {
        Ok(Decoded::Inputs { inputs: self.prepared(values, &[])?, names: Vec::new() })
    }

    /// Refuses to go on with a request whose time is up: a small file can take long to decode, and there can be many.
    fn check_time(&self) -> Result<(), ApiError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(ErrorKind::DeadlineExceeded
            .because("the request's time was up before its inputs were decoded"))
    }

    /// Refuses more inputs than a request may have, before they are decoded.
    fn check_count(&self, count: usize) -> Result<(), ApiError> {
        if count > self.most_inputs {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request has {count} inputs; at most {} are allowed per request",
                self.most_inputs
            )));
        }
        Ok(())
    }

    /// Checks and normalises raw inputs that follow one another.
    pub(crate) fn prepared(
        &mut self,
        values: Vec<f32>,
        names: &[Option<String>],
    ) -> Result<Inputs, ApiError> {
        let count = values.len() / self.spec.elements();
        if count == 0 {
            return Err(ApiError::invalid("the request has no inputs"));
        }
        self.check_count(count)?;
        let channels = level_channels(self.spec, self.baseline);
        self.memory.grow((count * channels * size_of::<Level>()) as u64)?;
        let mut values = batch(values, self.spec)?;
        // Inputs with non-finite numbers are refused below.
        let levels = if channels == 0 {
            Vec::new()
        } else {
            let rows = (count * channels, self.spec.elements() / channels);
            let channels = values.view().into_shape_with_order(rows);
            Level::of_channels(&channels.map_err(|_| ApiError::internal())?)
        };
        let levels = array((count, channels), levels)?;
        for (index, mut input) in values.outer_iter_mut().enumerate() {
            let levels = levels.row(index);
            let input = input.as_slice_mut().unwrap_or_default();
            let levels = levels.to_slice().unwrap_or_default();
            self.spec.prepare_measured(input, levels).map_err(|error| {
                let name = names.get(index).and_then(Option::as_deref);
                named(refused(&error), index, name, count)
            })?;
        }
        Ok(Inputs::new(values, levels))
    }
}

/// Channels of an input whose raw levels are checked: none if the baseline has no levels.
pub(crate) fn level_channels(spec: &InputSpec, baseline: Option<&Baseline>) -> usize {
    match spec {
        InputSpec::Signal(signal) if baseline.is_some_and(|b| b.level.is_some()) => signal.channels,
        InputSpec::Signal(_) | InputSpec::Image(_) => 0,
    }
}

/// Inputs that follow one another as `[N, C, L]` or `[N, C, H, W]`.
pub(crate) fn batch(values: Vec<f32>, spec: &InputSpec) -> Result<ArrayD<f32>, ApiError> {
    let count = values.len() / spec.elements();
    match spec {
        InputSpec::Image(image) => {
            array((count, image.channels, image.height, image.width), values).map(Array::into_dyn)
        }
        InputSpec::Signal(signal) => {
            array((count, signal.channels, signal.window), values).map(Array::into_dyn)
        }
    }
}

/// Numbers in a shape, which fits them unless this program is at fault.
pub(crate) fn array<T, D: Dimension>(
    shape: impl Into<StrideShape<D>>,
    numbers: Vec<T>,
) -> Result<Array<T, D>, ApiError> {
    Array::from_shape_vec(shape, numbers).map_err(|error| {
        tracing::error!(%error, "numbers do not fit their shape");
        ApiError::internal()
    })
}

/// A sentence that says which input is at fault, where there is more than one, or it has a name.
pub(crate) fn named(error: ApiError, index: usize, name: Option<&str>, count: usize) -> ApiError {
    // What the client wrote is quoted to it, but never at length.
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

pub(crate) fn refused(error: &PrepareError) -> ApiError {
    ApiError::invalid(error.to_string())
}

/// Refuses a kind of input that the model does not take.
pub(crate) fn expect_kind(spec: &InputSpec, kind: &str) -> Result<(), ApiError> {
    if spec.kind() == kind {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "the request has {kind} data, but this model expects {} data ({})",
        spec.kind(),
        spec.shape_in_words()
    )))
}
