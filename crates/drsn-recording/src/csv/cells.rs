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

/// A cell without surrounding blanks, which most have not.
fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] | [b'!'..=b'~'] => cell,
        _ => cell.trim(),
    }
}

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
    if let Ok(value) = cell.parse() {
        return Some(Number { value, comma: false });
    }
    let is_special = |c: char| c == ',' || c == '\u{2212}';
    if !cell.contains(is_special) {
        return None;
    }
    let cell = cell.replace('\u{2212}', "-");
    let Some((whole, fraction)) = cell.split_once(',') else {
        return Some(Number { value: cell.parse().ok()?, comma: false });
    };
    // `1,` is a cell with a separator after it, and `1,2,3` and `1,2.3` have groups of digits.
    if !fraction.starts_with(|c: char| c.is_ascii_digit()) || fraction.contains([',', '.']) {
        return None;
    }
    Some(Number { value: format!("{whole}.{fraction}").parse().ok()?, comma: true })
}

/// Whether the comma of a number can be one between groups of three digits: no group begins with
/// zero.
pub(super) fn may_group_digits(cell: &str) -> bool {
    let (whole, fraction) = cell.split_once(',').unwrap_or_default();
    let whole = whole.trim_start_matches(['-', '+', '\u{2212}']);
    fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}
