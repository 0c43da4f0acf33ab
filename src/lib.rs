//! drsn-serve: the inference server for trained Deep Residual Shrinkage Networks.
//!
//! ```text
//! http / grpc ─► decode ─► queue ─► worker (ONNX Runtime session) ─► diagnostics ─► http / grpc
//!   request      Inputs              one task, one session           Prediction      answer
//! ```
//!
//! # Layout
//!
//! In the order of the flow: a module uses only those below it, which `cargo xtask layout` checks.
//!
//! * [`commands`]: the command line, and the subcommands for operators.
//! * [`server`]: binds, loads, serves, reloads and drains.
//! * `api`: HTTP and gRPC, which translate between messages and `inference`.
//! * `inference`: one request from bytes to answer, for all protocols.
//! * `app`: the state that all requests share, and the phases of the server.
//! * `repository`: the folder of models: loading, swapping, unloading.
//! * `engine`: runs a model: queue, workers, sessions.
//! * `observability`: metrics, logs, traces and statistics.
//! * `admission`: API keys and the memory budget.
//! * `schema`: JSON Schemas for the API's description.
//! * [`transport`]: connections, TLS, write timeouts; knows nothing of models and requests.
//! * `readers`: reading files that may hang, with a time limit.
//! * `error`: every kind of error, with its codes.
//! * [`config`]: the command-line flags.

mod admission;
mod api;
mod app;
pub mod commands;
pub mod config;
mod engine;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod inference;
mod observability;
mod readers;
mod repository;
mod schema;
pub mod server;
pub mod transport;

#[doc(hidden)]
pub use api::grpc::proto;
pub use engine::{allocator::return_freed_soon, process::end_without_destructors};
pub use observability::telemetry;
