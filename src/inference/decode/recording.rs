//! Files of recordings to signals in the model's channels.

use std::sync::Arc;

use drsn_bundle::SignalSpec;
use drsn_recording::{
    Array, ChannelId, DeclaredRate, Limits, MAX_CHANNELS, Names, Notice, Recording, RecordingError,
    RecordingFormat, Selection,
};
use ndarray::{Array2, Ix3};

use super::{
    Decoder, RawInput, Samples, expect_signal,
    rates::{rates, taken},
    selection::{check_variable, fall_back, lines_of_training, selection, trained_on},
};
use crate::{
    error::{ApiError, ErrorKind},
    inference::{
        options::Options,
        origin::{Origin, Taken},
    },
};

/// Memory that reading needs for each sample: as stored in the file, and in its channel.
const BYTES_OF_A_SAMPLE: u64 = 8;
/// Further memory that reading needs, for blocks and for inflating.
const READING_BYTES: u64 = 128 << 10;
/// The largest block of a FLAC file: 65,536 samples of eight channels, in 64 bits.
const FLAC_BLOCK_BYTES: u64 = 4 << 20;

/// Longest name of a variable or channel in an answer, in characters.
const LONGEST_NAME: usize = 100;
/// Most notices of one file.
const MOST_NOTICES: usize = 16;

/// The client's error for a recording that cannot be read.
pub(crate) fn recording_error(error: &RecordingError) -> ApiError {
    if matches!(error, RecordingError::TimeUp) {
        return ErrorKind::DeadlineExceeded
            .because("the request's time was up before its inputs were decoded");
    }
    if matches!(error, RecordingError::TooLarge { .. } | RecordingError::TooManySamples { .. }) {
        return ErrorKind::TooLarge.because(format!("the recording is too large: {error}"));
    }
    ApiError::invalid(if matches!(error, RecordingError::Io(_)) {
        "the recording cannot be read: it is damaged or cut short".to_owned()
    } else {
        format!("the recording cannot be read: {error}")
    })
}

/// Rejects a recording with another number of channels than the model.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_channels(
    spec: &SignalSpec,
    found: usize,
    names: &[Option<String>],
) -> Result<(), ApiError> {
    if found == spec.channels {
        return Ok(());
    }
    let known: Names = names.iter().flatten().cloned().collect();
    let example = names.iter().flatten().next().map_or("0", String::as_str);
    let known = if example == "0" { String::new() } else { format!(" ({known})") };
    let plural = |count: usize| if count == 1 { "channel" } else { "channels" };
    Err(ApiError::invalid(format!(
        "the recording has {found} {}{known}, but this model expects {} {}; select with the option channel, such as channel={example}",
        plural(found),
        spec.channels,
        plural(spec.channels)
    )))
}

/// Rejects a signal from which the model's channels cannot be selected, before it is split into
/// channels: each channel needs memory, however short it is.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(super) fn check_available_channels(
    spec: &SignalSpec,
    channels: usize,
    options: &Options,
) -> Result<(), ApiError> {
    if options.channel.is_none() {
        return check_channels(spec, channels, &[]);
    }
    if channels > MAX_CHANNELS {
        return Err(ApiError::invalid(format!(
            "the recording has {channels} channels; at most {MAX_CHANNELS} are allowed"
        )));
    }
    Ok(())
}

