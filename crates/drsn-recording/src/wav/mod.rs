//! RIFF WAVE, read as a stream: PCM of 8 to 32 bits and IEEE floats of 32 and 64 bits, extensible or not.
//!
//! The reader is our own: the crate hound reads floats of 32 bits only, and takes a length of zero, as programs leave it
//! that write into a pipe, for a recording without samples.

mod format;

use std::io::{self, Read, Take};

use self::format::Format;
use super::{
    Channel, ChannelId, Limits, MOST_CHANNELS, Recording, RecordingError, RecordingFormat,
    Selection, select::check_finite,
};

/// Bytes that are decoded at a time for a whole recording.
const BLOCK: usize = 1 << 16;
/// Lengths from here on may be placeholders of programs that cannot seek: `SoX` writes `7FFFF000`, arecord `80000000`, `FFmpeg`
/// `FFFFFFFF`. They may be true as well, of more than six hours at 48 kHz: then no more samples follow.
const PLACEHOLDERS: u32 = 0x7fff_0000;

/// A WAV file that is read block by block, with the memory of one block.
#[derive(Debug)]
pub struct WavReader<R> {
    reader: Take<R>,
    limits: Limits,
    format: Format,
    /// Most bytes of samples that still follow.
    left: u64,
    /// Samples of each channel that the file is sure to have.
    frames: Option<u64>,
    read: u64,
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

impl<R: Read> WavReader<R> {
    /// Reads up to the first sample.
    ///
    /// # Errors
    /// [`RecordingError`] where it is no WAV file, its samples are of a kind that is not read, or it declares more of
    /// them than the limits allow.
    pub fn new(reader: R, limits: &Limits) -> Result<Self, RecordingError> {
        // One more, so that the limit and the file's end can be told apart.
        let mut reader = reader.take(limits.max_bytes.saturating_add(1));
        let (format, Length { most: left, is_sure }) =
            read_header(&mut reader).map_err(|error| {
                if let RecordingError::Io(io) = &error
                    && io.kind() == io::ErrorKind::UnexpectedEof
                {
                    return malformed("it ends before its first sample: it was cut short");
                }
                error
            })?;
        let frames = is_sure.then_some(left / format.frame_bytes as u64);
        limits.check_shape([frames.unwrap_or(1), format.channels as u64])?;
        if is_sure {
            limits.check_bytes(left)?;
            if left % format.frame_bytes as u64 != 0 {
                return Err(malformed(format!(
                    "its {left} bytes of samples are no whole number of frames of {} bytes",
                    format.frame_bytes
                )));
            }
        }
        let (bytes, numbers) = (Vec::new(), Vec::new());
        Ok(Self { reader, limits: *limits, format, left, frames, read: 0, bytes, numbers })
    }

