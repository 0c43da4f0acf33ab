//! The server as its clients meet it: over a socket, and as a process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/tiny.rs"]
mod tiny;

mod baseline;
mod batching;
mod commands;
mod drain;
mod harness;
mod hostile;
mod http;
mod keys;
mod limits;
mod memory;
mod mnist;
mod overload;
mod reload;
mod soak;
mod start;
mod tls;
