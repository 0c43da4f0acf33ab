//! What audio files share: the encodings of a sample, and frames that follow one another.
//!
//! WAV, AIFF and FLAC are read by our own code. The crates that were looked at: hound reads WAV
//! alone, no 64-bit floats, and takes a length of zero, which programs leave that write to a pipe,
//! for a recording without samples. claxon reads FLAC of up to 24 bits, does not verify its MD5,
//! and has had no release since 2020. symphonia reads all three formats, but keeps pictures and
//! other metadata in memory, reserves what a header declares, leaves out a damaged frame without an
//! error, overflows in stereo of 32 bits, and is under the MPL.

mod encoding;
mod frames;

pub(crate) use encoding::Encoding;
pub(crate) use frames::{Frames, Layout, Length, truncated};

/// Most chunks, or blocks of metadata, of an audio file: far above every real one. Looking at each
/// costs time.
pub(crate) const MAX_CHUNKS: usize = 10_000;
