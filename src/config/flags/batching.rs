//! How inputs are put together.

use std::num::NonZeroUsize;

use clap::Args;

use crate::config::values::{MaxBatch, count, whole};

/// How inputs are put together.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Batching")]
pub struct BatchingFlags {
    /// Batches of each model computed at once; by default one per core on the CPU, one on a GPU
    ///
    /// Each worker has an ONNX Runtime session of its own.
    #[arg(
        long,
        env = "DRSN_WORKERS",
        value_name = "N",
        value_parser = count,
    )]
    pub workers: Option<NonZeroUsize>,

    /// Largest batch given to a model, up to 4096 inputs, or auto
    ///
    /// auto measures at start what an input costs in batches of different sizes, and picks the
    /// smallest size that costs hardly more than the best.
    #[arg(long, env = "DRSN_MAX_BATCH", value_name = "N|auto", default_value = "auto")]
    pub max_batch: MaxBatch,

    /// Time an incomplete batch waits for more inputs, in microseconds
    ///
    /// 0 is usually best: the inputs that arrive while all workers are busy form the next batch.
    #[arg(
        long,
        env = "DRSN_MAX_WAIT_US",
        value_name = "US",
        default_value = "0",
        value_parser = whole,
    )]
    pub max_wait_us: u64,
}