/// A name as answers repeat it, once for each input of a file.
fn beginning(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// The content of a file.
enum Content {
    Recording(Recording),
    /// Several recordings, `[N, C, L]`.
    Array(Array),
}

impl Decoder<'_> {
    /// The inputs in a file: one, or N if it has an array `[N, C, L]`.
    pub(super) fn recordings(
        &mut self,
        format: RecordingFormat,
        file: &[u8],
    ) -> Result<Vec<RawInput>, ApiError> {
        let spec = expect_signal(self.spec)?;
        if file.is_empty() {
            return Err(ApiError::invalid("the recording is empty: it has no bytes"));
        }
        check_variable(Some(format), self.options)?;
        let before = self.memory.bytes();
        let (content, mut selected, notices) = self.read_selected(spec, format, file)?;
        let recordings = match content {
            Content::Recording(recording) => vec![recording],
            Content::Array(array) => {
                // Such an array is made for the model, and has its channels.
                selected = selection(self.options);
                self.in_array(spec, array, &selected)?
            }
        };
        let samples: usize = recordings.iter().map(|r| r.samples.len()).sum();
        self.memory.shrink_to(before + (samples * size_of::<f32>()) as u64);
        let Some(first) = recordings.first() else { return Ok(Vec::new()) };
        check_channels(spec, first.samples.nrows(), &first.names)?;
        let declared = DeclaredRate::of(first);
        let mut taken = self.taken(spec, first, &selected);
        taken.notices.extend(notices);
        taken.notices.extend(recordings.iter().skip(1).flat_map(|r| r.notices.iter().cloned()));
        taken.notices.truncate(MOST_NOTICES);
        let taken = Some(Arc::new(taken));
        let inputs = recordings.into_iter().map(|Recording { samples, .. }| {
            let samples = self.signal(spec, samples, declared)?;
            Ok(RawInput { origin: Origin { name: None, taken: taken.clone() }, samples })
        });
        inputs.collect()
    }

    /// What is taken of a recording, for the answer.
    fn taken(&self, spec: &SignalSpec, recording: &Recording, selection: &Selection) -> Taken {
        let chosen = |index| selection.channel.get(index);
        let channel = |(index, name): (usize, &Option<String>)| match (name, chosen(index)) {
            (Some(name), _) | (None, Some(ChannelId::Name(name))) => beginning(name),
            (None, Some(ChannelId::Index(position))) => position.to_string(),
            (None, None) => index.to_string(),
        };
        taken(
            spec,
            self.options,
            Taken {
                variable: recording.variable.as_deref().map(beginning),
                channels: recording.names.iter().enumerate().map(channel).collect(),
                sample_rate_hz: recording.sample_rate_hz,
                notices: recording.notices.clone(),
            },
        )
    }

    /// One signal in the model's channels.
    pub(super) fn signal(
        &self,
        spec: &SignalSpec,
        channels: Array2<f32>,
        declared_rate: Option<DeclaredRate>,
    ) -> Result<Samples, ApiError> {
        check_channels(spec, channels.nrows(), &[])?;
        let rates = rates(spec, declared_rate, self.options)?;
        if rates.is_none() && channels.ncols() == spec.window {
            return Ok(Samples::Whole(channels.into_raw_vec_and_offset().0));
        }
        Ok(Samples::Signal { channels, rates })
    }

    /// Reads a file as the options say, and where they say nothing, as the files that the model was
    /// trained on; if it lacks what those had, the rules for files of any origin decide, which the
    /// notices tell.
    fn read_selected(
        &mut self,
        spec: &SignalSpec,
        format: RecordingFormat,
        file: &[u8],
    ) -> Result<(Content, Selection, Vec<Notice>), ApiError> {
        let before = self.memory.bytes();
        let options = self.options;
        let mut selected = trained_on(spec, options).unwrap_or_else(|| selection(options));
        let mut notices = Vec::new();
        loop {
            let error = match self.read(format, file, &selected)? {
                Ok(content) => {
                    notices.extend(lines_of_training(format, options, &selected));
                    return Ok((content, selected, notices));
                }
                Err(error) => error,
            };
            match fall_back(&error, options, &mut selected) {
                Some(notice) => notices.push(notice),
                None => return Err(recording_error(&error)),
            }
            self.memory.shrink_to(before);
        }
    }

    /// Reads a file within the memory budget. The first reservation is for the samples that an
    /// uncompressed file of its length usually has; what the file declares beyond that is reserved
    /// before it is read.
    fn read(
        &mut self,
        format: RecordingFormat,
        file: &[u8],
        selection: &Selection,
    ) -> Result<Result<Content, RecordingError>, ApiError> {
        let length = file.len() as u64;
        let mut max_samples = 4096 + length / if format == RecordingFormat::Csv { 4 } else { 8 };
        let block = if format == RecordingFormat::Flac { FLAC_BLOCK_BYTES } else { 0 };
        let before = self.memory.bytes();
        loop {
            self.memory.shrink_to(before);
            let samples = max_samples.saturating_mul(BYTES_OF_A_SAMPLE);
            self.memory.grow(samples.saturating_add(READING_BYTES + block))?;
            let limits =
                Limits::new(self.max_recording_bytes, max_samples).with_deadline(self.deadline);
            match read_within(format, file, selection, &limits) {
                Err(RecordingError::TooManySamples { samples, .. }) if samples > max_samples => {
                    // A format that does not declare its length reports only that there are more.
                    max_samples = samples.max(2 * max_samples);
                }
                read => return Ok(read),
            }
        }
    }

    /// The inputs of an array `[N, C, L]`.
    fn in_array(
        &self,
        spec: &SignalSpec,
        array: Array,
        selection: &Selection,
    ) -> Result<Vec<Recording>, ApiError> {
        let Array { name, values, sample_rate_hz } = array;
        let values = values.into_dimensionality::<Ix3>().map_err(|_| ApiError::internal())?;
        if values.is_empty() {
            return Err(recording_error(&RecordingError::Empty));
        }
        let (count, channels, _) = values.dim();
        self.check_count(count)?;
        check_available_channels(spec, channels, self.options)?;
        let inputs = values.outer_iter().map(|input| {
            Recording::from_array(input.to_owned(), name.clone(), selection)
                .map(|recording| Recording { sample_rate_hz, ..recording })
                .map_err(|error| recording_error(&error))
        });
        inputs.collect()
    }

    /// The selected channels of a signal whose channels have no names.
    pub(super) fn select(&self, channels: Array2<f32>) -> Result<Array2<f32>, ApiError> {
        let Some(channel) = &self.options.channel else { return Ok(channels) };
        let selection = Selection { channel: channel.clone(), ..Selection::default() };
        let selected = Recording::from_array(channels, None, &selection);
        selected.map(|recording| recording.samples).map_err(|error| recording_error(&error))
    }
}

fn read_within(
    format: RecordingFormat,
    file: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Content, RecordingError> {
    let array = match format {
        RecordingFormat::Npy => Array::read_npy(file, limits)?,
        RecordingFormat::Npz => Array::read_npz(file, selection, limits)?,
        RecordingFormat::Mat
        | RecordingFormat::Wav
        | RecordingFormat::Aiff
        | RecordingFormat::Flac
        | RecordingFormat::Csv => {
            return Recording::read(format, file, selection, limits).map(Content::Recording);
        }
    };
    if array.values.ndim() == 3 {
        return Ok(Content::Array(array));
    }
    array.into_recording(selection).map(Content::Recording)
}
