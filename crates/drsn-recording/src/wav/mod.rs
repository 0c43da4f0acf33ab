//! RIFF WAVE, read as a stream: PCM of 8 to 32 bits and IEEE floats of 32 and 64 bits, extensible
//! or not.
//!
//! The reader is our own: the crate hound reads 32-bit floats only, and takes a length of zero,
//! which programs leave that write to a pipe, for a recording without samples.

mod format;

use std::io::{self, Read, Take};

use ndarray::{Array2, ArrayView2, ShapeBuilder as _};

use self::format::Format;
use crate::{
    ChannelId, Limits, Recording, RecordingError, RecordingFormat, Selection,
    select::{check_finite, stack},
};

/// Bytes that are decoded at a time for a whole recording.
const BLOCK: usize = 1 << 16;
/// Lengths from here on may be placeholders of programs that cannot seek: `SoX` writes `7FFFF000`,
/// arecord `80000000`, `FFmpeg` `FFFFFFFF`. They may also be true, of more than six hours at 48
/// kHz: then no more samples follow.
const PLACEHOLDERS: u32 = 0x7fff_0000;

/// A WAV file that is read block by block, in the memory of one block.
#[derive(Debug)]
pub struct WavReader<R> {
    reader: Take<R>,
    limits: Limits,
    format: Format,
    /// Upper bound of the bytes of samples that still follow.
    left: u64,
    /// Samples of each channel, if the file declares them.
    frames: Option<u64>,
    read: u64,
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

impl<R: Read> WavReader<R> {
    /// Reads up to the first sample.
    ///
    /// # Errors
    /// [`RecordingError`] if it is not a WAV file, its encoding is not supported, or it declares
    /// more samples than the limits allow.
    pub fn new(reader: R, limits: &Limits) -> Result<Self, RecordingError> {
        // One more byte distinguishes the limit from the end of the file.
        let mut reader = reader.take(limits.max_bytes.saturating_add(1));
        let (format, Length { most: left, is_exact }) =
            read_header(&mut reader).map_err(|error| {
                if let RecordingError::Io(io) = &error
                    && io.kind() == io::ErrorKind::UnexpectedEof
                {
                    return malformed("it ends before its first sample: it was truncated");
                }
                error
            })?;
        let frames = is_exact.then_some(left / format.frame_bytes as u64);
        limits.check_shape([frames.unwrap_or(1), format.channels as u64])?;
        if is_exact {
            limits.check_bytes(left)?;
            if left % format.frame_bytes as u64 != 0 {
                return Err(malformed(format!(
                    "its {left} bytes of samples are not a multiple of its frames of {} bytes",
                    format.frame_bytes
                )));
            }
        }
        let (bytes, numbers) = (Vec::new(), Vec::new());
        Ok(Self { reader, limits: *limits, format, left, frames, read: 0, bytes, numbers })
    }

