//! What an exported model does with labelled data, through ONNX Runtime as in the server.
//!
//! ```text
//! model ─► predict ─► Predictions [n, classes] ─► Scores
//! data  ─► ModelOutput of each input ─► Baseline, AlarmRates
//! ```

mod accuracy;
mod alarms;
mod baseline;
mod error;
mod outputs;
mod predict;
mod predictions;
mod scores;

pub(crate) use accuracy::{EVALUATION_SEED, accuracy};
pub use alarms::AlarmRates;
pub(crate) use alarms::alarm_rates;
pub use baseline::BaselineUnavailable;
pub(crate) use baseline::{BaselineOutcome, BaselineSample, measure_baseline};
pub use error::EvaluationError;
pub use predict::predict;
pub use predictions::Predictions;
#[cfg(test)]
pub(crate) use scores::wilson;
pub use scores::{ClassScores, ReliabilityBin, Scores};
