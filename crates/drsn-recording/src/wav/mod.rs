//! WAV, read as a stream: PCM of 8 to 32 bits, IEEE floats of 32 and 64 bits, A-law and µ-law,
//! extensible or not, in files of each kind that [`header`] knows.
//!
//! A file that declares more samples than it has gives those that it has, and says so: loggers that
//! are switched off leave such files.

mod format;
mod header;

use std::io::{self, Read};

use ndarray::{Array2, ArrayView2, ShapeBuilder as _};

pub(crate) use self::header::is_wav;
use crate::{
    ChannelId, Limits, Notice, Recording, RecordingError, RecordingFormat, Selection,
    audio::Frames, select::check_finite,
};

/// A WAV file that is read block by block, in the memory of one block.
#[derive(Debug)]
pub struct WavReader<R> {
    frames: Frames<R>,
}

impl<R: Read> WavReader<R> {
    /// Reads up to the first sample.
    ///
    /// # Errors
    /// [`RecordingError`] if it is not a WAV file, its encoding is not supported, or it declares
    /// more samples than the limits allow.
    pub fn new(reader: R, limits: &Limits) -> Result<Self, RecordingError> {
        Self::open(reader, None, limits)
    }

    /// The same for a file of this length, whose samples are not more, whatever it declares.
    fn open(reader: R, length: Option<u64>, limits: &Limits) -> Result<Self, RecordingError> {
        // One more byte distinguishes the limit from the end of the file.
        let most = limits.max_bytes.saturating_add(1);
        let mut reader = reader.take(most);
        let (layout, samples) = header::read(&mut reader).map_err(|error| {
            if is_cut(&error) {
                return malformed("it ends before its first sample: it was truncated");
            }
            error
        })?;
        let available = length.map(|length| length.saturating_sub(most - reader.limit()));
        Ok(Self { frames: Frames::new(reader, layout, samples, available, limits)? })
    }

    /// Whether the start of a file is enough to open or reject it: [`WavReader::new`] does not
    /// reach its end.
    pub fn is_header_whole(start: &[u8]) -> bool {
        !header::read(&mut &*start).is_err_and(|error| is_cut(&error))
    }

    /// The underlying reader, so that more bytes can be added to one that buffers them.
    ///
    /// Such a reader must contain all bytes that [`WavReader::next_block`] needs, or the end of the
    /// file.
    pub fn reader_mut(&mut self) -> &mut R {
        self.frames.reader_mut()
    }

    /// Bytes of one sample of every channel.
    pub fn frame_bytes(&self) -> usize {
        self.frames.layout().frame_bytes()
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.frames.layout().channels
    }

    /// Positions of these channels in the file, whose channels have no names; all of them for an
    /// empty list.
    ///
    /// # Errors
    /// [`RecordingError::NoChannel`].
    pub fn select(&self, channels: &[ChannelId]) -> Result<Vec<usize>, RecordingError> {
        let selection = Selection { channel: channels.to_vec(), ..Selection::default() };
        selection.channels(self.channels(), &[])
    }

    /// Samples of each channel per second.
    pub fn sample_rate_hz(&self) -> f64 {
        self.frames.layout().sample_rate
    }

    /// Samples of each channel that the file declares, of which some may be missing; `None` if it
    /// was written to a pipe, and extends to its end.
    pub fn frames(&self) -> Option<u64> {
        self.frames.declared()
    }

    /// Reads the next samples, `[C, T]`, of which T is `frames` (at least one), or less at the end;
    /// `None` after it. The end is that of the samples or of the file, whichever comes first.
    ///
    /// Integers are scaled to [-1, 1). The reader must not be used after an error.
    ///
    /// # Errors
    /// [`RecordingError`] if the file cannot be read, exceeds the limits, or contains a sample that
    /// is not finite.
    pub fn next_block(&mut self, frames: usize) -> Result<Option<Array2<f32>>, RecordingError> {
        let channels = self.channels();
        let first = self.frames.read() as usize;
        let numbers = self.frames.next(frames)?;
        if numbers.is_empty() {
            return Ok(None);
        }
        let block = by_channel(numbers, channels)?.as_standard_layout().into_owned();
        for (channel, samples) in block.rows().into_iter().enumerate() {
            check_finite(channel, first, &samples)?;
        }
        Ok(Some(block))
    }

    /// What was repaired, after the end: whether the file has fewer samples than it declares, or an
    /// incomplete last one. Nothing before.
    pub fn notices(&self) -> Vec<Notice> {
        self.frames.notices()
    }
}

/// Reads a file; `length` is that of the file, if known.
pub(super) fn read(
    reader: impl Read,
    length: Option<u64>,
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    WavReader::open(reader, length, limits)?.frames.into_recording(selection)
}

/// Interleaved samples as `[C, T]`.
fn by_channel(numbers: &[f32], channels: usize) -> Result<ArrayView2<'_, f32>, RecordingError> {
    let shape = (channels, numbers.len() / channels.max(1)).f();
    ArrayView2::from_shape(shape, numbers).map_err(|_| malformed("its last frame is incomplete"))
}

fn is_cut(error: &RecordingError) -> bool {
    matches!(error, RecordingError::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof)
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Wav, reason)
}

#[cfg(test)]
mod tests;
