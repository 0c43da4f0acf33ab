//! What a recording may hold.

use std::time::Instant;

use crate::RecordingError;

/// Most channels of a recording: far above every real one. Each channel needs memory of its own.
pub const MAX_CHANNELS: usize = 1024;
/// Most variables of a file: far above every real one. Looking at each costs time.
pub(crate) const MAX_VARIABLES: usize = 10_000;

/// Rejects more channels than [`MAX_CHANNELS`].
pub(crate) fn check_channels(channels: u64) -> Result<(), RecordingError> {
    if channels > MAX_CHANNELS as u64 {
        return Err(RecordingError::Unsupported(format!(
            "it has {channels} channels, above the limit of {MAX_CHANNELS}: are its axes swapped?"
        )));
    }
    Ok(())
}

/// Limits on the size of a recording, and on the time to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file, and of each compressed part of it once unpacked.
    pub max_bytes: u64,
    /// Samples of all channels together, including those that are not selected.
    pub max_samples: u64,
    /// When reading must end.
    pub deadline: Option<Instant>,
}

/// Rejects a recording if the deadline has passed.
pub(crate) fn check_time(deadline: Option<Instant>) -> Result<(), RecordingError> {
    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Err(RecordingError::TimeUp);
    }
    Ok(())
}

impl Limits {
    /// Limits on the bytes and the samples, without a deadline.
    pub const fn new(max_bytes: u64, max_samples: u64) -> Self {
        Self { max_bytes, max_samples, deadline: None }
    }

    /// The same limits, with a time when reading must end.
    #[must_use]
    pub const fn with_deadline(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Rejects a recording if the deadline has passed. Readers call it about every millisecond.
    pub(crate) fn check_time(&self) -> Result<(), RecordingError> {
        check_time(self.deadline)
    }

    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), RecordingError> {
        if bytes > self.max_bytes {
            return Err(RecordingError::TooLarge { bytes, limit: self.max_bytes });
        }
        Ok(())
    }

    /// The number of samples in an array of this shape, if it is within the limit.
    pub(crate) fn check_shape(
        &self,
        shape: impl IntoIterator<Item = u64>,
    ) -> Result<usize, RecordingError> {
        let samples = shape.into_iter().fold(1_u64, u64::saturating_mul);
        if samples > self.max_samples {
            return Err(RecordingError::TooManySamples { samples, limit: self.max_samples });
        }
        usize::try_from(samples)
            .map_err(|_| RecordingError::TooManySamples { samples, limit: usize::MAX as u64 })
    }
}
