//! The error of reports.

use std::{io, path::PathBuf};

/// A report that cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The evaluations are not comparable.
    #[error("cannot compare the evaluations: {reason}")]
    Comparison {
        /// What differs.
        reason: String,
    },
    /// A file or its folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A plot cannot be drawn.
    #[error("cannot draw the plot {name}: {reason}")]
    Plot {
        /// File name without extension.
        name: String,
        /// The error of the drawing library.
        reason: String,
    },
    /// The report cannot be written as JSON.
    #[error("cannot write the report as JSON: {reason}")]
    Json {
        /// The error of the serializer.
        reason: String,
    },
}
