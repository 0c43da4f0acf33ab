//! Training: batches, the training loop, checkpoints and progress.

mod batch;
mod channel_moments;
mod checkpoint;
mod context;
mod disturbance;
mod error;
mod ghost_batches;
mod held_out;
mod history;
mod loss;
mod optimizer;
mod order;
mod parameters;
mod progress;
mod rate;
mod running_statistics;
mod schedule;
mod start;
mod trainer;
mod workers;

pub use batch::{Batch, Batches, Draw, batch_last, chw_shape};
pub(crate) use batch::{draws, prepare};
pub use checkpoint::{Checkpoint, CheckpointError, Position};
pub use context::TrainingContext;
pub(crate) use context::describe_data;
pub use disturbance::Disturbance;
pub use error::{InputError, TrainingError};
pub(crate) use held_out::{HeldOutResult, Measured};
pub(crate) use history::best_epoch;
pub use history::{EpochRecord, EpochSums};
pub(crate) use order::weighted;
pub use progress::{BatchReport, NoProgress, Progress, StepReport};
pub(crate) use rate::{StepMeter, WorkAfter};
pub(crate) use start::digest;
pub use trainer::Trainer;
pub use workers::Workers;
