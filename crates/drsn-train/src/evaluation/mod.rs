//! What an exported model does with labelled data, through ONNX Runtime as in the server.
//!
//! ```text
//! model ─► Answers: Predictions [n, classes], shifts, levels ─► Scores, AlarmRates
//!       ─► BlockActivity: thresholds and zeroed features by class
//! data  ─► Units: files, groups, recordings                  ─► intervals, RecordingScores
//! ```

mod accuracy;
mod alarms;
mod answers;
mod baseline;
mod blocks;
mod error;
mod interval;
mod outputs;
mod predict;
mod predictions;
mod recordings;
mod scores;
mod temperature;
mod units;

pub(crate) use accuracy::{EVALUATION_SEED, accuracy};
pub use alarms::{AlarmRates, Spread};
pub use answers::Answers;
pub(crate) use answers::answers;
pub use baseline::BaselineUnavailable;
pub(crate) use baseline::{BaselineOutcome, BaselineSample, measure_baseline};
pub use blocks::BlockActivity;
pub(crate) use blocks::block_activity;
pub use error::EvaluationError;
pub use interval::IndependentUnit;
#[cfg(test)]
pub(crate) use interval::wilson;
pub(crate) use outputs::Names;
pub use predict::predict;
pub use predictions::Predictions;
pub use recordings::{RecordingScores, RecordingVote};
pub use scores::{ClassScores, Independent, Majority, ReliabilityBin, Scores};
pub(crate) use temperature::calibrate;
pub use units::Units;
