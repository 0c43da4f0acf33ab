//! Which inputs are kept, and where.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use clap::Args;

use crate::config::values::{number, often, share};

/// Which inputs are kept, and where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Capture")]
pub struct CaptureFlags {
    /// Folder in which inputs that alarm or are uncertain are kept, with their answers; off by default
    ///
    /// The folder must exist. Everything that clients send may then be stored there, as it was before its
    /// normalisation.
    #[arg(id = "capture", long = "capture", env = "DRSN_CAPTURE", value_name = "DIR")]
    pub folder: Option<PathBuf>,

    /// Most bytes in that folder; the oldest inputs are deleted for new ones
    #[arg(
        long,
        env = "DRSN_CAPTURE_BYTES",
        value_name = "BYTES",
        default_value = "1073741824",
        value_parser = number,
    )]
    pub capture_bytes: NonZeroU64,

    /// An input is uncertain if its most probable class has less than this probability
    #[arg(
        long,
        env = "DRSN_CAPTURE_BELOW",
        value_name = "PROBABILITY",
        default_value = "0.5",
        value_parser = share,
    )]
    pub capture_below: f64,

    /// Share of all inputs that is kept at random, to compare and to train with; 0 keeps none
    #[arg(
        long,
        env = "DRSN_CAPTURE_SHARE",
        value_name = "SHARE",
        default_value = "0.001",
        value_parser = share,
    )]
    pub capture_share: f64,

    /// Most inputs of each model that are kept in a minute as alarms, as many again as uncertain ones, and
    /// as many of the share
    #[arg(
        long,
        env = "DRSN_CAPTURE_PER_MINUTE",
        value_name = "N",
        default_value = "60",
        value_parser = often,
    )]
    pub capture_per_minute: NonZeroU32,
}
