//! Plots as SVG. Colours are variables of a style sheet, so that plots follow the page's theme.

use std::fmt::Write as _;

use super::{
    figure::Figure,
    font::shorten,
    marks::{Anchor, Mark, RADIUS, Text},
    style::{Ink, SMALL, TITLE, Tone, variables},
};
use crate::report::text::escape;

/// Height of title and caption above a plot in a file of its own.
pub(super) const HEAD: f64 = 60.0;

impl Figure {
    /// The plot as an element of a page that has the variables of the palette.
    pub(crate) fn inline_svg(&self) -> String {
        let (width, height) = self.size;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            escape(&self.description),
            elements(&self.marks)
        )
    }

    /// The plot as a file of its own, with its title and caption above it.
    pub(crate) fn svg(&self) -> String {
        let (width, height) = (self.size.0, self.size.1 + HEAD);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n\
             <style>\n{}svg{{font-family:\"DejaVu Sans\",sans-serif}}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"var(--paper)\"/>\n{}\
             <g transform=\"translate(0 {HEAD})\">\n{}</g>\n</svg>\n",
            escape(&self.description),
            variables(),
            elements(&self.head()),
            elements(&self.marks)
        )
    }

    /// Title and caption, as far as they fit.
    pub(super) fn head(&self) -> Vec<Mark> {
        let room = self.size.0 - 24.0;
        let title = Text::new(shorten(&self.title, TITLE, room), (12.0, 20.0)).size(TITLE);
        let caption = Text::new(shorten(&self.caption, SMALL, room), (12.0, 43.0)).size(SMALL);
        vec![Mark::Text(title), Mark::Text(caption.color(Ink::Faint))]
    }
}

fn elements(marks: &[Mark]) -> String {
    let mut svg = String::new();
    for mark in marks {
        // Writing to a string cannot fail.
        let _ = element(&mut svg, mark);
    }
    svg
}

fn element(svg: &mut String, mark: &Mark) -> std::fmt::Result {
    match mark {
        Mark::Rect { from, to, fill } => {
            let (x, y) = (number(from.0.min(to.0)), number(from.1.min(to.1)));
            let (width, height) = (number((to.0 - from.0).abs()), number((to.1 - from.1).abs()));
            let fill = paint(*fill);
            writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {fill}/>"
            )
        }
        Mark::Line { points, color, width } => writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--{})\" stroke-width=\"{width}\"/>",
            places(points.iter().copied()),
            color.variable()
        ),
        Mark::Marker { at, marker, color } => {
            let fill = paint((*color).into());
            let corners = marker.corners();
            if corners.is_empty() {
                let (x, y) = (number(at.0), number(at.1));
                return writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\" {fill}/>");
            }
            let corners = places(corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)));
            writeln!(svg, "<polygon points=\"{corners}\" {fill}/>")
        }
        Mark::Text(text) => words(svg, text),
    }
}

fn words(svg: &mut String, text: &Text) -> std::fmt::Result {
    let anchor = match text.anchor {
        Anchor::Left => "start",
        Anchor::Centre => "middle",
        Anchor::Right => "end",
    };
    let (x, y) = (number(text.at.0), number(text.at.1));
    let turn =
        if text.is_rotated { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" dy=\".35em\" font-size=\"{}\" text-anchor=\"{anchor}\" \
         fill=\"var(--{})\"{turn}>{}</text>",
        number(text.size),
        text.color.variable(),
        escape(&text.words)
    )
}

fn paint(tone: Tone) -> String {
    let fill = format!("fill=\"var(--{})\"", tone.ink.variable());
    if tone.share < 1.0 { format!("{fill} fill-opacity=\"{:.3}\"", tone.share) } else { fill }
}

fn places(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<String> = points.map(|(x, y)| format!("{},{}", number(x), number(y))).collect();
    points.join(" ")
}

/// A coordinate with one decimal.
fn number(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}
