//! The cells of a line, and the numbers in them.

use memchr::{memchr, memchr2};

/// The separator of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Tab,
    Semicolon,
    Comma,
    /// Another character, which the file itself names (`sep=|`).
    Other(char),
    /// One or more blanks.
    Blanks,
    /// There is only one column.
    Nothing,
}

impl Separator {
    /// Those that are looked for. Of equally good ones the first is taken: a comma may be part of a
    /// number, and a blank may be anywhere.
    pub(super) const USUAL: [Self; 6] =
        [Self::Tab, Self::Semicolon, Self::Comma, Self::Other('|'), Self::Blanks, Self::Nothing];

    /// The separator that a first line such as `sep=;` names, as Excel reads and writes it.
    pub(super) fn declared(line: &str) -> Option<Self> {
        let line = line.trim().trim_matches('"');
        let (name, separator) = line.split_at_checked(4)?;
        let mut characters = separator.chars();
        if !name.eq_ignore_ascii_case("sep=") {
            return None;
        }
        match (characters.next(), characters.next()) {
            // The line was trimmed: a tab is gone.
            (None, _) | (Some('\t'), None) => Some(Self::Tab),
            (Some(';'), None) => Some(Self::Semicolon),
            (Some(','), None) => Some(Self::Comma),
            (Some(other), None) => Some(Self::Other(other)),
            _ => None,
        }
    }

    /// Whether a line has no cell that is not empty. One in quotes is a value that is missing.
    pub(super) fn is_blank(self, line: &str) -> bool {
        !line.contains('"') && self.split(line).all(str::is_empty)
    }

    /// The cells of a line, without surrounding blanks and quotes.
    pub(super) fn split(self, line: &str) -> impl Iterator<Item = &str> {
        let is_quoted = memchr(b'"', line.as_bytes()).is_some();
        let mut rest = Some(if self == Self::Blanks { line.trim() } else { line });
        std::iter::from_fn(move || {
            let text = rest?;
            let end = if is_quoted { self.end_of_quoted(text) } else { self.end(text) };
            let (cell, after) = match end {
                None => (text, None),
                Some(end) => {
                    let (cell, after) = text.split_at_checked(end)?;
                    let mut after = after.chars();
                    after.next();
                    (cell, Some(after.as_str()))
                }
            };
            rest = if self == Self::Blanks { after.map(str::trim_start) } else { after };
            let cell = trimmed(cell);
            Some(cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')).map_or(cell, str::trim))
        })
    }

    /// Where the first cell of a text without quotes ends.
    fn end(self, text: &str) -> Option<usize> {
        match self {
            Self::Tab => memchr(b'\t', text.as_bytes()),
            Self::Semicolon => memchr(b';', text.as_bytes()),
            Self::Comma => memchr(b',', text.as_bytes()),
            Self::Other(other) => text.find(other),
            Self::Blanks => memchr2(b' ', b'\t', text.as_bytes()),
            Self::Nothing => None,
        }
    }

    /// Where the first cell ends, which may have separators within quotes, if it begins with one: in
    /// `5"`, it is an inch.
    fn end_of_quoted(self, text: &str) -> Option<usize> {
        if !text.trim_start_matches(' ').starts_with('"') {
            return self.end(text);
        }
        let mut quoted = false;
        text.find(|c: char| {
            quoted ^= c == '"';
            !quoted && self.is(c)
        })
    }

    /// Whether a text has it anywhere.
    pub(super) fn is_in(self, text: &str) -> bool {
        self.end(text).is_some()
    }

    fn is(self, c: char) -> bool {
        match self {
            Self::Tab => c == '\t',
            Self::Semicolon => c == ';',
            Self::Comma => c == ',',
            Self::Other(other) => c == other,
            Self::Blanks => c == ' ' || c == '\t',
            Self::Nothing => false,
        }
    }
}

/// A cell with the number in it, which is looked for once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) text: &'a str,
    pub(super) number: Option<Number>,
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, number: number(text) }
    }
}

impl Cell<'_> {
    pub(super) fn is_number(&self) -> bool {
        self.number.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// A cell without surrounding blanks, which most have not.
fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] | [b'!'..=b'~'] => cell,
        _ => cell.trim(),
    }
}

