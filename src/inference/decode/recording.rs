//! Files of recordings to signals in the model's channels.

use drsn_bundle::{InputSpec, SignalSpec};
use drsn_recording::{
    Array, Limits, MAX_CHANNELS, Recording, RecordingError, RecordingFormat, Selection,
};
use ndarray::{Array2, Ix3};

use super::{Decoder, Samples, expect_kind};
use crate::{
    error::{ApiError, ErrorKind},
    inference::options::Options,
};

/// Memory that reading takes for each sample: as it lies in the file, and in its channel.
const BYTES_OF_A_SAMPLE: u64 = 8;
/// Memory that reading takes beside that: blocks, and inflating.
const READING_BYTES: u64 = 128 << 10;

/// A sentence for a recording that cannot be taken.
pub(crate) fn refused(error: &RecordingError) -> ApiError {
    if matches!(error, RecordingError::TooLarge { .. } | RecordingError::TooManySamples { .. }) {
        return ErrorKind::TooLarge.because(format!("the recording is too large: {error}"));
    }
    ApiError::invalid(if matches!(error, RecordingError::Io(_)) {
        "the recording cannot be read: it is damaged or cut short".to_owned()
    } else {
        format!("the recording cannot be read: {error}")
    })
}

/// What of a recording's files is read.
pub(crate) fn selection(options: &Options) -> Selection {
    Selection {
        channel: options.channel.clone().unwrap_or_default(),
        variable: options.variable.clone(),
    }
}

/// Whether a sample rate in Hz is the expected one, but for rounding.
pub(crate) fn same_rate(rate: f64, expected: f64) -> bool {
    (rate - expected).abs() <= 1e-6 * expected
}

/// The recording's rate and the model's, where it is to be converted; none where it is taken as it is.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] where the rate differs and is not to be converted, or cannot be told.
pub(crate) fn rates(
    spec: &SignalSpec,
    declared: Option<f64>,
    options: &Options,
) -> Result<Option<(f64, f64)>, ApiError> {
    let invalid = |sentence: String| Err(ApiError::invalid(sentence));
    let resample = options.resample == Some(true);
    let rate = match (declared, options.sample_rate_hz) {
        (Some(declared), Some(given)) if !same_rate(declared, given) => {
            return invalid(format!(
                "the recording declares a sample rate of {declared} Hz, but the option sample_rate_hz is {given} Hz; correct the option or leave it out"
            ));
        }
        (declared, given) => declared.or(given),
    };
    match (rate, spec.sample_rate_hz) {
        (_, None) if resample => invalid(
            "this model has no sample rate to resample to; leave out the option resample"
                .to_owned(),
        ),
        (None, Some(_)) if resample => invalid(
            "the recording does not declare its sample rate; set the option sample_rate_hz"
                .to_owned(),
        ),
        (Some(rate), Some(expected)) if !same_rate(rate, expected) => {
            if resample {
                return Ok(Some((rate, expected)));
            }
            invalid(format!(
                "the recording's sample rate is {rate} Hz, but this model expects {expected} Hz; record at that rate or set resample=true"
            ))
        }
        _ => Ok(None),
    }
}

/// Refuses a recording that has not as many channels as the model.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_channels(spec: &SignalSpec, found: usize) -> Result<(), ApiError> {
    if found == spec.channels {
        return Ok(());
    }
    let plural = |count: usize| if count == 1 { "channel" } else { "channels" };
    Err(ApiError::invalid(format!(
        "the recording has {found} {}, but this model expects {} {}; select with the option channel, such as channel=0",
        plural(found),
        spec.channels,
        plural(spec.channels)
    )))
}

/// Refuses a signal of which no channels can be those of the model, before anything is made of it: each of its channels
/// takes memory, however short it is.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_choosable(
    spec: &SignalSpec,
    channels: usize,
    options: &Options,
) -> Result<(), ApiError> {
    if options.channel.is_none() {
        return check_channels(spec, channels);
    }
    if channels > MAX_CHANNELS {
        return Err(ApiError::invalid(format!(
            "the recording has {channels} channels; at most {MAX_CHANNELS} are allowed"
        )));
    }
    Ok(())
}

/// Refuses a choice of another number of channels than the model has, before any is copied.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_choice(spec: &SignalSpec, options: &Options) -> Result<(), ApiError> {
    let chosen = options.channel.as_ref().map(Vec::len);
    if chosen.is_none_or(|chosen| chosen == spec.channels) {
        return Ok(());
    }
    let channels = |count: usize| match count {
        1 => "1 channel".to_owned(),
        count => format!("{count} channels"),
    };
    Err(ApiError::invalid(format!(
        "the option channel selects {}, but this model expects {}",
        channels(chosen.unwrap_or_default()),
        channels(spec.channels)
    )))
}

