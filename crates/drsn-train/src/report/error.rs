//! Why a report cannot be made.

use std::{io, path::PathBuf};

/// Why a report cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Labels and probabilities that do not belong together.
    #[error("the predictions cannot be scored: {reason}")]
    Predictions {
        /// What does not fit.
        reason: String,
    },
    /// Evaluations that cannot be set side by side.
    #[error("the evaluations cannot be compared: {reason}")]
    Comparison {
        /// What differs.
        reason: String,
    },
    /// A file or its folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A plot cannot be drawn.
    #[error("the plot {name} cannot be drawn: {reason}")]
    Plot {
        /// The file's name without its ending.
        name: String,
        /// What the drawing library said.
        reason: String,
    },
    /// The report cannot be written as JSON.
    #[error("the report cannot be written as JSON: {reason}")]
    Json {
        /// What is wrong.
        reason: String,
    },
}
