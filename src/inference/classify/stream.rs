//! Classifies one recording as it arrives: a WAV file, or raw numbers of one channel. Only the
//! timeline of its windows grows with its length.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use drsn_bundle::{InputSpec, SignalSpec};
use drsn_recording::{ChannelId, DeclaredRate, Limits, Notice, WavReader};
use ndarray::{Array1, Axis};

use super::{Outcome, Plan, find, pipeline::Pipeline};
use crate::{
    engine::model::Model,
    error::{ApiError, ErrorKind},
    inference::{
        context::RequestContext,
        decode::{
            BLOCK, Windower, expect_signal,
            rates::{rates, taken},
            recording::{check_channels, recording_error},
            selection::{check_variable, other_source},
        },
        options::Options,
        origin::{Origin, Taken},
    },
};

/// Bytes that are decoded at a time.
const BLOCK_BYTES: usize = BLOCK * size_of::<f32>();
/// Limit of the bytes before the first sample of a WAV file.
const MAX_HEADER: usize = 1 << 20;

/// The format of a streamed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Wav,
    /// Little-endian 32-bit floats of one channel.
    Floats,
}

/// A recording that is classified as it arrives.
///
/// [`Streaming::open`] reserves a place in the model's queue; [`Streaming::push`] accepts bytes in
/// pieces of any size and waits if the model is behind; [`Streaming::finish`] returns the outcome.
#[derive(Debug)]
pub(crate) struct Streaming<'a> {
    pipeline: Pipeline<'a>,
    spec: &'a SignalSpec,
    options: &'a Options,
    max_bytes: u64,
    received: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first bytes of a WAV file, and the length at which they are parsed again.
    Header {
        bytes: Vec<u8>,
        next_look: usize,
    },
    Wav(Box<Wav>),
    Floats {
        bytes: Vec<u8>,
        windower: Box<Windower>,
    },
}

#[derive(Debug)]
struct Wav {
    reader: WavReader<Feed>,
    /// The selected channels, in the model's order.
    selected: Vec<usize>,
    windower: Windower,
    /// Whether the last sample was read; later bytes are ignored.
    is_over: bool,
    /// What was taken otherwise than in training.
    notices: Vec<Notice>,
}

/// Bytes that the reader has not consumed yet.
#[derive(Debug, Default)]
struct Feed {
    bytes: Vec<u8>,
    read: usize,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.bytes[self.read..]).read(buffer)?;
        self.read += read;
        Ok(read)
    }
}

impl Feed {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.read
    }
}

impl<'a> Streaming<'a> {
    /// Whether raw numbers for a model can be streamed: only those of one channel can.
    pub(crate) fn takes_floats(model: &Model) -> bool {
        matches!(&model.manifest().input, InputSpec::Signal(signal) if signal.channels == 1)
    }

    /// The model that the options name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and [`ErrorKind::InvalidArgument`].
    pub(crate) fn model(
        context: &mut RequestContext<'_>,
        options: &Options,
    ) -> Result<Arc<Model>, ApiError> {
        find(context, options)
    }

    /// Reserves a place in the model's queue, before the first sample arrives.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::BytesFull`], and [`ErrorKind::InvalidArgument`] if
    /// the model expects images or an option does not fit.
    pub(crate) async fn open(
        context: &'a mut RequestContext<'_>,
        model: &'a Arc<Model>,
        options: &'a Options,
        kind: StreamKind,
    ) -> Result<Self, ApiError> {
        let spec = expect_signal(&model.manifest().input)?;
        check_variable(None, options)?;
        let plan = Plan::new(context, options);
        let max_bytes = context.app.config.limits.max_recording_bytes.get() as u64;
        let mut pipeline = Pipeline::open(context, model, plan)?;
        pipeline.begin(Origin::default())?;
        // Each block exists twice as bytes, and twice as numbers of up to four times the size.
        pipeline.memory().grow(10 * BLOCK_BYTES as u64)?;
        let state = match kind {
            StreamKind::Wav => State::Header { bytes: Vec::new(), next_look: 0 },
            StreamKind::Floats => {
                let rates = rates(spec, None, options)?;
                let windower = windower(&mut pipeline, spec, rates).await?;
                State::Floats { bytes: Vec::new(), windower: Box::new(windower) }
            }
        };
        Ok(Self { pipeline, spec, options, max_bytes, received: 0, state })
    }

