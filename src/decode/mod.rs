//! Bodies to checked and prepared inputs, and longer recordings to signals that are cut later.

mod image;
mod inputs;
mod json;
mod media;
mod raw;
pub(crate) mod recording;
mod track;

use std::time::Instant;

use drsn_bundle::{Baseline, InputSpec, PrepareError, baseline::Level};

use crate::{
    admission::Reservation,
    classify::Options,
    error::{ApiError, ErrorKind},
};

pub use inputs::{Inputs, Piece};
pub use json::{JsonRequest, PARSING_FACTOR};
pub(crate) use media::refuse_files;
pub use media::{FileKind, MARK_BYTES, MediaType};
pub use track::{BLOCK, Track, count_of_windows, hop};

/// What a request's inputs were decoded to.
#[derive(Debug, PartialEq)]
pub enum Work {
    /// Every input is as long as the model's, and prepared.
    Ready {
        /// The inputs.
        inputs: Inputs,
        /// Names of their files; empty where none has one.
        names: Vec<Option<String>>,
    },
    /// There are longer ones among them, which are cut into windows.
    Sources(Vec<Source>),
}

/// One input, before it is cut and prepared.
#[derive(Debug, PartialEq)]
pub struct Source {
    /// Name of its file.
    pub name: Option<String>,
    /// Its numbers.
    pub samples: Samples,
}

/// The numbers of one input.
#[derive(Debug, PartialEq)]
pub enum Samples {
    /// Raw numbers in the model's own shape.
    Whole(Vec<f32>),
    /// A signal in the model's channels, of another length or rate.
    Signal {
        /// Its channels, all as long.
        channels: Vec<Vec<f32>>,
        /// Its sample rate and the model's, where it is to be converted.
        rates: Option<(f64, f64)>,
    },
}

impl Source {
    /// Memory that it takes.
    pub fn bytes(&self) -> u64 {
        let numbers = match &self.samples {
            Samples::Whole(values) => values.len(),
            Samples::Signal { channels, .. } => channels.iter().map(Vec::len).sum(),
        };
        (size_of::<Self>() + numbers * size_of::<f32>()) as u64
    }
}

/// What decoding needs to know.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// What the model takes.
    pub spec: &'a InputSpec,
    /// What its inputs look like as long as nothing has changed.
    pub baseline: Option<&'a Baseline>,
    /// What the client wants.
    pub options: &'a Options,
    /// Most pixels that an image may declare.
    pub most_pixels: u64,
    /// Most bytes of a recording, in its file and unpacked.
    pub most_recording_bytes: u64,
    /// Most inputs of a request.
    pub most_inputs: usize,
    /// When the request's answer is worthless.
    pub deadline: Instant,
    /// The request's share of the memory.
    pub memory: &'a mut Reservation,
}

