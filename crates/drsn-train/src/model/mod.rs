//! The network: layers, units and how they are put together; one layer a file.
//!
//! A signal is an image of height one, so the same layers serve both. The batch is every tensor's last axis.

mod convolution;
mod excitation;
mod fully_connected;
mod initializer;
mod network;
mod normalization;
mod shortcut;
mod shrinkage;
mod unit;

pub use convolution::Convolution;
pub use excitation::Excitation;
pub use fully_connected::FullyConnected;
pub use initializer::Initializer;
pub use network::{Answer, Drsn};
pub use normalization::{BatchStatistics, LayerStatistics, Normalize};
pub use shortcut::{channel_padding, shortcut};
pub use shrinkage::{Shrinkage, Shrunk};
pub use unit::{ResidualUnit, UnitShape};