    /// Whether the start of a file is enough to open or reject it: [`WavReader::new`] does not
    /// reach its end.
    pub fn is_header_whole(start: &[u8]) -> bool {
        let read = read_header(&mut &*start);
        !matches!(read, Err(RecordingError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// The underlying reader, so that more bytes can be added to one that buffers them.
    ///
    /// Such a reader must contain all bytes that [`WavReader::next_block`] needs, or the end of the
    /// file.
    pub fn reader_mut(&mut self) -> &mut R {
        self.reader.get_mut()
    }

    /// Bytes of one sample of every channel.
    pub fn frame_bytes(&self) -> usize {
        self.format.frame_bytes
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.format.channels
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
        f64::from(self.format.sample_rate)
    }

    /// Samples of each channel that the file declares; `None` if it was written to a pipe, and
    /// extends to its end.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Reads the next samples, `[C, T]`, of which T is `frames` (at least one), or less at the end;
    /// `None` after it.
    ///
    /// Integers are scaled to [-1, 1). The reader must not be used after an error.
    ///
    /// # Errors
    /// [`RecordingError`] if the file ends before its declared length or cannot be read, exceeds
    /// the limits, or contains a sample that is not finite.
    pub fn next_block(&mut self, frames: usize) -> Result<Option<Array2<f32>>, RecordingError> {
        let channels = self.format.channels;
        let first = self.read as usize;
        let numbers = self.next_frames(frames)?;
        if numbers.is_empty() {
            return Ok(None);
        }
        let block = by_channel(numbers, channels)?.as_standard_layout().into_owned();
        for (channel, samples) in block.rows().into_iter().enumerate() {
            check_finite(channel, first, &samples)?;
        }
        Ok(Some(block))
    }

    /// The next frames, one after another; empty at the end.
    fn next_frames(&mut self, frames: usize) -> Result<&[f32], RecordingError> {
        self.limits.check_time()?;
        let frame = self.format.frame_bytes as u64;
        let wanted = (frames.max(1) as u64).saturating_mul(frame).min(self.left);
        self.bytes.clear();
        // Memory grows with the bytes read, so a false length costs nothing.
        self.reader.by_ref().take(wanted).read_to_end(&mut self.bytes)?;
        if self.reader.limit() == 0 {
            self.limits.check_bytes(self.limits.max_bytes.saturating_add(1))?;
        }
        let received = self.bytes.len() as u64;
        self.read += received / frame;
        self.left -= received;
        if let Some(frames) = self.frames
            && received < wanted
        {
            let read = self.read;
            return Err(malformed(format!(
                "it ends after {read} of the {frames} samples that it declares: it was truncated"
            )));
        }
        self.limits.check_shape([self.read, self.format.channels as u64])?;
        // A program that was stopped may leave the last frame incomplete.
        self.bytes.truncate((received - received % frame) as usize);
        self.numbers.clear();
        self.format.encoding.decode(&self.bytes, &mut self.numbers);
        Ok(&self.numbers)
    }
}

pub(super) fn read(
    reader: impl Read,
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let mut wav = WavReader::new(reader, limits)?;
    let (count, frames) = (wav.channels(), (BLOCK / wav.format.frame_bytes).max(1));
    let wanted = selection.channels(count, &[])?;
    let mut channels: Vec<Vec<f32>> = vec![Vec::new(); wanted.len()];
    loop {
        let numbers = wav.next_frames(frames)?;
        if numbers.is_empty() {
            break;
        }
        for (samples, &channel) in channels.iter_mut().zip(&wanted) {
            samples.extend(numbers.iter().skip(channel).step_by(count));
        }
    }
    if wav.read == 0 {
        return Err(RecordingError::Empty);
    }
    let samples = stack(channels);
    for (samples, &channel) in samples.rows().into_iter().zip(&wanted) {
        check_finite(channel, 0, &samples)?;
    }
    let names = vec![None; wanted.len()];
    let sample_rate_hz = Some(wav.sample_rate_hz());
    Ok(Recording::new(samples, names, sample_rate_hz))
}

/// Interleaved samples as `[C, T]`.
fn by_channel(numbers: &[f32], channels: usize) -> Result<ArrayView2<'_, f32>, RecordingError> {
    let shape = (channels, numbers.len() / channels.max(1)).f();
    ArrayView2::from_shape(shape, numbers).map_err(|_| malformed("its last frame is incomplete"))
}

/// The number of bytes of samples in a file.
struct Length {
    most: u64,
    /// Whether there are no fewer.
    is_exact: bool,
}

/// Reads the header of the file, and returns the declared length of the file.
fn read_riff(reader: &mut impl Read) -> Result<u64, RecordingError> {
    let [id, size, form] = [bytes(reader)?, bytes(reader)?, bytes(reader)?];
    match (&id, &form) {
        (b"RIFF", b"WAVE") => {}
        (b"RIFX" | b"RF64" | b"BW64", b"WAVE") => {
            return Err(RecordingError::Unsupported(format!(
                "it is a WAV file of the kind {}, which is not supported: save it as RIFF, below 4 GiB",
                String::from_utf8_lossy(&id)
            )));
        }
        _ => return Err(malformed("it does not start with RIFF and WAVE")),
    }
    Ok(u64::from(u32::from_le_bytes(size)) + 8)
}

/// Reads the chunks before the samples, and returns the number of bytes of samples after them.
fn read_header(reader: &mut impl Read) -> Result<(Format, Length), RecordingError> {
    let riff = read_riff(reader)?;
    let mut position = 12_u64;
    let mut format = None;
    loop {
        let [id, size] = [bytes(reader)?, bytes(reader)?];
        let size = u32::from_le_bytes(size);
        position += 8;
        match &id {
            b"data" => {
                let format = format.ok_or_else(|| {
                    malformed("its samples precede the chunk that describes them")
                })?;
                // A file whose declared length ends here was never finished.
                let is_open = size == 0 && riff <= position;
                let most = if is_open { u64::MAX } else { u64::from(size) };
                let is_exact = !is_open && size < PLACEHOLDERS;
                return Ok((format, Length { most, is_exact }));
            }
            b"fmt " => {
                let mut chunk = Vec::new();
                reader.by_ref().take(40).take(u64::from(size)).read_to_end(&mut chunk)?;
                format = Some(Format::parse(&chunk)?);
                skip(reader, padded(size) - chunk.len() as u64)?;
            }
            _ => skip(reader, padded(size))?,
        }
        position += padded(size);
    }
}

/// A chunk's length with its padding to an even number.
fn padded(size: u32) -> u64 {
    u64::from(size).next_multiple_of(2)
}

fn bytes(reader: &mut impl Read) -> Result<[u8; 4], RecordingError> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(reader: &mut impl Read, bytes: u64) -> Result<(), RecordingError> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if skipped < bytes {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(())
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Wav, reason)
}

#[cfg(test)]
mod tests;