    /// Decodes the next bytes and queues their windows.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what was received; the recording must not be
    /// continued then.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.received += bytes.len() as u64;
        if self.received > self.max_bytes {
            return Err(ErrorKind::TooLarge.because(format!(
                "the recording is larger than the {} bytes allowed; send it in parts",
                self.max_bytes
            )));
        }
        for block in bytes.chunks(BLOCK_BYTES) {
            self.push_block(block).await?;
        }
        Ok(())
    }

    async fn push_block(&mut self, block: &[u8]) -> Result<(), ApiError> {
        if let State::Header { bytes, next_look } = &mut self.state {
            self.pipeline.memory().grow(2 * block.len() as u64)?;
            bytes.extend_from_slice(block);
            if bytes.len() < *next_look {
                return Ok(());
            }
            if !WavReader::<&[u8]>::is_header_whole(bytes) {
                if bytes.len() > MAX_HEADER {
                    return Err(ApiError::invalid(format!(
                        "the WAV file has more than {MAX_HEADER} bytes before its first sample; save it without other data, such as metadata"
                    )));
                }
                // Parsing a header that arrives byte by byte each time would cost its length
                // squared.
                *next_look = 2 * bytes.len();
                return Ok(());
            }
            let header = std::mem::take(bytes);
            self.state = State::Wav(Box::new(self.open_wav(header).await?));
        } else {
            match &mut self.state {
                State::Wav(wav) if wav.is_over => return Ok(()),
                State::Wav(wav) => wav.reader.reader_mut().push(block),
                State::Floats { bytes, .. } => bytes.extend_from_slice(block),
                State::Header { .. } => {}
            }
        }
        self.decode(false).await
    }

    /// Opens a WAV file whose header has arrived.
    async fn open_wav(&mut self, header: Vec<u8>) -> Result<Wav, ApiError> {
        let limits = Limits::new(self.max_bytes, u64::MAX);
        let feed = Feed { bytes: header, read: 0 };
        let reader = WavReader::new(feed, &limits).map_err(|e| recording_error(&e))?;
        let mut notices = Vec::new();
        let selected = match (&self.options.channel, &self.spec.source) {
            (Some(channel), _) => reader.select(channel),
            // As the model was trained, if the file has those channels.
            (None, Some(source)) => {
                let trained_on: Vec<_> =
                    source.channels.iter().map(|channel| ChannelId::from(&channel[..])).collect();
                reader.select(&trained_on).or_else(|_| {
                    notices.push(other_source("channels", &source.channels.join(", ")));
                    reader.select(&[])
                })
            }
            (None, None) => reader.select(&[]),
        };
        let selected = selected.map_err(|e| recording_error(&e))?;
        check_channels(self.spec, selected.len(), &[])?;
        let declared = DeclaredRate::stated(reader.sample_rate_hz());
        let rates = rates(self.spec, Some(declared), self.options)?;
        let windower = windower(&mut self.pipeline, self.spec, rates).await?;
        if let Some(frames) = reader.frames() {
            self.pipeline.check_windows(windower.count_of_windows(frames))?;
        }
        Ok(Wav { reader, selected, windower, is_over: false, notices })
    }

    /// Decodes the bytes that have arrived and queues their windows.
    async fn decode(&mut self, ended: bool) -> Result<(), ApiError> {
        let pipeline = &mut self.pipeline;
        match &mut self.state {
            // A block at a time: many samples can have arrived with the header.
            State::Wav(wav) => {
                while pipeline.decode(wav.windower.resamples(), || wav.decode(ended)).await?? {
                    pipeline.drain(&mut wav.windower).await?;
                }
            }
            State::Floats { bytes, windower } => {
                let is_long = windower.resamples();
                pipeline.decode(is_long, || decode_floats(bytes, windower)).await??;
                pipeline.drain(windower).await?;
            }
            State::Header { .. } => {}
        }
        Ok(())
    }

    /// Ends the recording and returns the outcome.
    ///
    /// # Errors
    /// [`ApiError`] if the recording ends before its first sample, is too short or constant.
    pub(crate) async fn finish(mut self) -> Result<Outcome, ApiError> {
        if let State::Header { bytes, .. } = &mut self.state {
            // Either the header is complete after all, or this is an error.
            let header = std::mem::take(bytes);
            self.state = State::Wav(Box::new(self.open_wav(header).await?));
        }
        self.decode(true).await?;
        let mut windower = match self.state {
            State::Wav(wav) => {
                self.pipeline.describe(wav.taken(self.spec, self.options));
                wav.windower
            }
            State::Floats { bytes, windower } if bytes.is_empty() => *windower,
            State::Floats { .. } => {
                return Err(ApiError::invalid(format!(
                    "each 32-bit float has 4 bytes, but the body has {} bytes, which is not a multiple of 4",
                    self.received
                )));
            }
            State::Header { .. } => return Err(ApiError::internal()),
        };
        let (is_long, spec) = (windower.resamples(), self.spec);
        let padded = self.pipeline.decode(is_long, || windower.finish(spec)).await??;
        self.pipeline.drain(&mut windower).await?;
        self.pipeline.end(padded)?;
        self.pipeline.finish(Duration::ZERO).await
    }
}