/// Refuses to look for a variable where there are none: in files of other formats, and in what is no file.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_variable(
    format: Option<RecordingFormat>,
    options: &Options,
) -> Result<(), ApiError> {
    let has_some = matches!(format, Some(RecordingFormat::Mat | RecordingFormat::Npz));
    if options.variable.is_none() || has_some {
        return Ok(());
    }
    Err(ApiError::invalid(
        "the option variable applies to MAT and NPZ files; leave it out for other bodies",
    ))
}

/// What a file holds.
enum Content {
    Recording(Recording),
    /// Several recordings, `[N, C, L]`.
    Array(Array),
}

impl Decoder<'_> {
    /// The inputs in a file: one, or as many as an array `[N, C, L]` has.
    pub(super) fn recordings(
        &mut self,
        format: RecordingFormat,
        file: &[u8],
    ) -> Result<Vec<Samples>, ApiError> {
        let InputSpec::Signal(spec) = self.spec else {
            return Err(expect_kind(self.spec, "signal").err().unwrap_or_else(ApiError::internal));
        };
        if file.is_empty() {
            return Err(ApiError::invalid("the recording is empty: it has no bytes"));
        }
        check_variable(Some(format), self.options)?;
        let before = self.memory.bytes();
        let recordings = match self.read(format, file)? {
            Content::Recording(recording) => vec![recording],
            Content::Array(array) => self.in_array(spec, array)?,
        };
        let samples: usize = recordings.iter().map(|r| r.samples.len()).sum();
        self.memory.shrink_to(before + (samples * size_of::<f32>()) as u64);
        recordings
            .into_iter()
            .map(|Recording { samples, sample_rate_hz, .. }| {
                self.signal(spec, samples, sample_rate_hz)
            })
            .collect()
    }

    /// One signal in the model's channels.
    pub(super) fn signal(
        &self,
        spec: &SignalSpec,
        channels: Array2<f32>,
        declared_rate: Option<f64>,
    ) -> Result<Samples, ApiError> {
        check_channels(spec, channels.nrows())?;
        let rates = rates(spec, declared_rate, self.options)?;
        if rates.is_none() && channels.ncols() == spec.window {
            return Ok(Samples::Whole(channels.into_raw_vec_and_offset().0));
        }
        Ok(Samples::Signal { channels, rates })
    }

    /// Reads a file with as much memory as it needs, and no more than may be had: a first guess is what uncompressed
    /// files of its length usually hold, and what it declares beyond that is reserved before it is read.
    fn read(&mut self, format: RecordingFormat, file: &[u8]) -> Result<Content, ApiError> {
        let length = file.len() as u64;
        let mut max_samples = 4096 + length / if format == RecordingFormat::Csv { 4 } else { 8 };
        let before = self.memory.bytes();
        loop {
            self.memory.shrink_to(before);
            self.memory.grow(max_samples.saturating_mul(BYTES_OF_A_SAMPLE) + READING_BYTES)?;
            let limits = Limits { max_bytes: self.most_recording_bytes, max_samples };
            match self.read_within(format, file, &limits) {
                Err(RecordingError::TooManySamples { samples, .. }) if samples > max_samples => {
                    // A format that does not declare its length only says that there are more.
                    max_samples = samples.max(2 * max_samples);
                }
                read => return read.map_err(|error| refused(&error)),
            }
        }
    }

    fn read_within(
        &self,
        format: RecordingFormat,
        file: &[u8],
        limits: &Limits,
    ) -> Result<Content, RecordingError> {
        let selection = selection(self.options);
        let array = match format {
            RecordingFormat::Npy => Array::read_npy(file, limits)?,
            RecordingFormat::Npz => Array::read_npz(file, selection.variable.as_deref(), limits)?,
            RecordingFormat::Mat | RecordingFormat::Wav | RecordingFormat::Csv => {
                return Recording::read(format, file, &selection, limits).map(Content::Recording);
            }
        };
        if array.values.ndim() == 3 {
            return Ok(Content::Array(array));
        }
        array.into_recording(&selection).map(Content::Recording)
    }

    /// The inputs of an array `[N, C, L]`.
    fn in_array(&self, spec: &SignalSpec, array: Array) -> Result<Vec<Recording>, ApiError> {
        let Array { name, values } = array;
        let values = values.into_dimensionality::<Ix3>().map_err(|_| ApiError::internal())?;
        if values.is_empty() {
            return Err(refused(&RecordingError::Empty));
        }
        let (count, channels, _) = values.dim();
        self.check_count(count)?;
        check_choosable(spec, channels, self.options)?;
        let selection = selection(self.options);
        let inputs = values.outer_iter().map(|input| {
            Recording::from_array(input.to_owned(), name.clone(), &selection)
                .map_err(|error| refused(&error))
        });
        inputs.collect()
    }

    /// The channels that are selected, of numbers that came without names.
    pub(super) fn select(&self, channels: Array2<f32>) -> Result<Array2<f32>, ApiError> {
        let Some(wanted) = &self.options.channel else { return Ok(channels) };
        let selection = Selection { channel: wanted.clone(), variable: None };
        let selected = Recording::from_array(channels, None, &selection);
        selected.map(|recording| recording.samples).map_err(|error| refused(&error))
    }
}
