//! Plots: drawn as a list of marks first, then as SVG or as PNG, so that both look the same.

mod classes;
mod confusion;
mod curves;
mod figure;
mod history;
mod marks;
mod panel;
mod reliability;
mod render;

pub use classes::per_class;
pub use confusion::confusion;
pub use curves::curves;
pub use figure::Figure;
pub use history::history;
pub use reliability::reliability;

#[cfg(test)]
mod tests;
