//! Training: batches, learning rate, the loop, checkpoints, and what is told meanwhile.

mod batch;
mod checkpoint;
mod pace;
mod progress;
mod schedule;
mod shift;
mod trainer;

pub use batch::{Batch, Batches, Disturbance, planes};
pub use checkpoint::{Checkpoint, CheckpointError, Position};
pub use progress::{BatchReport, Progress, Quiet};
pub use schedule::learning_rate;
pub use trainer::{Task, Trainer, count_right, read};
