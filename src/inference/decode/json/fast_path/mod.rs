//! Fast path for most JSON bodies: an object whose first member is a list of numbers.
//!
//! The general parser needs 39 µs for the 2,048 numbers of a signal, a third of the time of a small
//! network. Here a loop that handles only numbers, commas and brackets reads the list, and the
//! general parser gets the body with an empty list in its place. If anything else occurs, the
//! general parser reads the whole body and reports what is wrong with it.

use super::nested::{MAX_DEPTH, Nested};

/// Limit of the bytes beside the list: options are short.
const MAX_REST: usize = 4 << 10;

/// Above this, another digit could overflow 64 bits.
const MAX_MANTISSA: u64 = u64::MAX / 10 - 1;

/// Numbers of eight digits are below this.
const EIGHT: u64 = 100_000_000;

/// Powers of ten, each rounded to 64 bits by itself.
const POWERS: [f64; 64] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32,
    1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48,
    1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63,
];

/// The members that are lists of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Signal,
    Signals,
    Tensor,
    Tensors,
}

impl Member {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"signal" => Some(Self::Signal),
            b"signals" => Some(Self::Signals),
            b"tensor" => Some(Self::Tensor),
            b"tensors" => Some(Self::Tensors),
            _ => None,
        }
    }
}

/// A body's first member, a list of numbers, and the body with an empty list in its place.
#[derive(Debug, PartialEq)]
pub(super) struct Plain {
    pub(super) member: Member,
    pub(super) numbers: Nested,
    pub(super) rest: Vec<u8>,
}

/// Reads a body's first member; `None` if it is anything but a plain list of numbers.
pub(super) fn read(body: &[u8]) -> Option<Plain> {
    let mut text = Text(body);
    text.expect(b'{')?;
    text.expect(b'"')?;
    let name = text.until(b'"')?;
    let member = Member::named(name)?;
    text.expect(b':')?;
    text.expect(b'[')?;
    // A guess for numbers of about seven characters; the list grows if they are shorter.
    let values = Vec::with_capacity(body.len() / 8);
    let mut lists = Lists { values, sizes: [None; MAX_DEPTH], depth: None };
    lists.read(&mut text, 0)?;
    if text.0.len() > MAX_REST {
        return None;
    }
    let rest = [b"{\"", name, b"\":[]", text.0].concat();
    let shape = lists.sizes.into_iter().map_while(|size| size).collect();
    Some(Plain { member, numbers: Nested { values: lists.values, shape }, rest })
}

/// Nested lists of numbers.
struct Lists {
    values: Vec<f32>,
    /// Size of the lists at each depth, once the first of them has ended.
    sizes: [Option<usize>; MAX_DEPTH],
    /// Depth of the lists that hold numbers, once the first of them has begun.
    depth: Option<usize>,
}

impl Lists {
    /// Reads a list after its opening bracket. All lists of one depth must have the same size.
    fn read(&mut self, text: &mut Text<'_>, depth: usize) -> Option<()> {
        let of_lists = text.first()? == b'[';
        if depth >= MAX_DEPTH || !of_lists && *self.depth.get_or_insert(depth) != depth {
            return None;
        }
        let mut size = 0;
        loop {
            if of_lists {
                text.expect(b'[')?;
                self.read(text, depth + 1)?;
            } else {
                self.values.push(text.number()?);
            }
            size += 1;
            match text.next()? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        let before = self.sizes[depth].replace(size);
        before.is_none_or(|before| before == size).then_some(())
    }
}

/// The rest of a text.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Its first byte that is not white space.
    fn first(&mut self) -> Option<u8> {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
        self.0.first().copied()
    }

    /// Consumes the first byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        let byte = self.first()?;
        self.0 = &self.0[1..];
        Some(byte)
    }

    fn expect(&mut self, expected: u8) -> Option<()> {
        self.next().filter(|&byte| byte == expected).map(|_| ())
    }

    /// Consumes the text up to and including a byte and returns it without that byte.
    fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|&byte| byte == end)?;
        let (before, rest) = self.0.split_at(length);
        self.0 = &rest[1..];
        Some(before)
    }

    /// A number by JSON's grammar, rounded as the general parser does: the digits as an integer,
    /// multiplied or divided by a power of ten in 64 bits, then rounded to 32 bits.
    fn number(&mut self) -> Option<f32> {
        let is_negative = self.first()? == b'-';
        if is_negative {
            self.0 = &self.0[1..];
        }
        let starts_with_zero = self.0.first() == Some(&b'0');
        let (mut mantissa, count) = self.digits(0)?;
        if count == 0 || starts_with_zero && count > 1 {
            return None;
        }
        let mut exponent = 0;
        if let [b'.', rest @ ..] = self.0 {
            self.0 = rest;
            let (longer, count) = self.digits(mantissa)?;
            (mantissa, exponent) = (longer, -count);
            if count == 0 {
                return None;
            }
        }
        if let [b'e' | b'E', rest @ ..] = self.0 {
            self.0 = rest;
            exponent += self.exponent()?;
        }
        let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
        let magnitude =
            if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
        Some(if is_negative { -magnitude } else { magnitude } as f32)
    }

    /// Appends the digits that follow to a number; returns it and their count.
    fn digits(&mut self, mut number: u64) -> Option<(u64, i32)> {
        let mut count = 0;
        // Digit by digit, each would wait for the multiplication of the previous one.
        while let Some((&eight, rest)) = self.0.split_first_chunk()
            && number < u64::MAX / EIGHT
            && let Some(value) = eight_digits(eight)
        {
            number = number * EIGHT + value;
            count += 8;
            self.0 = rest;
        }
        while let [byte @ b'0'..=b'9', rest @ ..] = self.0 {
            if number > MAX_MANTISSA {
                return None;
            }
            number = number * 10 + u64::from(byte - b'0');
            count += 1;
            self.0 = rest;
        }
        Some((number, count))
    }

    fn exponent(&mut self) -> Option<i32> {
        let sign = match self.0 {
            [b'-', rest @ ..] => {
                self.0 = rest;
                -1
            }
            [b'+', rest @ ..] => {
                self.0 = rest;
                1
            }
            _ => 1,
        };
        let (number, count) = self.digits(0)?;
        (count > 0).then_some(())?;
        i32::try_from(number).ok().filter(|&number| number < 1000).map(|number| sign * number)
    }
}

/// The value of eight digits, or `None` if a byte is not a digit. The digits are combined to pairs,
/// fours and the whole in parallel. (After D. Lemire, "Number parsing at a gigabyte per second",
/// Software: Practice and Experience 51, 2021, section 4.)
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let word = u64::from_le_bytes(text);
    // The high half of a digit's byte is 3, and stays 3 if 6 is added: above 9 it would become 4.
    let with_six = word.wrapping_add(0x0606_0606_0606_0606);
    if word & HIGH_HALVES != ZEROS || with_six & HIGH_HALVES != ZEROS {
        return None;
    }
    let digits = word - ZEROS;
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests;
