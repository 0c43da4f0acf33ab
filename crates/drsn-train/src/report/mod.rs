//! How well a model does: predictions, scores, plots and reports.
//!
//! ```text
//! bundle ─► predict ─► Scores ─► EvaluationReport ─► report.json, report.html, *.svg, *.png
//! data      [n, classes]         Comparison, Study
//! ```
//!
//! Everything after [`predict`] is a pure function of the predictions.

mod comparison;
mod curve;
mod error;
mod evaluation;
mod html;
pub mod plot;
mod predict;
mod predictions;
#[cfg(test)]
mod samples;
mod scores;
mod study;
mod text;
mod watch;
mod write;

pub use comparison::Comparison;
pub use curve::{CurvePoint, NoiseCurve, noise_name};
pub use error::ReportError;
pub use evaluation::{EvaluationReport, ModelFacts, NoiseScores};
pub use predict::predict;
pub use predictions::Predictions;
pub use scores::{ClassScores, ReliabilityBin, Scores, wilson};
pub use study::{Study, StudyRow};
pub use text::Table;
pub use watch::Watched;
pub(crate) use watch::watch;
pub use write::{Report, write};
