//! One request from its bytes to its answer, whatever protocol carried it.
//!
//! ```text
//! body ──► decode ──► classify ──► engine (queue, worker) ──► diagnostics ──► answer
//! tensor ─► tensors ───────────────────┘
//! ```
//!
//! * [`context`]: what every stage of a request needs.
//! * [`options`]: what the client wants.
//! * [`decode`]: bodies to checked and prepared inputs.
//! * [`classify`]: inputs to predictions.
//! * [`tensors`]: the Open Inference Protocol, apart from how its messages are written.
//! * [`diagnostics`]: a model's outputs to probabilities, and to what the thresholds did.

pub(crate) mod classify;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod diagnostics;
pub(crate) mod options;
pub(crate) mod tensors;

/// Bodies of more bytes than this, and images of any size, are decoded off the threads that serve connections.
pub(crate) const INLINE_BYTES: usize = 64 << 10;
