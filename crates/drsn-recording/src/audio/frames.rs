//! Frames of interleaved samples, read block by block from any reader.

use std::io::{Read, Take};

use super::Encoding;
use crate::{
    Limits, Notice, NoticeCode, Recording, RecordingError, Selection,
    number::ByteOrder,
    select::{check_finite, stack},
};

/// Bytes that are decoded at a time for a whole recording: they and their samples stay in the cache.
const BLOCK: usize = 1 << 14;

/// How the samples of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    /// At least 1.
    pub(crate) channels: usize,
    /// Hertz, above zero.
    pub(crate) sample_rate: f64,
    pub(crate) encoding: Encoding,
    pub(crate) order: ByteOrder,
}

impl Layout {
    /// Bytes of one sample of every channel, at least 1.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.channels * self.encoding.bytes()
    }
}

/// The bytes of samples in a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// Upper bound of those that are read.
    pub(crate) most: u64,
    /// How many the file declares, if it says so in earnest.
    pub(crate) declared: Option<u64>,
}

/// Frames that are read block by block, in the memory of one block.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    reader: Take<R>,
    limits: Limits,
    layout: Layout,
    /// Upper bound of the bytes of samples that still follow.
    left: u64,
    /// Samples of each channel, if the file declares them.
    declared: Option<u64>,
    read: u64,
    /// Whether the last frame was incomplete.
    is_torn: bool,
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

impl<R: Read> Frames<R> {
    /// Frames from here on; `available` is the number of bytes that follow in the file, if known.
    ///
    /// # Errors
    /// [`RecordingError`] if more samples are declared than the limits allow. Of those that are
    /// declared, only those are counted that can be there.
    pub(crate) fn new(
        reader: Take<R>,
        layout: Layout,
        Length { most, declared }: Length,
        available: Option<u64>,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let frame = layout.frame_bytes() as u64;
        let possible = declared.map(|bytes| bytes.min(available.unwrap_or(u64::MAX)));
        limits.check_shape([possible.map_or(1, |bytes| bytes / frame), layout.channels as u64])?;
        limits.check_bytes(possible.unwrap_or(0))?;
        let declared = declared.map(|bytes| bytes / frame);
        let (bytes, numbers) = (Vec::new(), Vec::new());
        let (limits, left) = (*limits, most);
        Ok(Self { reader, limits, layout, left, declared, read: 0, is_torn: false, bytes, numbers })
    }

    pub(crate) fn reader_mut(&mut self) -> &mut R {
        self.reader.get_mut()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Samples of each channel that the file declares.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Samples of each channel that were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// The next frames, one after another, at most `frames` (at least one); empty at the end.
    ///
    /// # Errors
    /// [`RecordingError`] if the file cannot be read or exceeds the limits.
    pub(crate) fn next(&mut self, frames: usize) -> Result<&[f32], RecordingError> {
        self.limits.check_time()?;
        let frame = self.layout.frame_bytes() as u64;
        let wanted = (frames.max(1) as u64).saturating_mul(frame).min(self.left);
        self.bytes.clear();
        // Memory grows with the bytes read, so a false length costs nothing.
        self.reader.by_ref().take(wanted).read_to_end(&mut self.bytes)?;
        if self.reader.limit() == 0 {
            self.limits.check_bytes(self.limits.max_bytes.saturating_add(1))?;
        }
        let received = self.bytes.len() as u64;
        self.read += received / frame;
        self.left = if received < wanted { 0 } else { self.left - received };
        self.limits.check_shape([self.read, self.layout.channels as u64])?;
        self.is_torn |= !received.is_multiple_of(frame);
        self.bytes.truncate((received - received % frame) as usize);
        self.numbers.clear();
        self.layout.encoding.decode(self.layout.order, &self.bytes, &mut self.numbers);
        Ok(&self.numbers)
    }

    /// After the end: whether the file ended too early.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        if self.left > 0 {
            return Vec::new();
        }
        truncated(self.declared, self.read, self.is_torn).into_iter().collect()
    }

    /// Reads all frames.
    ///
    /// # Errors
    /// [`RecordingError`] as of [`Frames::next`], and if there are none, a selected channel does
    /// not exist, or a sample is not finite.
    pub(crate) fn into_recording(
        mut self,
        selection: &Selection,
    ) -> Result<Recording, RecordingError> {
        let count = self.layout.channels;
        let frames = (BLOCK / self.layout.frame_bytes()).max(1);
        let wanted = selection.channels(count, &[])?;
        let mut channels: Vec<Vec<f32>> = vec![Vec::new(); wanted.len()];
        loop {
            let numbers = self.next(frames)?;
            if numbers.is_empty() {
                break;
            }
            for (samples, &channel) in channels.iter_mut().zip(&wanted) {
                if count == 1 {
                    samples.extend_from_slice(numbers);
                } else {
                    samples.extend(numbers.iter().skip(channel).step_by(count));
                }
            }
        }
        if self.read == 0 {
            return Err(RecordingError::Empty);
        }
        let samples = stack(channels);
        for (samples, &channel) in samples.rows().into_iter().zip(&wanted) {
            check_finite(channel, 0, &samples)?;
        }
        let names = vec![None; wanted.len()];
        let recording = Recording::new(samples, names, Some(self.layout.sample_rate));
        Ok(Recording { notices: self.notices(), ..recording })
    }
}

/// What to say of a file with fewer samples of each channel than it declares, or an incomplete last
/// one.
pub(crate) fn truncated(declared: Option<u64>, read: u64, is_torn: bool) -> Option<Notice> {
    let message = match declared {
        Some(declared) if declared > read => format!(
            "the file declares {} samples a channel and has {}: those were read",
            grouped(declared),
            grouped(read)
        ),
        _ if is_torn => format!(
            "the file ends in the middle of a sample: the {} whole samples a channel before it \
             were read",
            grouped(read)
        ),
        _ => return None,
    };
    Some(NoticeCode::Truncated.because(message))
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_comma_between_thousands() {
        let all = [0, 999, 1000, 2056, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "2,056", "1,234,567"]);
    }
}
