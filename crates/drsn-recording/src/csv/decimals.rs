//! How the numbers of a table mark their decimals: all of them in one way, and not in one that can
//! be understood in two.

use super::{
    cells::{Number, may_group_digits},
    malformed,
    separator::Separator,
    shown,
};
use crate::RecordingError;

/// How the decimals of the numbers are marked.
#[derive(Debug, Default)]
pub(super) struct Decimals {
    /// Whether a number had a fraction and no comma.
    points: bool,
    /// A cell with a comma.
    comma: Option<String>,
    /// Whether a comma cannot be one between groups of three digits.
    commas_are_decimal: bool,
    /// Whether a number had no comma.
    without_comma: bool,
}

impl Decimals {
    pub(super) fn add(&mut self, cell: &str, number: Number) {
        if number.comma {
            self.commas_are_decimal |= !may_group_digits(cell);
            if self.comma.is_none() {
                self.comma = Some(shown(cell));
            }
        } else {
            self.points = self.points || number.value.fract() != 0.0;
            self.without_comma = true;
        }
    }

    /// Rejects numbers whose commas can be understood in two ways.
    pub(super) fn check(&self, separator: Separator) -> Result<(), RecordingError> {
        let Some(cell) = &self.comma else { return Ok(()) };
        if self.points {
            return Err(malformed(format!(
                "it has numbers with decimal points and numbers with commas, such as {cell}: write all of them with points"
            )));
        }
        // Where commas separate the cells, one within quotes usually groups digits; and so does one in
        // some of the numbers only.
        let may_group = separator == Separator::Comma || self.without_comma;
        if may_group && !self.commas_are_decimal {
            return Err(malformed(format!(
                "the comma in {cell} may group digits or mark decimals: write numbers with decimal points and without groups"
            )));
        }
        Ok(())
    }
}
