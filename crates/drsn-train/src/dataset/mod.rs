//! Data sets: labelled inputs before preparation, and how they are split.

pub(crate) mod augmentation;
pub(crate) mod cifar10;
mod constant_windows;
mod copies;
mod cut;
mod digest;
mod error;
mod file_set;
mod files;
mod idx;
mod images;
mod note;
mod open;
mod packed;
mod partition;
mod public_sets;
mod relabelled;
mod samples;
mod signals;
mod source;
mod subset;
mod summary;
mod text;
mod windows;

pub use error::DatasetError;
#[cfg(fuzzing)]
pub(crate) use files::assert_index;
pub(crate) use idx::CLASSES_FILE;
pub use idx::IDX_FILES;
pub use note::Note;
pub(crate) use open::Declared;
pub(crate) use partition::describe as describe_split;
pub(crate) use source::class_weights;
pub use source::{Data, DatasetSource, Origin, Part};
pub use summary::DataSummary;