/// The minus of typography.
const MINUS: char = '\u{2212}';

/// Those that a number of 15 digits can be divided by.
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The number in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub(super) value: f64,
    /// Whether a comma marks its decimals.
    pub(super) comma: bool,
}

/// The number in a cell: with a decimal point, or with a decimal comma; with `-`, `+` or the minus
/// of typography. `1,234.5` and `1.234,5` are not read: groups of digits are nobody's decimals.
pub(super) fn number(cell: &str) -> Option<Number> {
    if let Some(number) = short(cell.as_bytes()) {
        return Some(number);
    }
    if let Ok(value) = cell.parse() {
        return Some(Number { value, comma: false });
    }
    let comma = match cell.split_once(',') {
        // `1,` is a cell with a separator after it, and `1,2,3` and `1,2.3` have groups of digits.
        Some((_, fraction)) => {
            let is_fraction = fraction.as_bytes().first().is_some_and(u8::is_ascii_digit);
            if !is_fraction || fraction.contains([',', '.']) {
                return None;
            }
            true
        }
        None if cell.contains(MINUS) => false,
        None => return None,
    };
    let mut plain = String::with_capacity(cell.len());
    plain.extend(cell.chars().map(|c| match c {
        ',' => '.',
        MINUS => '-',
        c => c,
    }));
    Some(Number { value: plain.parse().ok()?, comma })
}

/// A number of few digits, without an exponent, as nearly all are: what [`number`] says of it, sooner.
/// Its digits and the power of ten below them are exact in 64 bits, so that their quotient is rounded
/// once, to the nearest ([Clinger, PLDI 1990](https://doi.org/10.1145/93542.93557), section 4).
fn short(cell: &[u8]) -> Option<Number> {
    let (is_negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // A decimal mark is one more byte.
    if !digits.first()?.is_ascii_digit() || digits.len() > POWERS_OF_TEN.len() {
        return None;
    }
    let (mut whole, mut decimals, mut mark) = (0_u64, 0, None);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                whole = whole * 10 + u64::from(byte - b'0');
                decimals += usize::from(mark.is_some());
            }
            b'.' | b',' if mark.is_none() => mark = Some(byte),
            _ => return None,
        }
    }
    let comma = mark == Some(b',');
    if whole > 1 << f64::MANTISSA_DIGITS || comma && decimals == 0 {
        return None;
    }
    let magnitude = whole as f64 / POWERS_OF_TEN.get(decimals)?;
    Some(Number { value: if is_negative { -magnitude } else { magnitude }, comma })
}

/// Whether the comma of a number can be one between groups of three digits: no group begins with
/// zero.
pub(super) fn may_group_digits(cell: &str) -> bool {
    let (whole, fraction) = cell.split_once(',').unwrap_or_default();
    let whole = whole.trim_start_matches(['-', '+', MINUS]);
    fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_short_number_is_what_the_standard_library_reads(
            text in "[-+]?[0-9]{0,17}[.,]?[0-9]{0,17}",
        ) {
            let expected = text.replace(',', ".").parse::<f64>().ok();
            if let Some(found) = short(text.as_bytes()) {
                prop_assert_eq!(Some(found.value.to_bits()), expected.map(f64::to_bits), "{}", &text);
                prop_assert_eq!(found.comma, text.contains(','));
                prop_assert!(!text.ends_with(','));
            } else {
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let is_plain = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with(',');
                prop_assert!(!is_plain || digits > 15, "{} was left to the slower way", &text);
            }
        }
    }

    #[test]
    fn numbers_that_need_more_than_53_bits_are_read_exactly() {
        for text in
            ["9007199254740993", "0.30000000000000004", "1,7976931348623157", "4503599627370497.5"]
        {
            let expected: f64 = text.replace(',', ".").parse().unwrap();
            assert_eq!(number(text).unwrap().value.to_bits(), expected.to_bits(), "{text}");
        }
        assert_eq!(number("\u{2212}0,5e\u{2212}3"), Some(Number { value: -0.5e-3, comma: true }));
        for text in ["1,", "1,2,3", "1,2.3", ",", "-", "", "\u{2212}", "1\u{2212}2"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
