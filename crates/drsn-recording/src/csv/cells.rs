//! A cell of a table, and the number in it.

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

/// SCPI instruments write 9.9E37 for an overload, and 9.91E37 for no value (SCPI 1999, volume 1, section
/// 7.2.1).
const OVERLOAD: f64 = 9.9e37;
const NO_VALUE: f64 = 9.91e37;

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
    short(cell.as_bytes()).or_else(|| {
        let number = long(cell)?;
        Some(if is_mark(number.value) { Number { value: f64::NAN, ..number } } else { number })
    })
}

/// Whether a number is one that instruments write in place of a value.
fn is_mark(value: f64) -> bool {
    (OVERLOAD..=NO_VALUE).contains(&value.abs())
}

/// A number of any length, with an exponent or without.
fn long(cell: &str) -> Option<Number> {
    if let Ok(value) = cell.parse() {
        return Some(Number { value, comma: false });
    }
    let (mantissa, exponent) = split_exponent(cell);
    let comma = match mantissa.split_once(',') {
        // `1,` is a cell with a separator after it, and `1,2,3` and `1,2.3` have groups of digits.
        Some((_, fraction)) => {
            let is_fraction = fraction.as_bytes().first().is_some_and(u8::is_ascii_digit);
            if !is_fraction || fraction.contains([',', '.']) {
                return None;
            }
            true
        }
        None if cell.contains(MINUS) || exponent.is_some() => false,
        None => return None,
    };
    let mut plain = String::with_capacity(cell.len());
    let exponent = exponent.into_iter().flat_map(|exponent| ["e", exponent]);
    let parts = std::iter::once(mantissa).chain(exponent);
    plain.extend(parts.flat_map(str::chars).map(|c| match c {
        ',' => '.',
        MINUS => '-',
        c => c,
    }));
    Some(Number { value: plain.parse().ok()?, comma })
}

/// What stands before the exponent of a number, and the exponent: behind an `e`, or behind the `D` that
/// Fortran writes before the exponents of numbers of 64 bits, which always have a sign.
pub(super) fn split_exponent(cell: &str) -> (&str, Option<&str>) {
    let is_sign = |text: &str| text.starts_with(['-', '+', MINUS]);
    let mark = cell.bytes().position(|byte| matches!(byte, b'e' | b'E' | b'd' | b'D'));
    let parts = mark.and_then(|mark| {
        let exponent = cell.get(mark + 1..)?;
        let is_exponent = matches!(cell.as_bytes().get(mark)?, b'e' | b'E') || is_sign(exponent);
        is_exponent.then_some((cell.get(..mark)?, Some(exponent)))
    });
    parts.unwrap_or((cell, None))
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
    let (whole, rest) = digits_of(0, digits);
    let (whole, decimals, comma) = match rest {
        [] => (whole, 0, false),
        [mark @ (b'.' | b','), decimals @ ..] => match digits_of(whole, decimals) {
            (whole, []) => (whole, decimals.len(), *mark == b','),
            _ => return None,
        },
        _ => return None,
    };
    if whole > 1 << f64::MANTISSA_DIGITS || comma && decimals == 0 {
        return None;
    }
    let magnitude = whole as f64 / POWERS_OF_TEN.get(decimals)?;
    Some(Number { value: if is_negative { -magnitude } else { magnitude }, comma })
}

/// The number that digits at the beginning of a text continue, and what follows them.
fn digits_of(mut whole: u64, mut text: &[u8]) -> (u64, &[u8]) {
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        whole = whole * 10 + u64::from(digit - b'0');
        text = rest;
    }
    (whole, text)
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
        assert_eq!(number("-0.1234567890123456D+02"), number("-12.34567890123456"));
        assert_eq!(number("1,5d-3"), Some(Number { value: 1.5e-3, comma: true }));
        for text in [
            "1D",
            "1D5",
            "D+5",
            "+D",
            "1,",
            "1,2,3",
            "1,2.3",
            ",",
            "-",
            "",
            "\u{2212}",
            "1\u{2212}2",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