/// The windower of a recording, in reserved memory. To plan the conversion of rates can take long.
async fn windower(
    pipeline: &mut Pipeline<'_>,
    spec: &SignalSpec,
    rates: Option<(f64, f64)>,
) -> Result<Windower, ApiError> {
    let overlap = pipeline.overlap();
    pipeline.memory().grow(Windower::bytes(spec, overlap, rates)?)?;
    pipeline.decode(rates.is_some(), || Windower::new(spec, overlap, rates)).await?
}

impl Wav {
    /// What was taken of the recording, once it is over.
    fn taken(&self, spec: &SignalSpec, options: &Options) -> Taken {
        let read = Taken {
            variable: None,
            channels: self.selected.iter().map(usize::to_string).collect(),
            sample_rate_hz: Some(self.reader.sample_rate_hz()),
            notices: self.notices.iter().cloned().chain(self.reader.notices()).collect(),
        };
        taken(spec, options, read)
    }

    /// Decodes up to a block of the bytes that have arrived; returns whether there were any
    /// samples.
    fn decode(&mut self, ended: bool) -> Result<bool, ApiError> {
        let frame_bytes = self.reader.frame_bytes();
        let available = self.reader.reader_mut().len() / frame_bytes;
        if self.is_over || (available == 0 && !ended) {
            return Ok(false);
        }
        let max_frames = BLOCK.min(BLOCK_BYTES / frame_bytes).max(1);
        let block = self
            .reader
            .next_block(available.clamp(1, max_frames))
            .map_err(|e| recording_error(&e))?;
        let Some(channels) = block else {
            self.is_over = true;
            return Ok(false);
        };
        if self.selected.iter().copied().eq(0..channels.nrows()) {
            self.windower.push(channels.view())?;
        } else {
            self.windower.push(channels.select(Axis(0), &self.selected).view())?;
        }
        Ok(true)
    }
}

/// Decodes the complete floats among the bytes and keeps the rest.
fn decode_floats(bytes: &mut Vec<u8>, windower: &mut Windower) -> Result<(), ApiError> {
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Array1<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    bytes.drain(..4 * numbers.len());
    windower.push(numbers.view().insert_axis(Axis(0)))
}