impl Decoder<'_> {
    /// Decodes a body of 32-bit floats.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn raw(&mut self, body: &[u8]) -> Result<Work, ApiError> {
        if self.options.channel.is_some() {
            return Err(ErrorKind::InvalidArgument.because(
                "the option channel belongs to files and JSON; raw numbers are the model's channels, one after the other",
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
        let sources = values.chunks_exact(length * signal.channels).map(|input| {
            let channels = input.chunks_exact(length).map(<[f32]>::to_vec).collect();
            Ok(Source { name: None, samples: self.signal(signal, channels, None)? })
        });
        Ok(Work::Sources(sources.collect::<Result<_, ApiError>>()?))
    }

    /// Decodes a file: an image, or one or more recordings. What it is was told before.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn file(&mut self, kind: FileKind, file: &[u8]) -> Result<Vec<Samples>, ApiError> {
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
    pub fn tensor(&mut self, values: Vec<f32>) -> Result<Work, ApiError> {
        if self.options.channel.is_some() {
            return Err(ErrorKind::InvalidArgument.because(
                "the option channel belongs to signals and files; a tensor has the model's channels",
            ));
        }
        if let InputSpec::Signal(signal) = self.spec
            && recording::rates(signal, None, self.options)?.is_some()
        {
            return Err(ErrorKind::InvalidArgument
                .because("a tensor is not resampled; send the samples as a signal, or as a file"));
        }
        self.ready(values)
    }

    /// A signal as lists of numbers.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came.
    pub fn channels(&mut self, channels: Vec<Vec<f32>>) -> Result<Samples, ApiError> {
        let InputSpec::Signal(spec) = self.spec else {
            return Err(expect_kind(self.spec, "signal").err().unwrap_or_else(ApiError::internal));
        };
        let lengths: Vec<usize> = channels.iter().map(Vec::len).collect();
        if lengths.iter().any(|&length| length != lengths[0]) {
            return Err(ErrorKind::InvalidArgument.because(
                "the channels of a signal must have the same number of samples, and theirs differ",
            ));
        }
        let channels = self.select(channels)?;
        self.signal(spec, channels, None)
    }

    /// What is to be done for these inputs.
    ///
    /// # Errors
    /// [`ApiError`] that names the input that is at fault.
    pub fn work(&mut self, sources: Vec<Source>) -> Result<Work, ApiError> {
        self.check_count(sources.len())?;
        if sources.iter().any(|source| matches!(source.samples, Samples::Signal { .. })) {
            return Ok(Work::Sources(sources));
        }
        let mut values = Vec::with_capacity(sources.len() * self.spec.elements());
        let mut names = Vec::with_capacity(sources.len());
        for Source { name, samples } in sources {
            if let Samples::Whole(numbers) = samples {
                values.extend(numbers);
                names.push(name);
            }
        }
        let inputs = self.prepared(values, &names)?;
        Ok(Work::Ready { inputs, names })
    }

    /// Inputs that are as long as the model's and have no names.
    ///
    /// # Errors
    /// [`ApiError`] that names the input that is at fault.
    pub fn ready(&mut self, values: Vec<f32>) -> Result<Work, ApiError> {
        Ok(Work::Ready { inputs: self.prepared(values, &[])?, names: Vec::new() })
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
                "the request has {count} inputs, and at most {} are taken at once",
                self.most_inputs
            )));
        }
        Ok(())
    }

    /// Checks and normalises raw inputs that lie one after the other.
    pub(crate) fn prepared(
        &mut self,
        mut values: Vec<f32>,
        names: &[Option<String>],
    ) -> Result<Inputs, ApiError> {
        let elements = self.spec.elements();
        let count = values.len() / elements;
        if count == 0 {
            return Err(ErrorKind::InvalidArgument.because("the request has no inputs"));
        }
        self.check_count(count)?;
        let levels = self.levels(&values, count)?;
        let channels = levels.len() / count;
        for (index, input) in values.chunks_mut(elements).enumerate() {
            let levels = &levels[index * channels..(index + 1) * channels];
            self.spec.prepare_measured(input, levels).map_err(|error| {
                let name = names.get(index).and_then(Option::as_deref);
                named(refused(&error), index, name, count)
            })?;
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

/// A sentence that says which input is at fault, where there is more than one, or it has a name.
pub(crate) fn named(error: ApiError, index: usize, name: Option<&str>, count: usize) -> ApiError {
    // What the client wrote is shown to it, but never at length.
    let detail = match name {
        Some(name) => {
            let shown: String = name.chars().take(80).collect();
            format!("input {index} ({shown}): {}", error.detail)
        }
        None if count == 1 => return error,
        None => format!("input {index}: {}", error.detail),
    };
    ApiError { kind: error.kind, detail }
}

pub(crate) fn refused(error: &PrepareError) -> ApiError {
    ErrorKind::InvalidArgument.because(error.to_string())
}

/// Refuses a kind of input that the model does not take.
pub(crate) fn expect_kind(spec: &InputSpec, kind: &str) -> Result<(), ApiError> {
    if spec.kind() == kind {
        return Ok(());
    }
    let takes = spec.kind();
    Err(ErrorKind::InvalidArgument.because(format!(
        "the request has {kind} data, and this model takes {takes} data ({})",
        spec.shape_in_words()
    )))
}
