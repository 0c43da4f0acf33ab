//! drsn-serve: the inference server for trained Deep Residual Shrinkage Networks.
//!
//! ```text
//! http / grpc ─► decode ─► batcher ─► worker (ONNX Runtime session) ─► diagnostics ─► http / grpc
//!   request      Inputs     queue      one task, one session           Prediction      answer
//! ```
//!
//! # Layout
//!
//! In the order of the flow:
//!
//! * [`config`]: every knob, in one structure.
//! * [`server`]: binds, loads, serves and drains.
//! * [`http`]: the HTTP face: routes, answers, errors.
//! * [`classify`]: one request from its bytes to its answer, whatever protocol it came by.
//! * [`grpc`]: the gRPC face: Open Inference Protocol, classifier, health, reflection.
//! * [`oip`]: the Open Inference Protocol, apart from how its messages are written.
//! * [`auth`]: keys of clients.
//! * [`tls`]: the certificate.
//! * [`admission`]: how many bytes may be in flight.
//! * [`decode`]: bodies to checked and prepared inputs.
//! * [`batcher`]: the queue in front of a model's workers; what waits becomes the next batch.
//! * [`worker`]: the tasks that own a session each and answer batches.
//! * [`memory`]: the allocator: models that are gone give back their memory.
//! * [`session`]: a model in ONNX Runtime: choice of the device, self-check, warm-up.
//! * [`tuning`]: the best batch, measured.
//! * [`model`]: a served model: its queue and its workers.
//! * [`repository`]: the folder of models: what is served of it, loading, swapping, unloading.
//! * [`diagnostics`]: a model's outputs to probabilities and to what the thresholds did.
//! * [`judgement`]: how unusual an input is, by its model's baseline.
//! * [`error`]: every way to fail, with its code.
//! * [`statistics`]: a model's counts and durations, as the Open Inference Protocol has them.
//! * `schema`: JSON Schemas of what other crates define, for the API's description.
//! * [`metrics`], [`telemetry`]: what an operator sees.

pub mod admission;
pub mod auth;
pub mod batcher;
pub mod classify;
pub mod config;
pub mod decode;
pub mod diagnostics;
pub mod error;
pub mod grpc;
pub mod http;
pub mod judgement;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod oip;
pub mod repository;
mod schema;
pub mod server;
pub mod session;
pub mod statistics;
pub mod telemetry;
pub mod tls;
pub mod tuning;
pub mod worker;
