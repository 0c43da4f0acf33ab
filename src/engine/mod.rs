//! A model at work: its queue, the workers that take batches from it, and their sessions in ONNX
//! Runtime.

pub(crate) mod allocator;
mod cap;
pub(crate) mod change;
pub(crate) mod class_map;
pub(crate) mod inputs;
pub(crate) mod magnitudes;
pub(crate) mod model;
mod pending;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod session;
mod tuning;
mod worker;
