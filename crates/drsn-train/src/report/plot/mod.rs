//! Plots: first a list of marks, which is then written as SVG or drawn as PNG, so that both look
//! the same.

mod blocks;
mod confusion;
mod curves;
mod figure;
mod font;
mod history;
mod marks;
mod panel;
mod png;
mod reliability;
mod shift;
mod style;
mod svg;

pub(crate) use blocks::{thresholds, zeroed};
pub(crate) use confusion::confusion;
pub(crate) use curves::curves;
pub(crate) use figure::Figure;
pub(crate) use history::history;
pub(crate) use reliability::reliability;
pub(crate) use shift::shift;
pub(crate) use style::variables;

/// Width of a plot in pixels, if its data does not need more: readable on a telephone.
const WIDTH: f64 = 440.0;
/// Room for the numbers and the title of the axis at the left.
const LEFT: f64 = 84.0;

#[cfg(test)]
mod tests;
