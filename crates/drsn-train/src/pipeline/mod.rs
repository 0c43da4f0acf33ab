//! Whole operations in one call: train, export a checkpoint, evaluate bundles, compare units, check
//! statistics.

mod check_statistics;
mod compare;
mod compatibility;
mod data_options;
mod error;
mod evaluate;
mod finished;
mod imported;
mod preflight;
mod retake;
mod start;
mod train;

pub use check_statistics::{StatisticsCheckPlan, check_statistics};
pub use compare::{StudyPlan, Variation, compare};
pub use data_options::DataOptions;
pub use error::TrainError;
pub use evaluate::evaluate;
pub use finished::finished_bundle;
pub use retake::retake_baseline;
pub use train::{TrainingJob, export_checkpoint, summarize, train};
