//! Training: batches, learning rate, the loop, checkpoints, and what is told meanwhile.

mod batch;
mod checkpoint;
pub(crate) mod held_out;
mod history;
mod optimizer;
mod pace;
mod parameters;
mod progress;
mod running;
mod schedule;
mod shard;
mod task;
mod trainer;
mod workers;

pub use batch::{Batch, Batches, Disturbance, batch_last, planes};
pub use checkpoint::{Checkpoint, CheckpointError, Position};
pub use history::{EpochRecord, EpochSums, best_epoch};
pub use progress::{BatchReport, Progress, Quiet};
pub use task::Task;
pub(crate) use task::in_words;
pub use trainer::{Trainer, count_right, read};
pub use workers::Workers;
