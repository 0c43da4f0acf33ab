//! drsn-serve: the inference server for trained Deep Residual Shrinkage Networks.
//!
//! ```text
//! http / grpc ─► decode ─► queue ─► worker (ONNX Runtime session) ─► diagnostics ─► http / grpc
//!   request      Inputs              one task, one session           Prediction      answer
//! ```
//!
//! # Layout
//!
//! In the order of the flow; a module uses those below it, never those above it. A test holds this order.
//!
//! * [`commands`]: the command line, and the small commands for operators.
//! * [`server`]: binds, loads, serves and drains; reloads.
//! * `api`: HTTP and gRPC, each a translation of `inference`.
//! * `inference`: one request from its bytes to its answer, whatever protocol carried it.
//! * `app`: the state that all requests share, and the phases of the server.
//! * `repository`: the folder of models: loading, swapping, unloading.
//! * `engine`: a model at work: queue, workers, sessions.
//! * `observability`: metrics, logs, traces and statistics.
//! * `admission`: API keys and the memory budget.
//! * `schema`: JSON Schemas that the API's description shares.
//! * [`transport`]: sockets: connections, TLS, write timeouts; it knows nothing of drsn.
//! * `error`: every way to fail, with its codes.
//! * [`config`]: every flag, in one structure.

mod admission;
mod api;
mod app;
pub mod commands;
pub mod config;
mod engine;
mod error;
mod inference;
mod observability;
mod repository;
mod schema;
pub mod server;
pub mod transport;

#[doc(hidden)]
pub use api::grpc::proto;
pub use engine::allocator::return_freed_soon;
pub use observability::telemetry;
