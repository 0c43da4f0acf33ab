//! Marks to SVG and PNG.

use std::{path::Path, sync::Once};

use plotters::{
    coord::Shift,
    prelude::{
        BitMapBackend, Circle, DrawingArea, DrawingBackend, IntoDrawingArea as _, PathElement,
        Polygon, Rectangle, SVGBackend, TextStyle,
    },
    style::{
        Color as _, FontStyle, FontTransform, IntoFont as _, RGBColor, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    figure::{Figure, WHITE},
    marks::{Across, Mark, Marker, Text},
};
use crate::report::ReportError;

/// In a PNG the font that is built in, in an SVG what the reader's program takes for it.
pub(super) const FAMILY: &str = "sans-serif";

/// `DejaVu` Sans, the letters of European languages.
static FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans-subset.ttf");

/// How much larger a PNG is than the SVG.
const PNG_SCALE: f64 = 2.0;

/// Registers the font. Where that failed, drawing a text would fail with the reason.
pub(super) fn prepare_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = register_font(FAMILY, FontStyle::Normal, FONT);
    });
}

pub(super) fn svg(figure: &Figure) -> Result<String, ReportError> {
    let mut text = String::new();
    {
        let size = (figure.size.0 as u32, figure.size.1 as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(figure, &area, 1.0).map_err(|reason| failed(figure, reason))?;
    }
    Ok(text)
}

pub(super) fn png(figure: &Figure, path: &Path) -> Result<(), ReportError> {
    let size = ((PNG_SCALE * figure.size.0) as u32, (PNG_SCALE * figure.size.1) as u32);
    let area = BitMapBackend::new(path, size).into_drawing_area();
    draw(figure, &area, PNG_SCALE).map_err(|reason| failed(figure, reason))
}

fn failed(figure: &Figure, reason: String) -> ReportError {
    ReportError::Plot { name: figure.name.clone(), reason }
}

fn draw<B: DrawingBackend>(
    figure: &Figure,
    area: &DrawingArea<B, Shift>,
    scale: f64,
) -> Result<(), String> {
    prepare_font();
    area.fill(&WHITE).map_err(|e| e.to_string())?;
    let at = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
    for mark in &figure.marks {
        match mark {
            Mark::Rect { from, to, fill } => {
                area.draw(&Rectangle::new([at(*from), at(*to)], fill.filled()))
            }
            Mark::Line { points, color, width } => {
                let points: Vec<_> = points.iter().copied().map(at).collect();
                let width = (width * scale).round() as u32;
                area.draw(&PathElement::new(points, color.stroke_width(width)))
            }
            Mark::Marker { at: place, marker, color } => {
                draw_marker(area, at, *place, *marker, *color)
            }
            Mark::Text(text) => area.draw_text(&text.words, &style(text, scale), at(text.at)),
        }
        .map_err(|e| e.to_string())?;
    }
    area.present().map_err(|e| e.to_string())
}

fn draw_marker<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    at: impl Fn((f64, f64)) -> (i32, i32),
    (x, y): (f64, f64),
    marker: Marker,
    color: RGBColor,
) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
    let polygon = |offsets: &[(f64, f64)]| {
        let points: Vec<_> = offsets.iter().map(|(dx, dy)| at((x + dx, y + dy))).collect();
        Polygon::new(points, color.filled())
    };
    match marker {
        Marker::Circle => {
            let radius = at((4.5, 0.0)).0;
            area.draw(&Circle::new(at((x, y)), radius, color.filled()))
        }
        Marker::Square => {
            area.draw(&polygon(&[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]))
        }
        Marker::Triangle => area.draw(&polygon(&[(0.0, -5.5), (5.0, 4.0), (-5.0, 4.0)])),
        Marker::Diamond => area.draw(&polygon(&[(0.0, -6.0), (5.0, 0.0), (0.0, 6.0), (-5.0, 0.0)])),
    }
}

fn style(text: &Text, scale: f64) -> TextStyle<'_> {
    let across = match text.across {
        Across::Left => HPos::Left,
        Across::Centre => HPos::Center,
        Across::Right => HPos::Right,
    };
    let turn = if text.turned { FontTransform::Rotate270 } else { FontTransform::None };
    let font = (FAMILY, text.size * scale).into_font().transform(turn);
    TextStyle::from(font).color(&text.color).pos(Pos::new(across, VPos::Center))
}
