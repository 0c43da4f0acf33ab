//! Colours and font sizes of plots.

use plotters::style::RGBColor;

pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 110);
pub(super) const GRID: RGBColor = RGBColor(222, 222, 222);
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);

/// Colours that are distinguishable with any colour vision: M. Okabe and K. Ito, "Color Universal
/// Design", 2008, without the yellow, which is too light on white.
const PALETTE: [RGBColor; 7] = [
    BLUE,
    VERMILLION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Font sizes in pixels.
pub(super) const TITLE: f64 = 19.0;
pub(super) const LABEL: f64 = 15.0;
pub(super) const SMALL: f64 = 13.0;

/// Colour of the n-th series.
pub(super) fn color(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()]
}

/// White at 0, `full` at 1.
pub(super) fn shade(full: RGBColor, share: f64) -> RGBColor {
    let share = share.clamp(0.0, 1.0);
    let mix = |c: u8| (255.0 + (f64::from(c) - 255.0) * share).round() as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}
