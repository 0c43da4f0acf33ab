//! How the numbers of a table mark their decimals: all of them in one way, and not in one that can
//! be understood in two.

use super::{
    cells::{Number, may_group_digits},
    grid::SIGNS,
    malformed,
    separator::Separator,
    shown,
};
use crate::RecordingError;

/// Numbers such as `1.234`, beside whole ones below a thousand, from which points are taken to group
/// digits.
const GROUPS: u32 = 4;

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
    /// Of each column.
    groups: Vec<PointGroups>,
}

/// Whether points may stand between groups of three digits.
#[derive(Debug, Default)]
struct PointGroups {
    /// A cell with a point, and the number of those.
    cell: Option<String>,
    count: u32,
    /// Whether there was a number without a point.
    without: bool,
    /// Whether they cannot.
    are_decimal: bool,
}

impl PointGroups {
    fn add(&mut self, cell: &str) {
        if cell.contains('.') {
            self.are_decimal = !may_group_digits(&cell.replacen('.', ",", 1));
            self.count += 1;
            self.cell.get_or_insert_with(|| shown(cell));
        } else {
            // Groups would have a point from a thousand on.
            self.are_decimal = cell.trim_start_matches(SIGNS).len() > 3;
            self.without = true;
        }
    }

    /// A cell whose point groups digits, if all look so.
    fn cell(&self) -> Option<&str> {
        let are_groups = self.count >= GROUPS && self.without && !self.are_decimal;
        self.cell.as_deref().filter(|_| are_groups)
    }
}

impl Decimals {
    pub(super) fn add(&mut self, column: usize, cell: &str, number: Number) {
        if number.comma {
            self.commas_are_decimal |= !may_group_digits(cell);
            if self.comma.is_none() {
                self.comma = Some(shown(cell));
            }
        } else {
            self.points = self.points || number.value.fract() != 0.0;
            self.without_comma = true;
            if self.groups.len() <= column {
                self.groups.resize_with(column + 1, PointGroups::default);
            }
            if let Some(groups) = self.groups.get_mut(column).filter(|g| !g.are_decimal) {
                groups.add(cell);
            }
        }
    }

    /// Rejects numbers whose commas or points can be understood in two ways.
    pub(super) fn check(&self, separator: Separator) -> Result<(), RecordingError> {
        if let Some(cell) = self.groups.iter().find_map(PointGroups::cell) {
            return Err(malformed(format!(
                "the point in {cell} seems to group digits, as there are whole numbers below a thousand beside: write numbers without groups"
            )));
        }
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
