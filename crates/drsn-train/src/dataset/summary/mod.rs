//! What a data set contains, part by part, and what makes its test weaker than it looks.

mod part;
mod table;
#[cfg(test)]
mod tests;
mod warnings;

use std::collections::BTreeSet;

use drsn_bundle::InputSpec;

use super::{Data, subset::Subset};
use crate::recipe::Recipe;

use part::{PartSummary, count, some_of};
use table::table;

/// The contents of a data set, for those who are about to train on it.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSummary {
    input: InputSpec,
    classes: Vec<String>,
    /// Training, held-out and test inputs.
    parts: [PartSummary; 3],
    /// Samples of the shortest and the longest recording.
    lengths: Option<(usize, usize)>,
    warnings: Vec<String>,
}

impl DataSummary {
    /// Summarises the data that a recipe opened.
    pub fn new(recipe: &Recipe, data: &Data) -> Self {
        let classes = data.classes.len();
        let parts = [Some(&data.training), Some(&data.held_out), data.test.as_ref()];
        let parts = parts.map(|part| {
            part.map_or_else(
                || PartSummary { counts: vec![0; classes], ..PartSummary::default() },
                |part| PartSummary::new(part, classes),
            )
        });
        let lengths = || parts.iter().flat_map(|part| part.files.values().copied().flatten());
        let lengths = lengths().min().zip(lengths().max());
        let warnings = warnings::find(&parts, &data.classes, recipe);
        Self { input: data.input.clone(), classes: data.classes.clone(), parts, lengths, warnings }
    }

    /// The summary as lines of text: a sentence, a table of the classes, and warnings.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        lines.extend(table(&self.rows()));
        for (subset, part) in Subset::ALL.iter().zip(&self.parts) {
            if !part.groups.is_empty() {
                lines.push(format!("{} groups: {}", subset.name(), some_of(&part.groups)));
            }
        }
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines
    }

    fn headline(&self) -> String {
        let inputs: usize = self.parts.iter().map(PartSummary::inputs).sum();
        let files = self.all(|part| part.files.keys()).len();
        let from =
            if files > 0 { format!(", from {}", count(files, "file")) } else { String::new() };
        let lengths = match self.lengths {
            None => String::new(),
            Some((least, most)) if least == most => format!(" of {}", count(least, "sample")),
            Some((least, most)) => format!(" of {least} to {most} samples"),
        };
        let rate = match &self.input {
            InputSpec::Image(_) => String::new(),
            InputSpec::Signal(signal) => signal.sample_rate_hz.map_or_else(
                || ", at an unknown sample rate".to_owned(),
                |rate| {
                    let seconds = signal.window as f64 / rate;
                    format!(", at {rate} Hz ({seconds:.3} s an input)")
                },
            ),
        };
        let shape = self.input.shape_in_words();
        let (inputs, classes) = (count(inputs, "input"), self.classes.len());
        format!("data: {inputs} of {shape}{from}{lengths}{rate}, {classes} classes")
    }

    /// The cells of the table.
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |name: &str, cell: &dyn Fn(&PartSummary) -> usize| {
            let cells = self.parts.iter().map(|part| cell(part).to_string());
            std::iter::once(name.to_owned()).chain(cells).collect()
        };
        let head = Subset::ALL.map(|subset| subset.name().to_owned());
        let mut rows = vec![[&["class".to_owned()], &head[..]].concat()];
        for (class, name) in self.classes.iter().enumerate() {
            rows.push(row(name, &|part| part.counts[class]));
        }
        rows.push(row("all inputs", &PartSummary::inputs));
        if !self.all(|part| part.files.keys()).is_empty() {
            rows.push(row("files", &|part| part.files.len()));
        }
        if !self.all(|part| part.groups.iter()).is_empty() {
            rows.push(row("groups", &|part| part.groups.len()));
        }
        rows
    }

    /// The names of all parts together.
    fn all<'a, I: Iterator<Item = &'a String>>(
        &'a self,
        names: impl Fn(&'a PartSummary) -> I,
    ) -> BTreeSet<&'a String> {
        self.parts.iter().flat_map(names).collect()
    }
}
