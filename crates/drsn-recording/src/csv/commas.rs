//! Commas in the first lines of a table: between columns, or before decimals?

use super::{
    cells::split_exponent,
    grid::{Grid, SIGNS, is_blank_or_comment, is_whole},
    separator::Separator,
};

impl<'a> Grid<'a> {
    /// The same lines in one column, if the commas that seem to separate two mark its decimals.
    pub(super) fn with_decimal_commas(&self, lines: &[&'a str]) -> Option<Self> {
        if self.separator != Separator::Comma || self.cells != 2 {
            return None;
        }
        let mut above = lines.iter().take(self.first_row);
        let header = above.rfind(|line| !is_blank_or_comment(line));
        let may_be_decimal = match header {
            // One name above numbers that do not count the rows.
            Some(header) if !header.contains(',') => {
                let whole = self.numbers(0, self.first_row);
                !(whole.values.len() > 2 && whole.count())
            }
            Some(_) => false,
            None => self.column_of_fractions().is_some(),
        };
        let single = may_be_decimal.then(|| Self::of(lines, Separator::Nothing, false))?;
        single.filter(|single| single.rows() >= self.rows())
    }

    /// Whether commas separate nothing but whole numbers, with exponents or without, as they would the
    /// digits before and after a decimal comma.
    pub(super) fn has_only_whole_numbers_between_commas(&self) -> bool {
        let cells = self.rows_from(self.first_row).flatten();
        let mut numbers = cells.filter(|cell| cell.is_number());
        self.separator == Separator::Comma
            && numbers.all(|cell| is_whole(split_exponent(cell.text).0))
    }

    /// The first column, from 1, whose cells are the digits after a decimal comma: some of them
    /// begin with zero, as no whole number does.
    pub(super) fn column_of_fractions(&self) -> Option<usize> {
        if self.separator != Separator::Comma {
            return None;
        }
        let is_digits = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
        let is_whole = |cell: &str| is_digits(cell.trim_start_matches(SIGNS));
        let split = |cell: &'a str| {
            let (digits, exponent) = split_exponent(cell);
            (digits, exponent.unwrap_or_default())
        };
        let is_digits_of_fraction = |cell: &'a str| {
            let (digits, exponent) = split(cell);
            is_digits(digits) && (exponent.is_empty() || is_whole(exponent))
        };
        // `123400e+01` has its decimals before it, too.
        let is_padded = |cell: &'a str| {
            let (digits, exponent) = split(cell);
            digits.len() > 1 && (cell.starts_with('0') || !exponent.is_empty())
        };
        let rows = || self.rows_from(self.first_row);
        let is_fraction = |&column: &usize| {
            rows().all(|row| {
                is_digits_of_fraction(row[column].text) && is_whole(row[column - 1].text)
            }) && rows().any(|row| is_padded(row[column].text))
                && !rows().any(|row| is_padded(row[column - 1].text))
        };
        (1..self.cells).find(is_fraction).map(|column| column + 1)
    }
}
