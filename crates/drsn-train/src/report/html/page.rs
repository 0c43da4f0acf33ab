//! The elements of a page: sections, tables, figures, style.

use crate::report::{
    plot::{self, Figure},
    text::{Table, escape},
};

/// The layout; colours are variables of the palette, for light and dark.
const STYLE: &str = include_str!("style.css");
/// Widest figure, in pixels, that has its place in one of two columns.
const COLUMN: f64 = 700.0;
/// Most letters of a table's rows, beside their names, that fit in one of two columns.
const LETTERS: usize = 50;
/// A figure may shrink to this share of its size; then it scrolls sideways.
const LEAST: f64 = 0.7;
/// A figure may grow to this multiple of its size.
const MOST: f64 = 1.35;

/// A finished page, and its figures in order of appearance.
pub(crate) struct Rendered {
    pub(crate) html: String,
    pub(crate) figures: Vec<Figure>,
}

/// A page under construction: a head over the full width, and sections in one or two columns.
pub(super) struct Page {
    title: String,
    head: String,
    sections: Vec<Section>,
    notes: String,
    figures: Vec<Figure>,
}

/// A section; a broad one takes the full width.
#[derive(Default)]
struct Section {
    body: String,
    is_broad: bool,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self {
            head: format!("<h1>{}</h1>\n", escape(title)),
            title: title.to_owned(),
            sections: Vec::new(),
            notes: String::new(),
            figures: Vec::new(),
        }
    }

    /// Adds to the section that began last, or to the head before the first.
    fn push(&mut self, html: &str) {
        self.sections.last_mut().map_or(&mut self.head, |last| &mut last.body).push_str(html);
    }

    /// Begins a section.
    pub(super) fn section(&mut self, heading: &str) {
        self.sections.push(Section::default());
        self.push(&format!("<h2>{}</h2>\n", escape(heading)));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.push(&format!("<p>{}</p>\n", escape(text)));
    }

    /// Adds a list of sentences, if there are any.
    pub(super) fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            self.push(&format!("<ul>\n{}</ul>\n", list_items(items)));
        }
    }

    /// Adds sentences that nobody should miss, if there are any.
    pub(super) fn findings(&mut self, items: &[String]) {
        if !items.is_empty() {
            self.push(&format!("<ul class=\"findings\">\n{}</ul>\n", list_items(items)));
        }
    }

    /// Adds large numbers with labels.
    pub(super) fn tiles(&mut self, tiles: &[(String, String)]) {
        let tile = |(figure, name): &(String, String)| {
            format!("<div><strong>{}</strong><span>{}</span></div>", escape(figure), escape(name))
        };
        let tiles: String = tiles.iter().map(tile).collect();
        self.push(&format!("<div class=\"tiles\">{tiles}</div>\n"));
    }

    /// Adds a list of names and values.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        let fact = |(name, value): &(&str, String)| {
            format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value))
        };
        let facts: String = facts.iter().map(fact).collect();
        self.push(&format!("<dl>\n{facts}</dl>\n"));
    }

    /// Adds a table, which scrolls sideways where it has no room.
    pub(super) fn table(&mut self, table: &Table) {
        let head = table.head.iter().map(|name| format!("<th>{}</th>", escape(name)));
        let head = head.collect::<Vec<_>>().concat();
        let row = |row: &Vec<String>| {
            let cells: String =
                row.iter().zip(&table.head).map(|(cell, name)| data_cell(cell, name)).collect();
            // Names of noises break where their strength begins.
            let cells = cells.replace('@', "@<wbr>");
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = table.rows.iter().map(row).collect();
        let letters = |row: &Vec<String>| row.iter().skip(1).map(|cell| cell.chars().count()).sum();
        let most: usize = table.rows.iter().map(letters).max().unwrap_or_default();
        if let Some(section) = self.sections.last_mut() {
            section.is_broad |= most > LETTERS;
        }
        self.push(&format!(
            "<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>{head}</tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n"
        ));
    }

    /// Adds a plot with its caption, which scrolls sideways where its letters would be too small.
    pub(super) fn figure(&mut self, figure: Figure) {
        if let Some(section) = self.sections.last_mut() {
            section.is_broad |= figure.width() > COLUMN;
        }
        let (least, most) = (LEAST * figure.width(), MOST * figure.width());
        self.push(&format!(
            "<figure>\n<div class=\"wide\"><div style=\"min-width:{least:.0}px;max-width:{most:.0}px\">\
             \n{}</div></div>\n<figcaption>{}</figcaption>\n</figure>\n",
            figure.inline_svg(),
            escape(&figure.caption)
        ));
        self.figures.push(figure);
    }

    pub(super) fn notes(&mut self, notes: &[&str]) {
        self.notes = format!("<footer><ul>\n{}</ul></footer>\n", list_items(notes));
    }

    pub(super) fn finish(self) -> Rendered {
        let section = |section: &Section| {
            let class = if section.is_broad { " class=\"broad\"" } else { "" };
            format!("<section{class}>\n{}</section>\n", section.body)
        };
        let sections: String = self.sections.iter().map(section).collect();
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<header>\n{}\
             </header>\n<main>\n{sections}</main>\n{}</body>\n</html>\n",
            escape(&self.title),
            plot::variables(),
            self.head,
            self.notes
        );
        Rendered { html, figures: self.figures }
    }
}

/// A cell; a recall has a bar behind it.
fn data_cell(cell: &str, column: &str) -> String {
    let cell = escape(cell.trim_end());
    match cell.strip_suffix(" %") {
        Some(share) if column == "recall" => {
            format!("<td class=\"share\" style=\"--share:{share}%\">{cell}</td>")
        }
        _ => format!("<td>{cell}</td>"),
    }
}

fn list_items<S: AsRef<str>>(items: &[S]) -> String {
    let item = |item: &S| format!("<li>{}</li>\n", escape(item.as_ref()));
    items.iter().map(item).collect()
}
