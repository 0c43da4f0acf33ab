//! Reports of evaluations, as text, HTML, JSON and plots.
//!
//! ```text
//! Scores ─► EvaluationReport ─► report.json, report.html, *.svg, *.png
//! Answers ─► predictions.csv
//!           Comparison, Study
//! ```

mod comparison;
mod curve;
mod error;
mod evaluation;
mod findings;
#[cfg(test)]
mod fixtures;
mod html;
mod noise_scores;
mod plot;
mod predictions;
mod study;
mod text;
mod write;

pub use comparison::Comparison;
pub use curve::{CurvePoint, NoiseCurve};
pub use error::ReportError;
pub use evaluation::{EvaluationReport, HeldOutShift, ModelFacts};
pub use noise_scores::{NoiseScores, Uncalibrated};
pub use predictions::{Evaluated, write_predictions};
pub use study::{HeldOutRow, Study, StudyRow};
pub use write::{Report, write};
