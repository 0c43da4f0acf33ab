//! The elements of a page: headings, tables, figures, style, escaping.

use crate::report::{
    error::ReportError,
    plot::Figure,
    text::{Table, plain},
};

/// Colours follow the reader's colour scheme; plots stay dark on white.
const STYLE: &str = include_str!("style.css");

/// A finished page, and its figures in order of appearance.
pub(crate) struct Rendered {
    pub(crate) html: String,
    pub(crate) figures: Vec<Figure>,
}

/// A page under construction.
pub(super) struct Page {
    body: String,
    title: String,
    figures: Vec<Figure>,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let body = format!("<h1>{}</h1>\n", escape(title));
        Self { body, title: title.to_owned(), figures: Vec::new() }
    }

    fn push(&mut self, html: &str) {
        self.body.push_str(html);
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.push(&format!("<h2>{}</h2>\n", escape(text)));
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

    /// Adds large numbers with labels.
    pub(super) fn tiles(&mut self, tiles: &[(String, &str)]) {
        let tile = |(figure, name): &(String, &str)| {
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

    pub(super) fn table(&mut self, table: &Table) {
        let cells = |tag: &str, row: &[String]| {
            let cell = |cell: &String| format!("<{tag}>{}</{tag}>", escape(cell.trim_end()));
            format!("<tr>{}</tr>\n", row.iter().map(cell).collect::<Vec<_>>().concat())
        };
        let rows: String = table.rows.iter().map(|row| cells("td", row)).collect();
        self.push(&format!(
            "<div class=\"wide\"><table>\n<thead>{}</thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n",
            cells("th", &table.head)
        ));
    }

    /// Adds a plot, with its description as alternative text.
    pub(super) fn figure(&mut self, figure: Figure) -> Result<(), ReportError> {
        let svg = figure.svg()?;
        let words = escape(&figure.description);
        // The style sheet lets it shrink on narrow pages.
        let svg = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{words}\" "), 1);
        self.push(&format!("<figure>\n{svg}</figure>\n"));
        self.figures.push(figure);
        Ok(())
    }

    pub(super) fn notes(&mut self, notes: &[&str]) {
        self.push(&format!("<footer><ul>\n{}</ul></footer>\n", list_items(notes)));
    }

    pub(super) fn finish(self) -> Rendered {
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
            escape(&self.title),
            self.body
        );
        Rendered { html, figures: self.figures }
    }
}

fn list_items<S: AsRef<str>>(items: &[S]) -> String {
    let item = |item: &S| format!("<li>{}</li>\n", escape(item.as_ref()));
    items.iter().map(item).collect()
}

/// Escapes text for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
