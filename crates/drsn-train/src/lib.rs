//! The offline half of drsn: from data to a bundle that `drsn-serve` serves.
//!
//! ```text
//! dataset ─► model ─► training ─► calibration ─► export ─► bundle ─► models/<name>/<version>/
//! records    DRSN     weights     BN statistics  ONNX      model.onnx, manifest.json, golden.json
//! ```
//!
//! # Layout
//!
//! * [`fetch`]: brings a public data set with an ordinary package client and checks it.
//! * [`dataset`]: labelled inputs, and which of them are held out.
//! * [`noise`]: what is added to inputs in training and evaluation.
//! * [`kernel`]: the network's heavy operations, with the batch innermost.
//! * [`model`]: the network, one layer a file.
//! * [`training`]: batches, learning rate, the loop, checkpoints.
//! * [`calibration`]: exact statistics for the normalizations after training.
//! * [`export`]: the ONNX graph, its comparison with the network, and the bundle.
//! * [`mod@evaluate`]: accuracy of a bundle through ONNX Runtime.
//! * [`compare`]: a study of several kinds of unit with several seeds.
//! * [`report`]: predictions, scores, plots and reports of one model or of several.
//! * [`train`] and [`export_checkpoint`]: all of it in one call, configured by a [`recipe::Recipe`].
//! * [`recipe`]: everything that a training depends on besides the data, as a TOML file says it.
//! * [`random`]: random numbers that depend on the seed and the place of their use only.

#![cfg_attr(
    test,
    expect(clippy::float_cmp, reason = "tests compare numbers that must come out exactly")
)]

mod baseline;
pub mod calibration;
pub mod compare;
pub mod dataset;
mod environment;
mod error;
pub mod evaluate;
pub mod export;
pub mod fetch;
pub mod kernel;
pub mod model;
pub mod noise;
mod pipeline;
mod preflight;
pub mod random;
pub mod recipe;
pub mod report;
pub mod training;

pub use error::TrainError;
pub use export::Destination;
pub use pipeline::{Inputs, Job, export as export_checkpoint, train};
