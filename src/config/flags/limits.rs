//! What requests may cost.

use std::num::{NonZeroU64, NonZeroUsize};

use clap::Args;

use crate::config::values::{count, number};

/// What requests may cost.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// Requests that may wait for each model; further ones are refused with 429
    #[arg(
        long,
        env = "DRSN_QUEUE",
        value_name = "N",
        default_value = "512",
        value_parser = count,
    )]
    pub queue: NonZeroUsize,

    /// Memory for the bodies and decoded inputs of all requests together, in bytes
    ///
    /// Requests beyond this budget are refused with 429.
    #[arg(
        long,
        env = "DRSN_MAX_INFLIGHT_BYTES",
        value_name = "BYTES",
        default_value = "268435456",
        value_parser = number,
    )]
    pub max_inflight_bytes: NonZeroU64,

    /// Largest request body, in bytes; recordings have --max-recording-bytes
    #[arg(
        long,
        env = "DRSN_MAX_BODY_BYTES",
        value_name = "BYTES",
        default_value = "16777216",
        value_parser = count,
    )]
    pub max_body_bytes: NonZeroUsize,

    /// Largest recording, as a file or as raw numbers, in bytes
    ///
    /// WAV files and raw numbers of one channel are classified as they arrive and never held in
    /// memory whole.
    #[arg(
        long,
        env = "DRSN_MAX_RECORDING_BYTES",
        value_name = "BYTES",
        default_value = "268435456",
        value_parser = count,
    )]
    pub max_recording_bytes: NonZeroUsize,

    /// Largest number of pixels that an image file may declare
    #[arg(
        long,
        env = "DRSN_MAX_IMAGE_PIXELS",
        value_name = "PIXELS",
        default_value = "50000000",
        value_parser = number,
    )]
    pub max_image_pixels: NonZeroU64,

    /// Largest number of inputs in one request; each window of a recording counts as one
    #[arg(
        long,
        env = "DRSN_MAX_WINDOWS",
        value_name = "N",
        default_value = "20000",
        value_parser = count,
    )]
    pub max_windows: NonZeroUsize,
}
