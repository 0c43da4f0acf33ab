//! The offline half of drsn: from data to a bundle for `drsn-serve`.
//!
//! ```text
//! dataset ─► training ─► batch_norm_reestimation ─► export ─► bundle ─► report
//! labelled   weights     exact statistics           ONNX      models/   scores, plots
//! inputs                                                      <name>/<version>/
//! ```
//!
//! # Layout
//!
//! In the order of dependence: each module uses only those above it.
//!
//! * [`recipe`]: everything that a training depends on besides the data, as a TOML file.
//! * [`random`]: random numbers that depend only on the seed and where they are used.
//! * [`dataset`]: labelled inputs and how they are split.
//! * [`fetch`]: downloads and verifies public data sets.
//! * `noise`: noise that is added to inputs in training and evaluation.
//! * [`tensor`]: reading Burn's tensors.
//! * `kernel`: the network's expensive operations, with the batch as the last axis.
//! * [`model`]: the network, one layer per file.
//! * [`training`]: batches, the training loop, optimizer, checkpoints.
//! * [`batch_norm_reestimation`]: exact statistics for the normalizations after training.
//! * [`evaluation`]: predictions of an exported model, scores, its baseline.
//! * [`export`]: the ONNX graph, its comparison with the network, and the bundle.
//! * [`report`]: evaluations as text, HTML, JSON and plots.
//! * `pipeline`: whole operations, such as [`train`] and [`evaluate()`].

#![cfg_attr(
    test,
    expect(clippy::float_cmp, reason = "tests compare numbers that must match exactly")
)]

pub mod batch_norm_reestimation;
pub mod dataset;
pub mod evaluation;
pub mod export;
pub mod fetch;
mod hexadecimal;
mod kernel;
pub mod model;
mod noise;
mod pipeline;
pub mod random;
pub mod recipe;
pub mod report;
pub mod tensor;
pub mod training;

pub use export::Destination;
pub use pipeline::{
    DataOptions, StatisticsCheckPlan, StudyPlan, TrainError, TrainingJob, Variation,
    check_statistics, compare, evaluate, export_checkpoint, finished_bundle, retake_baseline,
    summarize, train,
};
