//! What separates the cells of a line.

use memchr::memchr;

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
        let cells = self.split_quoted(line, b'"');
        cells.map(|cell| {
            cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')).map_or(cell, str::trim)
        })
    }

    /// The names in a line: as its cells, or in apostrophes, which are left around them.
    pub(super) fn split_names(self, line: &str) -> Vec<&str> {
        let begins_a_cell = |quote: char| {
            let mut before = None;
            line.chars().any(|c| before.replace(c).is_none_or(|c| self.is(c)) && c == quote)
        };
        let is_paired = line.matches('\'').count().is_multiple_of(2);
        if is_paired && begins_a_cell('\'') && !begins_a_cell('"') {
            self.split_quoted(line, b'\'').collect()
        } else {
            self.split(line).collect()
        }
    }

    /// The cells of a line, within which there may be separators if they begin with a quote.
    fn split_quoted(self, line: &str, quote: u8) -> impl Iterator<Item = &str> {
        let is_quoted = memchr(quote, line.as_bytes()).is_some();
        let mut rest = Some(if self == Self::Blanks { line.trim() } else { line });
        std::iter::from_fn(move || {
            let text = rest?;
            let end =
                if is_quoted { self.end_of_quoted(text, quote.into()) } else { self.end(text) };
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
            Some(trimmed(cell))
        })
    }

    /// Where the first cell of a text without quotes ends. Cells are short: to begin a search of many
    /// bytes at once takes longer than to look at each.
    fn end(self, text: &str) -> Option<usize> {
        let at = |separator: u8| text.bytes().position(|byte| byte == separator);
        match self {
            Self::Tab => at(b'\t'),
            Self::Semicolon => at(b';'),
            Self::Comma => at(b','),
            Self::Other(other) => text.find(other),
            Self::Blanks => text.bytes().position(|byte| matches!(byte, b' ' | b'\t')),
            Self::Nothing => None,
        }
    }

    /// Where the first cell ends, which may have separators within quotes, if it begins with one: in
    /// `5"`, it is an inch.
    fn end_of_quoted(self, text: &str, quote: char) -> Option<usize> {
        if !text.trim_start_matches(' ').starts_with(quote) {
            return self.end(text);
        }
        let mut quoted = false;
        text.find(|c: char| {
            quoted ^= c == quote;
            !quoted && self.is(c)
        })
    }

    /// Whether one of some lines has it anywhere; `characters` are those of the lines.
    pub(super) fn is_in(self, lines: &[&str], characters: Ascii) -> bool {
        match self {
            Self::Tab => characters.contain(b'\t'),
            Self::Semicolon => characters.contain(b';'),
            Self::Comma => characters.contain(b','),
            Self::Other(other) => match u8::try_from(other) {
                Ok(byte) if byte.is_ascii() => characters.contain(byte),
                _ => lines.iter().any(|line| line.contains(other)),
            },
            Self::Blanks => characters.contain(b' ') || characters.contain(b'\t'),
            Self::Nothing => false,
        }
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

/// The characters of ASCII that are in some lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ascii(u128);

impl Ascii {
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let of_line = |all, line: &str| line.bytes().fold(all, |all, byte| all | Self::bit(byte));
        Self(lines.fold(0, of_line))
    }

    fn contain(self, byte: u8) -> bool {
        self.0 & Self::bit(byte) != 0
    }

    /// None of bytes of longer characters.
    fn bit(byte: u8) -> u128 {
        1_u128.checked_shl(byte.into()).unwrap_or(0)
    }
}

/// A cell without surrounding blanks, which most have not.
fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] | [b'!'..=b'~'] => cell,
        _ => cell.trim(),
    }
}
