//! Confusion matrix, with counts and the shares of each row.

use super::{
    figure::Figure,
    font::{shorten, widest, width},
    marks::{Anchor, Text},
    style::{BLUE, Ink, LABEL, SMALL, Tone, VERMILLION},
};
use crate::evaluation::Scores;

/// Maximum width of a class name in pixels.
const NAME: f64 = 130.0;

/// Dimensions of one matrix.
struct Layout {
    cell: f64,
    /// Upper left corner of the matrix.
    left: f64,
    top: f64,
    /// Space below the matrix for the names of the columns.
    below: f64,
    /// Whether the names of the columns are rotated.
    rotated: bool,
    /// Whether there is enough space for names.
    labelled: bool,
}

/// Draws correct classes as rows and predicted classes as columns.
pub(crate) fn confusion(scores: &Scores, title: &str) -> Figure {
    let layout = layout(scores);
    let extent = layout.cell * scores.classes.len() as f64;
    let size =
        ((layout.left + extent + 10.0).ceil(), (layout.top + extent + layout.below + 32.0).ceil());
    let mut figure = Figure::new("confusion", title, size);
    figure.description = format!(
        "Confusion matrix of {} classes: {} of {} inputs are classified correctly",
        scores.classes.len(),
        scores.right,
        scores.inputs
    );
    figure.caption = if layout.labelled {
        "number of inputs and share of the row; blue: correct, orange: wrong".to_owned()
    } else {
        "colour: share of the row; blue: correct, orange: wrong; classes in order of the outputs"
            .to_owned()
    };
    cells(&mut figure, &layout, scores);
    names(&mut figure, &layout, scores);
    let (middle_x, middle_y) = (layout.left + extent / 2.0, layout.top + extent / 2.0);
    let below = (middle_x, layout.top + extent + layout.below + 12.0);
    figure.text(Text::new("predicted class", below).size(LABEL).anchor(Anchor::Centre));
    figure.text(Text::new("correct class", (14.0, middle_y)).anchor(Anchor::Centre).rotated());
    figure
}

fn layout(scores: &Scores) -> Layout {
    let count = scores.classes.len();
    let cell = match count {
        0..=6 => 68.0,
        7..=20 => 48.0,
        _ => (1_000.0 / count as f64).clamp(2.0, 50.0),
    };
    let names = || scores.classes.iter().map(|class| class.name.as_str());
    let labelled = cell >= SMALL;
    let room = if labelled { widest(names(), SMALL, NAME) } else { 0.0 };
    let rotated = room > cell - 6.0;
    Layout {
        cell,
        left: 44.0 + room,
        top: 4.0,
        below: if rotated { room + 12.0 } else { 24.0 },
        rotated,
        labelled,
    }
}

fn cells(figure: &mut Figure, layout: &Layout, scores: &Scores) {
    let cell = layout.cell;
    let gap = if cell >= 12.0 { 1.0 } else { 0.0 };
    for ((row, column), &count) in scores.confusion.indexed_iter() {
        let (x, y) = (layout.left + cell * column as f64, layout.top + cell * row as f64);
        let share = count as f64 / scores.classes[row].support.max(1) as f64;
        let fill = fill(row == column, share);
        figure.rect((x, y), (x + cell - gap, y + cell - gap), fill);
        if cell >= 40.0 && count > 0 {
            let middle = (x + cell / 2.0, y + cell / 2.0);
            cell_text(figure, middle, cell, count, share);
        }
    }
}

/// Colour of a cell, pale enough for letters in light and dark. The square root makes rare
/// confusions visible.
fn fill(is_correct: bool, share: f64) -> Tone {
    if share == 0.0 {
        Ink::Grid.at(0.35)
    } else if is_correct {
        BLUE.at(0.05 + 0.55 * share)
    } else {
        VERMILLION.at(0.06 + 0.54 * share.sqrt())
    }
}

fn cell_text(figure: &mut Figure, (x, y): (f64, f64), cell: f64, count: usize, share: f64) {
    let count = count.to_string();
    let large = if cell >= 56.0 { LABEL } else { SMALL };
    // Long counts are drawn smaller until they fit.
    let size = large.min(large * (cell - 6.0) / width(&count, large).max(1.0));
    figure.text(Text::new(count, (x, y - 8.0)).size(size).anchor(Anchor::Centre));
    let decimals = usize::from(cell >= 56.0 || share < 0.01);
    let share = format!("{:.decimals$} %", 100.0 * share);
    figure.text(Text::new(share, (x, y + 9.0)).size(large - 2.0).anchor(Anchor::Centre));
}

fn names(figure: &mut Figure, layout: &Layout, scores: &Scores) {
    if !layout.labelled {
        return;
    }
    let bottom = layout.top + layout.cell * scores.classes.len() as f64;
    for (i, class) in scores.classes.iter().enumerate() {
        let middle = layout.cell * (i as f64 + 0.5);
        let name = shorten(&class.name, SMALL, NAME);
        let row = Text::new(name.clone(), (layout.left - 8.0, layout.top + middle));
        figure.text(row.size(SMALL).anchor(Anchor::Right));
        let column = Text::new(name, (layout.left + middle, bottom + 14.0)).size(SMALL);
        figure.text(if layout.rotated {
            Text { at: (layout.left + middle, bottom + 6.0), ..column }
                .anchor(Anchor::Right)
                .rotated()
        } else {
            column.anchor(Anchor::Centre)
        });
    }
}
