//! Plots as PNG, in the colours of light.

use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};
use plotters::{
    coord::Shift,
    prelude::{
        BitMapBackend, Circle, DrawingArea, IntoDrawingArea as _, PathElement, Polygon, Rectangle,
        TextStyle,
    },
    style::{
        Color as _, FontTransform, IntoFont as _, RGBColor, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    figure::Figure,
    font::{self, FAMILY},
    marks::{Anchor, Mark, Marker, RADIUS, Text},
    style::{Ink, Tone},
    svg::HEAD,
};
use crate::report::error::ReportError;

/// Size of a PNG relative to the SVG.
const SCALE: f64 = 2.0;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn<'a> = Result<
    (),
    plotters::drawing::DrawingAreaErrorKind<
        <BitMapBackend<'a> as plotters::prelude::DrawingBackend>::ErrorType,
    >,
>;

impl Figure {
    /// The plot with its title and caption as the bytes of a PNG file, twice as large as the SVG.
    ///
    /// # Errors
    /// [`ReportError::Plot`] with the error of the drawing or the image library.
    pub(crate) fn png(&self) -> Result<Vec<u8>, ReportError> {
        let failed = |reason: String| ReportError::Plot { name: self.name.clone(), reason };
        let width = (SCALE * self.size.0) as u32;
        let height = (SCALE * (self.size.1 + HEAD)) as u32;
        let mut pixels = vec![0; 3 * width as usize * height as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height));
            draw(self, &area.into_drawing_area()).map_err(failed)?;
        }
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| failed(error.to_string()))?;
        Ok(bytes)
    }
}

fn draw(figure: &Figure, area: &Area<'_>) -> Result<(), String> {
    font::register();
    area.fill(&WHITE).map_err(|e| e.to_string())?;
    let head = figure.head();
    let marks = head.iter().map(|mark| (mark, 0.0));
    for (mark, below) in marks.chain(figure.marks.iter().map(|mark| (mark, HEAD))) {
        let at =
            |(x, y): (f64, f64)| ((x * SCALE).round() as i32, ((y + below) * SCALE).round() as i32);
        match mark {
            Mark::Rect { from, to, fill } => {
                area.draw(&Rectangle::new([at(*from), at(*to)], fill.rgb().filled()))
            }
            Mark::Line { points, color, width } => {
                let points: Vec<_> = points.iter().copied().map(at).collect();
                let width = (width * SCALE).round() as u32;
                area.draw(&PathElement::new(points, rgb(*color).stroke_width(width)))
            }
            Mark::Marker { at: place, marker, color } => {
                draw_marker(area, at, *place, *marker, rgb(*color))
            }
            Mark::Text(text) => {
                let color = rgb(text.color);
                area.draw_text(&text.words, &style(text, &color), at(text.at))
            }
        }
        .map_err(|e| e.to_string())?;
    }
    area.present().map_err(|e| e.to_string())
}

fn rgb(ink: Ink) -> RGBColor {
    Tone::from(ink).rgb()
}

fn draw_marker<'a>(
    area: &Area<'a>,
    at: impl Fn((f64, f64)) -> (i32, i32),
    (x, y): (f64, f64),
    marker: Marker,
    color: RGBColor,
) -> Drawn<'a> {
    let corners = marker.corners();
    if corners.is_empty() {
        let radius = (RADIUS * SCALE).round() as i32;
        return area.draw(&Circle::new(at((x, y)), radius, color.filled()));
    }
    let points: Vec<_> = corners.iter().map(|(dx, dy)| at((x + dx, y + dy))).collect();
    area.draw(&Polygon::new(points, color.filled()))
}

fn style<'a>(text: &Text, color: &'a RGBColor) -> TextStyle<'a> {
    let anchor = match text.anchor {
        Anchor::Left => HPos::Left,
        Anchor::Centre => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let turn = if text.is_rotated { FontTransform::Rotate270 } else { FontTransform::None };
    let font = (FAMILY, text.size * SCALE).into_font().transform(turn);
    TextStyle::from(font).color(color).pos(Pos::new(anchor, VPos::Center))
}
