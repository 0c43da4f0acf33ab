//! One recording while it comes: WAV files, and raw numbers of one channel. Its memory does not grow with its length, but
//! for the timeline of its windows.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use drsn_bundle::{InputSpec, SignalSpec};
use drsn_recording::{Limits, WavReader};
use ndarray::{Array1, Axis};

use super::{Outcome, Plan, find, pipeline::Pipeline};
use crate::{
    engine::model::Model,
    error::{ApiError, ErrorKind},
    inference::{
        context::RequestContext,
        decode::{
            BLOCK, Windower, expect_kind,
            recording::{check_channels, check_variable, rates, refused},
        },
        options::Options,
    },
};

/// Bytes that are decoded at a time.
const BLOCK_BYTES: usize = BLOCK * size_of::<f32>();
/// Most bytes before the first sample of a WAV file.
const MOST_HEADER: usize = 1 << 20;

/// How a streamed recording is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// A WAV file.
    Wav,
    /// Little-endian 32-bit floats of one channel.
    Floats,
}

/// A recording that is classified while it comes.
///
/// [`Streaming::open`] takes its place in the model's queue; [`Streaming::push`] gets its bytes, in pieces of any size,
/// and waits where the model is behind; [`Streaming::finish`] gives the outcome.
#[derive(Debug)]
pub(crate) struct Streaming<'a> {
    pipeline: Pipeline<'a>,
    spec: &'a SignalSpec,
    options: &'a Options,
    overlap: f64,
    most_bytes: u64,
    came: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What came of the header of a WAV file, and the length at which it is looked at again.
    Header {
        bytes: Vec<u8>,
        look_at: usize,
    },
    Wav(Box<Wav>),
    Floats {
        bytes: Vec<u8>,
        windower: Windower,
    },
}

#[derive(Debug)]
struct Wav {
    reader: WavReader<Feed>,
    /// The selected channels, in the model's order.
    selected: Vec<usize>,
    windower: Windower,
    /// Whether the last sample has come; what follows is not looked at.
    is_over: bool,
}