    /// Whether the beginning of a file suffices to open it, or to refuse it: [`WavReader::new`] does not come to its end.
    pub fn is_header_whole(start: &[u8]) -> bool {
        let read = read_header(&mut &*start);
        !matches!(read, Err(RecordingError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// What it reads from, so that more can be given to a reader that keeps what came and was not read yet.
    ///
    /// Such a reader must hold all that [`WavReader::next_block`] is asked for, or the end of the file.
    pub fn reader_mut(&mut self) -> &mut R {
        self.reader.get_mut()
    }

    /// Bytes of one sample of every channel.
    pub fn frame_bytes(&self) -> usize {
        self.format.frame_bytes
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.format.channels
    }

    /// Positions of these channels in the file, whose channels have no names; all of them where none is named.
    ///
    /// # Errors
    /// [`RecordingError::NoChannel`].
    pub fn select(&self, channels: &[ChannelId]) -> Result<Vec<usize>, RecordingError> {
        let selection = Selection { channel: channels.to_vec(), variable: None };
        selection.channels(self.channels(), &[])
    }

    /// Samples of each channel in a second.
    pub fn sample_rate_hz(&self) -> f64 {
        f64::from(self.format.sample_rate)
    }

    /// Samples of each channel that the file declares; none where it was written into a pipe, and goes on to its end.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// The next samples of each channel: `frames` of them (at least one), fewer at the end, and none after it.
    ///
    /// Whole numbers are scaled to [-1, 1). After an error the reader is not used any more.
    ///
    /// # Errors
    /// [`RecordingError`] where the file ends before what it declares or cannot be read, exceeds the limits, or holds a
    /// sample that is not finite.
    pub fn next_block(&mut self, frames: usize) -> Result<Option<Vec<Vec<f32>>>, RecordingError> {
        let channels = self.format.channels;
        let first = self.read as usize;
        let numbers = self.next_frames(frames)?;
        if numbers.is_empty() {
            return Ok(None);
        }
        (0..channels)
            .map(|channel| {
                let samples: Vec<f32> =
                    numbers.iter().skip(channel).step_by(channels).copied().collect();
                check_finite(channel, first, &samples)?;
                Ok(samples)
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The next frames, one after another; empty at the end.
    fn next_frames(&mut self, frames: usize) -> Result<&[f32], RecordingError> {
        let frame = self.format.frame_bytes as u64;
        let wanted = (frames.max(1) as u64).saturating_mul(frame).min(self.left);
        self.bytes.clear();
        // Grows with what comes, so that a length that lies costs nothing.
        self.reader.by_ref().take(wanted).read_to_end(&mut self.bytes)?;
        if self.reader.limit() == 0 {
            self.limits.check_bytes(self.limits.max_bytes.saturating_add(1))?;
        }
        let came = self.bytes.len() as u64;
        self.read += came / frame;
        self.left -= came;
        if let Some(frames) = self.frames
            && came < wanted
        {
            let read = self.read;
            return Err(malformed(format!(
                "it ends after {read} of the {frames} samples that it declares: it was cut short"
            )));
        }
        self.limits.check_shape([self.read, self.format.channels as u64])?;
        // A program that was stopped can leave the last frame incomplete.
        self.bytes.truncate((came - came % frame) as usize);
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
    for (samples, &channel) in channels.iter().zip(&wanted) {
        check_finite(channel, 0, samples)?;
    }
    if wav.read == 0 {
        return Err(RecordingError::Empty);
    }
    let channels = channels.into_iter().map(|samples| Channel { name: None, samples }).collect();
    Ok(Recording { channels, sample_rate_hz: Some(wav.sample_rate_hz()) })
}

/// How many bytes of samples a file has.
struct Length {
    most: u64,
    /// Whether it has no fewer.
    is_sure: bool,
}

/// Reads the chunks before the samples, and says how many bytes of samples follow.
fn read_header(reader: &mut impl Read) -> Result<(Format, Length), RecordingError> {
    let [id, size, form] = [bytes(reader)?, bytes(reader)?, bytes(reader)?];
    match (&id, &form) {
        (b"RIFF", b"WAVE") => {}
        (b"RIFX" | b"RF64" | b"BW64", b"WAVE") => {
            return Err(RecordingError::Unsupported(format!(
                "it is a WAV file of the kind {}, which is not read: save it as RIFF, below 4 GiB",
                String::from_utf8_lossy(&id)
            )));
        }
        _ => return Err(malformed("it does not begin with RIFF and WAVE")),
    }
    let riff = u64::from(u32::from_le_bytes(size)) + 8;
    let mut position = 12_u64;
    let mut format = None;
    loop {
        let [id, size] = [bytes(reader)?, bytes(reader)?];
        let size = u32::from_le_bytes(size);
        position += 8;
        match &id {
            b"data" => {
                let format = format.ok_or_else(|| {
                    malformed("its samples come before the chunk that describes them")
                })?;
                // A file whose whole length does not reach beyond this was never finished.
                let is_open = size == 0 && riff <= position;
                let most = if is_open { u64::MAX } else { u64::from(size) };
                let is_sure = !is_open && size < PLACEHOLDERS;
                return Ok((format, Length { most, is_sure }));
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

/// A chunk's length with the byte that makes it even.
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
