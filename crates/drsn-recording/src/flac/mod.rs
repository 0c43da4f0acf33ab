//! FLAC, after RFC 9639: 4 to 32 bits, one to eight channels, any size of blocks.
//!
//! Every frame is verified by its checksums, and a whole file by the MD5 of its samples. A file that
//! was cut gives its whole frames, and says so. Pictures and other metadata are passed over.

mod bits;
mod checksum;
mod frame;
mod subframe;

use md5::{Digest as _, Md5};

use self::{bits::Bits, frame::Frame};
use crate::{
    Limits, Recording, RecordingError, RecordingFormat, Selection,
    audio::{MAX_CHUNKS, truncated},
    select::stack,
};

const MARK: &[u8] = b"fLaC";
/// The tags that other programs add after the last frame.
const TAGS: [&[u8]; 2] = [b"TAG", b"APETAGEX"];

/// Whether the bytes start like a FLAC file.
pub(crate) fn is_flac(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// What ends the decoding of a frame.
#[derive(Debug)]
enum Fault {
    /// The file ends in it.
    End,
    /// It is not as the format requires.
    Damaged(&'static str),
    Refused(RecordingError),
}

/// What a file says of all its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stream {
    channels: usize,
    /// Bits of a sample.
    depth: u32,
    /// Hertz; 0 if it is not stated.
    sample_rate: u32,
    /// Samples of each channel; 0 if it is not stated.
    total: u64,
    /// Of all samples; zeros if it is not stated.
    md5: [u8; 16],
}

pub(crate) fn read(
    bytes: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let (stream, frames) = metadata(bytes)?;
    let wanted = selection.channels(stream.channels, &[])?;
    check_declared(&stream, frames.len(), limits)?;
    let mut decoder = Decoder::new(stream, frames, wanted);
    while decoder.decode_next(limits)? {}
    decoder.finish()
}

/// A file whose frames are decoded one after another.
struct Decoder<'a> {
    stream: Stream,
    rest: &'a [u8],
    /// Samples of each channel so far.
    read: u64,
    /// Whether the file ended in a frame.
    is_torn: bool,
    frame: Frame,
    md5: Sum,
    wanted: Vec<usize>,
    /// The samples of the wanted channels.
    channels: Vec<Vec<f32>>,
}

impl<'a> Decoder<'a> {
    fn new(stream: Stream, rest: &'a [u8], wanted: Vec<usize>) -> Self {
        let channels = vec![Vec::new(); wanted.len()];
        let (frame, md5) = (Frame::default(), Sum::new(&stream));
        Self { stream, rest, read: 0, is_torn: false, frame, md5, wanted, channels }
    }

    /// Whether no frame follows.
    fn is_over(&self) -> bool {
        let total = self.stream.total;
        let is_tag = || total == 0 && TAGS.iter().any(|tag| self.rest.starts_with(tag));
        (total > 0 && self.read >= total) || self.rest.is_empty() || is_tag()
    }

    /// Decodes the next frame, if there is one.
    fn decode_next(&mut self, limits: &Limits) -> Result<bool, RecordingError> {
        if self.is_over() {
            return Ok(false);
        }
        let Self { stream, rest, read, .. } = *self;
        let mut bits = Bits::new(rest);
        match self.frame.decode(&mut bits, rest, &stream, read, limits) {
            Ok(()) => {}
            Err(Fault::End) => {
                self.is_torn = true;
                return Ok(false);
            }
            Err(Fault::Damaged(what)) => {
                return Err(malformed(format!("it is damaged after {read} samples: {what}")));
            }
            Err(Fault::Refused(error)) => return Err(error),
        }
        self.read += self.frame.len() as u64;
        self.md5.add(&self.frame);
        for (samples, &channel) in self.channels.iter_mut().zip(&self.wanted) {
            samples.extend(self.frame.samples(channel, stream.depth));
        }
        self.rest = rest.get(bits.position()..).unwrap_or_default();
        Ok(true)
    }

