//! The command line: arguments and progress.

pub(crate) mod arguments;
pub(crate) mod terminal;
