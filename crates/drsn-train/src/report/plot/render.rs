//! Rendering of plots as SVG and PNG.

use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};
use plotters::{
    coord::Shift,
    prelude::{
        BitMapBackend, Circle, DrawingArea, DrawingBackend, IntoDrawingArea as _, PathElement,
        Polygon, Rectangle, SVGBackend, TextStyle,
    },
    style::{
        Color as _, FontTransform, IntoFont as _, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    figure::Figure,
    font::{self, FAMILY},
    marks::{Anchor, Mark, Marker, Text},
    style::WHITE,
};
use crate::report::error::ReportError;

/// Size of a PNG relative to the SVG.
const PNG_SCALE: f64 = 2.0;

impl Figure {
    /// Renders the plot as an SVG document.
    ///
    /// # Errors
    /// [`ReportError::Plot`] with the error of the drawing library.
    pub(crate) fn svg(&self) -> Result<String, ReportError> {
        let mut text = String::new();
        {
            let size = (self.size.0 as u32, self.size.1 as u32);
            let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
            draw(self, &area, 1.0).map_err(|reason| failed(self, reason))?;
        }
        Ok(text)
    }

    /// Renders the plot as the bytes of a PNG file, twice as large as the SVG.
    ///
    /// # Errors
    /// [`ReportError::Plot`] with the error of the drawing or the image library.
    pub(crate) fn png(&self) -> Result<Vec<u8>, ReportError> {
        let (width, height) = ((PNG_SCALE * self.size.0) as u32, (PNG_SCALE * self.size.1) as u32);
        let mut pixels = vec![0; 3 * width as usize * height as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height));
            draw(self, &area.into_drawing_area(), PNG_SCALE)
                .map_err(|reason| failed(self, reason))?;
        }
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| failed(self, error.to_string()))?;
        Ok(bytes)
    }
}

fn failed(figure: &Figure, reason: String) -> ReportError {
    ReportError::Plot { name: figure.name.clone(), reason }
}

fn draw<B: DrawingBackend>(
    figure: &Figure,
    area: &DrawingArea<B, Shift>,
    scale: f64,
) -> Result<(), String> {
    font::register();
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
    let anchor = match text.anchor {
        Anchor::Left => HPos::Left,
        Anchor::Centre => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let turn = if text.is_rotated { FontTransform::Rotate270 } else { FontTransform::None };
    let font = (FAMILY, text.size * scale).into_font().transform(turn);
    TextStyle::from(font).color(&text.color).pos(Pos::new(anchor, VPos::Center))
}