/// Bytes that came and were not read yet.
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
    /// Whether raw numbers for the model that the options name can be streamed: those of one channel can.
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

    /// Takes a place in the model's queue, before any sample has come.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::BytesFull`], and [`ErrorKind::InvalidArgument`] where the model takes no
    /// signals or an option does not fit.
    pub(crate) fn open(
        context: &'a mut RequestContext<'_>,
        model: &'a Arc<Model>,
        options: &'a Options,
        kind: StreamKind,
    ) -> Result<Self, ApiError> {
        let InputSpec::Signal(spec) = &model.manifest().input else {
            let refusal = expect_kind(&model.manifest().input, "signal").err();
            return Err(refusal.unwrap_or_else(ApiError::internal));
        };
        check_variable(None, options)?;
        let plan = Plan::new(context, options);
        let most_bytes = context.app.config.max_recording_bytes.get() as u64;
        let overlap = plan.overlap;
        let mut pipeline = Pipeline::open(context, model, plan)?;
        pipeline.begin(None)?;
        // A block twice as bytes, as numbers, which can be four times as long, and channel by channel.
        pipeline.memory().grow(10 * BLOCK_BYTES as u64)?;
        let state = match kind {
            StreamKind::Wav => State::Header { bytes: Vec::new(), look_at: 0 },
            StreamKind::Floats => {
                let rates = rates(spec, None, options)?;
                pipeline.memory().grow(Windower::bytes(spec, overlap, rates)?)?;
                State::Floats { bytes: Vec::new(), windower: Windower::new(spec, overlap, rates)? }
            }
        };
        Ok(Self { pipeline, spec, options, overlap, most_bytes, came: 0, state })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`ApiError`] with what was expected and what came; the recording is given up then.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.came += bytes.len() as u64;
        if self.came > self.most_bytes {
            return Err(ErrorKind::TooLarge.because(format!(
                "the recording is larger than the {} bytes allowed; send it in parts",
                self.most_bytes
            )));
        }
        for block in bytes.chunks(BLOCK_BYTES) {
            self.push_block(block).await?;
        }
        Ok(())
    }

    async fn push_block(&mut self, block: &[u8]) -> Result<(), ApiError> {
        if let State::Header { bytes, look_at } = &mut self.state {
            self.pipeline.memory().grow(2 * block.len() as u64)?;
            bytes.extend_from_slice(block);
            if bytes.len() < *look_at {
                return Ok(());
            }
            if !WavReader::<&[u8]>::is_header_whole(bytes) {
                if bytes.len() > MOST_HEADER {
                    return Err(ApiError::invalid(format!(
                        "the WAV file has more than {MOST_HEADER} bytes before its first sample; save it without other data, such as metadata"
                    )));
                }
                // Looked at each time, a header that comes byte by byte would cost its length squared.
                *look_at = 2 * bytes.len();
                return Ok(());
            }
            let header = std::mem::take(bytes);
            self.state = State::Wav(Box::new(self.open_wav(header)?));
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

    /// Opens a WAV file whose header is there.
    fn open_wav(&mut self, header: Vec<u8>) -> Result<Wav, ApiError> {
        let limits = Limits { max_bytes: self.most_bytes, max_samples: u64::MAX };
        let feed = Feed { bytes: header, read: 0 };
        let reader = WavReader::new(feed, &limits).map_err(|e| refused(&e))?;
        let wanted = self.options.channel.as_deref().unwrap_or_default();
        let selected = reader.select(wanted).map_err(|e| refused(&e))?;
        check_channels(self.spec, selected.len())?;
        let rates = rates(self.spec, Some(reader.sample_rate_hz()), self.options)?;
        self.pipeline.memory().grow(Windower::bytes(self.spec, self.overlap, rates)?)?;
        let windower = Windower::new(self.spec, self.overlap, rates)?;
        if let Some(frames) = reader.frames() {
            self.pipeline.check_windows(windower.count_of_windows(frames))?;
        }
        Ok(Wav { reader, selected, windower, is_over: false })
    }

    /// Decodes what is there, and sends on its windows.
    async fn decode(&mut self, ended: bool) -> Result<(), ApiError> {
        let pipeline = &mut self.pipeline;
        match &mut self.state {
            // A block at a time: a header can have come with many samples behind it.
            State::Wav(wav) => {
                while pipeline.decoding().time(|| wav.decode(ended))? {
                    pipeline.drain(&mut wav.windower).await?;
                }
            }
            State::Floats { bytes, windower } => {
                pipeline.decoding().time(|| decode_floats(bytes, windower))?;
                pipeline.drain(windower).await?;
            }
            State::Header { .. } => {}
        }
        Ok(())
    }

    /// Takes what came for the whole.
    ///
    /// # Errors
    /// [`ApiError`] where it is cut short, or shorter than a window.
    pub(crate) async fn finish(mut self) -> Result<Outcome, ApiError> {
        if let State::Header { bytes, .. } = &mut self.state {
            // Whole after all, or refused.
            let header = std::mem::take(bytes);
            self.state = State::Wav(Box::new(self.open_wav(header)?));
        }
        self.decode(true).await?;
        let mut windower = match self.state {
            State::Wav(wav) => wav.windower,
            State::Floats { bytes, windower } if bytes.is_empty() => windower,
            State::Floats { .. } => {
                return Err(ApiError::invalid(format!(
                    "each 32-bit float has 4 bytes, but the body has {} bytes, which is not a multiple of 4",
                    self.came
                )));
            }
            State::Header { .. } => return Err(ApiError::internal()),
        };
        self.pipeline.decoding().time(|| windower.finish())?;
        self.pipeline.drain(&mut windower).await?;
        self.pipeline.finish(Duration::ZERO).await
    }
}

impl Wav {
    /// Decodes up to a block of what is there; whether there was anything.
    fn decode(&mut self, ended: bool) -> Result<bool, ApiError> {
        let frame_bytes = self.reader.frame_bytes();
        let there = self.reader.reader_mut().len() / frame_bytes;
        if self.is_over || (there == 0 && !ended) {
            return Ok(false);
        }
        let most = BLOCK.min(BLOCK_BYTES / frame_bytes).max(1);
        let block = self.reader.next_block(there.clamp(1, most)).map_err(|e| refused(&e))?;
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

/// Decodes the whole numbers among the bytes, and leaves the rest.
fn decode_floats(bytes: &mut Vec<u8>, windower: &mut Windower) -> Result<(), ApiError> {
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Array1<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    bytes.drain(..4 * numbers.len());
    windower.push(numbers.view().insert_axis(Axis(0)))
}
