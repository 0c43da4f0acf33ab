//! Plots: first a list of marks, which is then rendered as SVG or PNG, so that both look the same.

mod classes;
mod confusion;
mod curves;
mod figure;
mod font;
mod history;
mod marks;
mod panel;
mod reliability;
mod render;
mod style;

pub(crate) use classes::per_class;
pub(crate) use confusion::confusion;
pub(crate) use curves::curves;
pub(crate) use figure::Figure;
pub(crate) use history::history;
pub(crate) use reliability::reliability;

#[cfg(test)]
mod tests;
