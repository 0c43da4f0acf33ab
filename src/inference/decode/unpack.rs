//! Compressed bytes to plain ones, in reserved memory and within limits of size and time.

use std::{io::Read, time::Instant};

use drsn_recording::{Paced, is_time_up};
use flate2::bufread::MultiGzDecoder;

use super::Decoder;
use crate::{
    admission::{Reservation, ReservedBuffer},
    error::{ApiError, ErrorKind},
};

/// Bytes that are decompressed at a time; the limits are checked after each piece.
const PIECE: usize = 16 << 10;

/// What unpacking may need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnpackLimits {
    /// Most bytes that may come out.
    pub(crate) bytes: usize,
    pub(crate) deadline: Instant,
}

/// Unpacks bytes to their end by the decoder that `open` makes, reserving memory piece by piece.
/// `broken` is the error message if they cannot be decoded.
///
/// The deadline is looked at for what goes in as well: a decoder can read long before anything comes
/// out.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond the limit, [`ErrorKind::InvalidArgument`] with `broken`,
/// [`ErrorKind::DeadlineExceeded`], and those of [`Reservation::grow`].
pub(crate) fn unpack<'a, D: Read>(
    packed: &'a [u8],
    open: impl FnOnce(Paced<'a>) -> D,
    limits: UnpackLimits,
    memory: &mut Reservation,
    broken: &str,
) -> Result<Vec<u8>, ApiError> {
    let mut decoder = open(Paced::new(packed, Some(limits.deadline)));
    let mut plain = ReservedBuffer::default();
    let mut piece = vec![0; PIECE];
    loop {
        if Instant::now() >= limits.deadline {
            return Err(time_up());
        }
        let length = decoder.read(&mut piece).map_err(|error| {
            if is_time_up(&error) { time_up() } else { ApiError::invalid(broken.to_owned()) }
        })?;
        if length == 0 {
            return plain.finish(memory);
        }
        if plain.len() + length > limits.bytes {
            return Err(ErrorKind::TooLarge.because(format!(
                "the decompressed body is larger than the limit of {} bytes; send fewer inputs at \
                 once",
                limits.bytes
            )));
        }
        plain.push(&piece[..length], Some(limits.bytes as u64), memory)?;
    }
}

fn time_up() -> ApiError {
    ErrorKind::DeadlineExceeded
        .because("the request's time was up before its body was decompressed")
}

impl Decoder<'_> {
    /// What is in a file that was packed with gzip, at most as much as a recording may have.
    ///
    /// # Errors
    /// Those of [`unpack`].
    pub(crate) fn unpacked(&mut self, file: &[u8]) -> Result<Vec<u8>, ApiError> {
        let bytes = usize::try_from(self.max_recording_bytes).unwrap_or(usize::MAX);
        let limits = UnpackLimits { bytes, deadline: self.deadline };
        let broken = "the file is packed with gzip, and cannot be unpacked: it is damaged or cut \
                      short";
        unpack(file, MultiGzDecoder::new, limits, self.memory, broken)
    }
}
