//! The network: its layers, its units and their composition, with one layer per file.
//!
//! A signal is an image of height one, so both use the same layers. The batch is the last axis of
//! every tensor.

mod convolution;
mod excitation;
mod fully_connected;
mod initializer;
mod log_mel;
mod network;
mod normalization;
mod shortcut;
mod shrinkage;
mod unit;

pub use convolution::Convolution;
pub use excitation::Excitation;
pub use fully_connected::FullyConnected;
pub use initializer::Initializer;
pub use log_mel::LogMel;
pub use network::{Drsn, NetworkOutput};
pub use normalization::{BatchStatistics, LayerStatistics, Normalize};
pub(crate) use shortcut::channel_padding;
pub use shrinkage::{Shrinkage, ShrinkageOutput};
pub use unit::ResidualUnit;
