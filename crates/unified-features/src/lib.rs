//! No code: this crate's manifest enables the features that the workspace's crates want of
//! dependencies they share.
//!
//! Cargo compiles a dependency once for each set of features. drsn-serve depends on this crate, so
//! that a build of the server and a build of the whole workspace want the same sets, and the second
//! reuses what the first compiled.
