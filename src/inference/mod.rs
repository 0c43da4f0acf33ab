//! One request from its bytes to its answer, independent of the protocol.
//!
//! ```text
//! body ────► classify ──► decode ──► engine (queue, worker) ──► diagnostics ──► answer
//! WAV, floats as they arrive ──► classify::Streaming ──┘
//! tensor ─► tensors ───────────────────┘
//! ```
//!
//! * [`context`]: what every stage of a request needs.
//! * [`options`]: what the client wants.
//! * [`origin`]: where an input is from, and what was taken of its file.
//! * [`decode`]: from bodies to checked and prepared inputs.
//! * [`classify`]: from inputs to predictions.
//! * [`tensors`]: the Open Inference Protocol, independent of its message formats.
//! * [`diagnostics`]: from a model's outputs to probabilities and the effect of the thresholds.
//! * [`rolling`]: what came for a model in the last hour and day.

pub(crate) mod classify;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod diagnostics;
pub(crate) mod options;
pub(crate) mod origin;
pub(crate) mod rolling;
pub(crate) mod tensors;

/// Bodies with more bytes than this, and all images, are decoded off the threads that serve
/// connections.
pub(crate) const INLINE_BYTES: usize = 64 << 10;
