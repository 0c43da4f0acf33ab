//! Baselines on data whose distribution is known, and in a manifest.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod causes;
mod level;
mod manifest;
mod shift;
mod source;
#[path = "../../../../tests/support/tiny.rs"]
#[expect(dead_code, reason = "other tests run the network, this one only needs its manifest")]
mod tiny;
