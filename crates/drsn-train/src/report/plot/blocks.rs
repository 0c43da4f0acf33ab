//! Heat maps of what the thresholds of each block do to inputs of each class.

use super::{
    WIDTH,
    figure::Figure,
    font::{shorten, widest},
    marks::{Anchor, Text},
    style::{BLUE, GREEN, Ink, SMALL},
};
use crate::evaluation::BlockActivity;

/// Most of a class's or a block's name, in pixels.
const NAME: f64 = 130.0;
/// Least width and height of a cell in pixels.
const CELL: (f64, f64) = (46.0, 24.0);

/// Draws the thresholds as shares of the mean magnitude.
pub(crate) fn thresholds(blocks: &[BlockActivity], classes: &[String], title: &str) -> Figure {
    let values: Vec<&[Option<f64>]> = blocks.iter().map(|block| &block.relative[..]).collect();
    let caption = "threshold τ as a share of the mean magnitude A of its channel, on average \
                   over channels and clean test inputs of a class";
    let figure = heat_map("thresholds", title, blocks, classes, &values, BLUE);
    Figure { caption: caption.to_owned(), ..figure }
}

/// Draws the shares of features that are set to zero.
pub(crate) fn zeroed(blocks: &[BlockActivity], classes: &[String], title: &str) -> Figure {
    let values: Vec<&[Option<f64>]> = blocks.iter().map(|block| &block.zeroed[..]).collect();
    let caption =
        "share of features that the threshold sets to zero, for clean test inputs of a class";
    let figure = heat_map("zeroed", title, blocks, classes, &values, GREEN);
    Figure { caption: caption.to_owned(), ..figure }
}

/// Draws a row for each class and a column for each block; `values` by block and class.
fn heat_map(
    name: &str,
    title: &str,
    blocks: &[BlockActivity],
    classes: &[String],
    values: &[&[Option<f64>]],
    ink: Ink,
) -> Figure {
    let left = 18.0 + widest(classes.iter().map(String::as_str), SMALL, NAME);
    let columns = blocks.len().max(1) as f64;
    let cell = (((WIDTH - left - 10.0) / columns).clamp(CELL.0, 110.0), CELL.1);
    let room = widest(blocks.iter().map(|block| &*block.name), SMALL, NAME);
    let is_rotated = room > cell.0 - 6.0;
    let below = if is_rotated { room + 14.0 } else { 26.0 };
    let size = (left + cell.0 * columns + 10.0, cell.1 * classes.len() as f64 + below + 4.0);
    let mut figure = Figure::new(name, title, (size.0.ceil(), size.1.ceil()));
    figure.description =
        format!("{title}, for {} classes and {} blocks", classes.len(), blocks.len());
    for (row, class) in classes.iter().enumerate() {
        let y = 4.0 + cell.1 * (row as f64 + 0.5);
        let class = shorten(class, SMALL, NAME);
        figure.text(Text::new(class, (left - 8.0, y)).size(SMALL).anchor(Anchor::Right));
        for (column, values) in values.iter().enumerate() {
            let x = left + cell.0 * column as f64;
            let value = values.get(row).copied().flatten();
            let share = value.unwrap_or_default().clamp(0.0, 1.0);
            let (top, bottom) = (y - cell.1 / 2.0, y + cell.1 / 2.0);
            figure.rect((x, top), (x + cell.0 - 1.0, bottom - 1.0), ink.at(0.05 + 0.55 * share));
            let words = value.map_or_else(|| "–".to_owned(), percent);
            let middle = Text::new(words, (x + cell.0 / 2.0, y)).size(SMALL);
            figure.text(middle.anchor(Anchor::Centre));
        }
    }
    let bottom = 4.0 + cell.1 * classes.len() as f64;
    for (column, block) in blocks.iter().enumerate() {
        let x = left + cell.0 * (column as f64 + 0.5);
        let name = shorten(&block.name, SMALL, NAME);
        figure.text(if is_rotated {
            Text::new(name, (x, bottom + 6.0)).size(SMALL).anchor(Anchor::Right).rotated()
        } else {
            Text::new(name, (x, bottom + 14.0)).size(SMALL).anchor(Anchor::Centre)
        });
    }
    figure
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