    fn finish(mut self) -> Result<Recording, RecordingError> {
        if self.read == 0 {
            return Err(RecordingError::Empty);
        }
        let Stream { total, sample_rate, .. } = self.stream;
        let declared = (total > 0).then_some(total);
        let notice = truncated(declared, self.read, self.is_torn);
        if notice.is_none() && !self.md5.agrees() {
            return Err(malformed(
                "it is damaged: the MD5 of its samples is another than it states",
            ));
        }
        let kept = declared.unwrap_or(self.read).min(self.read) as usize;
        for samples in &mut self.channels {
            samples.truncate(kept);
        }
        let names = vec![None; self.wanted.len()];
        let sample_rate = (sample_rate > 0).then_some(f64::from(sample_rate));
        let recording = Recording::new(stack(self.channels), names, sample_rate);
        Ok(Recording { notices: notice.into_iter().collect(), ..recording })
    }
}

/// Rejects more samples than the limit before they are decoded, if the file can have as many as it
/// declares. Real recordings have more than an eighth of a bit for each sample.
fn check_declared(stream: &Stream, bytes: usize, limits: &Limits) -> Result<(), RecordingError> {
    let shape = [stream.total, stream.channels as u64];
    let samples = shape.into_iter().fold(1, u64::saturating_mul);
    if samples / 64 > bytes as u64 {
        return Ok(());
    }
    limits.check_shape(shape).map(|_| ())
}

/// Reads the blocks of metadata, and returns the bytes of the frames after them.
fn metadata(bytes: &[u8]) -> Result<(Stream, &[u8]), RecordingError> {
    let cut = || malformed("it ends before its first sample: it was truncated");
    let mut rest =
        bytes.strip_prefix(MARK).ok_or_else(|| malformed("it does not start with fLaC"))?;
    let mut stream = None;
    for _ in 0..MAX_CHUNKS {
        let (&[head, a, b, c], content) = rest.split_first_chunk().ok_or_else(cut)?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (block, after) = content.split_at_checked(length).ok_or_else(cut)?;
        let known = match stream {
            Some(stream) => stream,
            // The last one has the highest bit.
            None if matches!(head, 0 | 0x80) => *stream.insert(stream_info(block)?),
            None => return Err(malformed("its first block does not describe its samples")),
        };
        if head & 0x80 != 0 {
            return Ok((known, after));
        }
        rest = after;
    }
    Err(malformed(format!("it has more than {MAX_CHUNKS} blocks before its samples")))
}

fn stream_info(block: &[u8]) -> Result<Stream, RecordingError> {
    let short = || malformed("the description of its samples is too short");
    // The smallest and largest sizes of blocks and frames, which need not be known.
    let fields = block.get(10..).ok_or_else(short)?;
    let (numbers, rest) = fields.split_first_chunk().ok_or_else(short)?;
    let (md5, _) = rest.split_first_chunk().ok_or_else(short)?;
    let numbers = u64::from_be_bytes(*numbers);
    let depth = (numbers >> 36 & 31) as u32 + 1;
    if depth < 4 {
        return Err(malformed(format!("its samples have {depth} bits, and at least 4 are needed")));
    }
    Ok(Stream {
        channels: (numbers >> 41 & 7) as usize + 1,
        depth,
        sample_rate: (numbers >> 44) as u32,
        total: numbers & 0xf_ffff_ffff,
        md5: *md5,
    })
}

/// The checksum of all samples: of their frames, in whole bytes, the least significant first.
struct Sum {
    stated: [u8; 16],
    md5: Md5,
    /// Bytes of a sample.
    bytes: usize,
}

impl Sum {
    fn new(stream: &Stream) -> Self {
        Self { stated: stream.md5, md5: Md5::new(), bytes: stream.depth.div_ceil(8) as usize }
    }

    fn is_stated(&self) -> bool {
        self.stated != [0; 16]
    }

    fn add(&mut self, frame: &Frame) {
        const PIECE: usize = 4096;
        if !self.is_stated() {
            return;
        }
        let mut piece = Vec::with_capacity(PIECE);
        for index in 0..frame.len() {
            for channel in frame.channels() {
                let sample = channel.get(index).copied().unwrap_or_default().to_le_bytes();
                piece.extend_from_slice(sample.get(..self.bytes).unwrap_or_default());
            }
            if piece.len() + 64 > PIECE {
                self.md5.update(&piece);
                piece.clear();
            }
        }
        self.md5.update(&piece);
    }

    fn agrees(self) -> bool {
        !self.is_stated() || checksum::agree(<[u8; 16]>::from(self.md5.finalize()), self.stated)
    }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Flac, reason)
}

#[cfg(test)]
mod tests;
