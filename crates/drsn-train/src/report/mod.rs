//! How well a model does: predictions, scores, plots and reports.
//!
//! ```text
//! bundle ─► predict ─► Scores ─► EvaluationReport ─► report.json, report.html, *.svg, *.png
//! data      [n, classes]         Comparison, Study
//! ```
//!
//! Everything after [`predict`] is a pure function of the predictions.

mod error;
mod predict;
mod predictions;
mod scores;

pub use error::ReportError;
pub use predict::predict;
pub use predictions::Predictions;
pub use scores::{ClassScores, ReliabilityBin, Scores, wilson};
