//! The start of a lossless WebP picture, read before it is decoded: how many groups of prefix codes
//! it has.
//!
//! The decoder builds a table for each of a group's five codes, which may be coded in a few bytes
//! and need four kilobytes. Their number is not in a header: it is one more than the largest index
//! in a small picture that is coded like the picture itself.

use std::sync::LazyLock;

/// Longest prefix code, in bits.
const MAX_LENGTH: usize = 15;
/// Alphabets of a group's codes without colours of a cache: green and lengths, red, blue, alpha,
/// distances.
const ALPHABETS: [usize; 5] = [280, 256, 256, 256, 40];
/// Symbols of the first alphabet: levels of green, then lengths, then colours of the cache.
const FIRST_LENGTH: u16 = 256;
const FIRST_COLOUR: u16 = 280;
/// The order of the lengths of the code that codes the lengths of the others.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The number of groups of prefix codes of a picture, whose size precedes it unless it is known.
/// `None` if it is damaged.
pub(super) fn code_groups(bytes: &[u8], size: Option<(u32, u32)>) -> Option<u64> {
    let mut bits = Bits { bytes, at: 0 };
    let (mut width, height) = if let Some(size) = size { size } else { bits.size()? };
    let mut seen = [false; 4];
    while bits.read(1)? == 1 {
        let kind = bits.read(2)? as usize;
        if std::mem::replace(&mut seen[kind], true) {
            return None;
        }
        match kind {
            // Predictors and colours of tiles.
            0 | 1 => {
                let size = bits.read(3)? + 2;
                picture(&mut bits, tiles(width, size), tiles(height, size), |_| ())?;
            }
            2 => {}
            // A palette, which may pack several pixels into one.
            _ => {
                let colours = bits.read(8)? + 1;
                picture(&mut bits, colours, 1, |_| ())?;
                width = tiles(
                    width,
                    match colours {
                        1..=2 => 3,
                        3..=4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    },
                );
            }
        }
    }
    cache(&mut bits)?;
    if bits.read(1)? == 0 {
        return Some(1);
    }
    let size = bits.read(3)? + 2;
    let mut largest = 0;
    picture(&mut bits, tiles(width, size), tiles(height, size), |[red, green, ..]| {
        largest = largest.max(u64::from(red) << 8 | u64::from(green));
    })?;
    Some(largest + 1)
}

/// Tiles of 2ⁿ pixels that cover a size.
fn tiles(size: u32, n: u32) -> u32 {
    size.div_ceil(1 << n)
}

/// Bits of the index of a colour in the cache; 0 if there is none.
fn cache(bits: &mut Bits) -> Option<u32> {
    if bits.read(1)? == 0 {
        return Some(0);
    }
    let size = bits.read(4)?;
    (1..=11).contains(&size).then_some(size)
}

/// Reads a picture of one group of codes, and calls `each` with its pixels: red, green, blue, alpha.
fn picture(bits: &mut Bits, width: u32, height: u32, mut each: impl FnMut([u8; 4])) -> Option<()> {
    let cache = cache(bits)?;
    let mut cached = vec![[0; 4]; if cache > 0 { 1 << cache } else { 0 }];
    let [green, red, blue, alpha, distance] = {
        let mut codes = Vec::new();
        for (index, alphabet) in ALPHABETS.into_iter().enumerate() {
            codes.push(Code::read(bits, alphabet + if index == 0 { cached.len() } else { 0 })?);
        }
        <[Code; 5]>::try_from(codes).ok()?
    };
    let count = width as usize * height as usize;
    let mut pixels: Vec<[u8; 4]> = Vec::with_capacity(count);
    while pixels.len() < count {
        let symbol = green.symbol(bits)?;
        if symbol < FIRST_LENGTH {
            let [red, blue, alpha] =
                [red.symbol(bits)?, blue.symbol(bits)?, alpha.symbol(bits)?].map(|x| x as u8);
            pixels.push([red, symbol as u8, blue, alpha]);
        } else if symbol < FIRST_COLOUR {
            let length = number(bits, symbol - FIRST_LENGTH)?;
            let code = distance.symbol(bits)?;
            let distance = distance_of(number(bits, code)?, width as usize);
            let start = pixels.len().checked_sub(distance)?;
            if length > count - pixels.len() {
                return None;
            }
            for at in start..start + length {
                let pixel = *pixels.get(at)?;
                pixels.push(pixel);
                remember(&mut cached, cache, pixel);
            }
            continue;
        } else {
            pixels.push(*cached.get(usize::from(symbol - FIRST_COLOUR))?);
        }
        let pixel = *pixels.last()?;
        remember(&mut cached, cache, pixel);
    }
    pixels.into_iter().for_each(&mut each);
    Some(())
}

/// Puts a colour into the cache.
fn remember(cached: &mut [[u8; 4]], cache: u32, [red, green, blue, alpha]: [u8; 4]) {
    if cache == 0 {
        return;
    }
    let colour = u32::from_be_bytes([alpha, red, green, blue]);
    let index = colour.wrapping_mul(0x1e35_a7bd) >> (32 - cache);
    if let Some(place) = cached.get_mut(index as usize) {
        *place = [red, green, blue, alpha];
    }
}

/// A length or a distance code, of which the symbol has the upper bits.
fn number(bits: &mut Bits, symbol: u16) -> Option<usize> {
    if symbol < 4 {
        return Some(usize::from(symbol) + 1);
    }
    let extra = u32::from(symbol - 2) / 2;
    let start = (2 + usize::from(symbol & 1)) << extra;
    Some(start + bits.read(extra)? as usize + 1)
}

/// The distance of a code: up to 120 it is one of the pixels around, the nearest first.
fn distance_of(code: usize, width: usize) -> usize {
    if code > 120 {
        return code - 120;
    }
    let (across, down) = NEIGHBOURS.get(code - 1).copied().unwrap_or_default();
    (across + down * width as isize).max(1).cast_unsigned()
}

/// The pixels around, by their distance: those in eight columns to each side and seven rows.
static NEIGHBOURS: LazyLock<Vec<(isize, isize)>> = LazyLock::new(|| {
    let rows = (0..8).flat_map(|down| (-7..9).map(move |across| (across, down)));
    let mut all: Vec<(isize, isize)> =
        rows.filter(|&(across, down)| down > 0 || across > 0).collect();
    all.sort_by_key(|&(x, y)| (x * x + y * y, x.abs(), -x));
    all
});

/// A prefix code: the number of codes of each length, and the symbols in the order of their codes.
struct Code {
    counts: [u16; MAX_LENGTH + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn read(bits: &mut Bits, alphabet: usize) -> Option<Self> {
        if bits.read(1)? == 0 {
            let count = 4 + bits.read(4)? as usize;
            let mut lengths = [0; ORDER.len()];
            for &symbol in ORDER.get(..count)? {
                lengths[symbol] = bits.read(3)? as u8;
            }
            let lengths = Self::lengths(bits, &Self::of(&lengths)?, alphabet)?;
            return Self::of(&lengths);
        }
        let has_two = bits.read(1)? == 1;
        let width = if bits.read(1)? == 1 { 8 } else { 1 };
        let mut symbols = vec![bits.read(width)? as u16];
        if has_two {
            symbols.push(bits.read(8)? as u16);
        }
        let mut counts = [0; MAX_LENGTH + 1];
        counts[1] = symbols.len() as u16;
        symbols.iter().all(|&symbol| usize::from(symbol) < alphabet).then_some(())?;
        Some(Self { counts, symbols })
    }

    /// The code with these lengths, which must use every code or have one symbol.
    fn of(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; MAX_LENGTH + 1];
        let mut symbols: Vec<u16> =
            (0..lengths.len() as u16).filter(|&s| lengths[usize::from(s)] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[usize::from(symbol)]);
        for &symbol in &symbols {
            counts[usize::from(lengths[usize::from(symbol)])] += 1;
        }
        let used: u32 = (1..=MAX_LENGTH).map(|n| u32::from(counts[n]) << (MAX_LENGTH - n)).sum();
        (symbols.len() == 1 || used == 1 << MAX_LENGTH).then_some(Self { counts, symbols })
    }

    /// Lengths that are coded themselves, with runs of the last one and of zeros.
    fn lengths(bits: &mut Bits, code: &Self, alphabet: usize) -> Option<Vec<u8>> {
        let mut left = alphabet;
        if bits.read(1)? == 1 {
            let width = 2 + 2 * bits.read(3)?;
            left = 2 + bits.read(width)? as usize;
            (left <= alphabet).then_some(())?;
        }
        let (mut lengths, mut last) = (Vec::with_capacity(alphabet), 8);
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (length, count) = match code.symbol(bits)? {
                16 => (last, 3 + bits.read(2)?),
                17 => (0, 3 + bits.read(3)?),
                18 => (0, 11 + bits.read(7)?),
                length => (length as u8, 1),
            };
            if length > 0 {
                last = length;
            }
            lengths.resize(lengths.len() + count as usize, length);
        }
        (lengths.len() <= alphabet).then_some(())?;
        lengths.resize(alphabet, 0);
        Some(lengths)
    }

    /// Reads a symbol; a single one needs no bits.
    fn symbol(&self, bits: &mut Bits) -> Option<u16> {
        if let [single] = self.symbols[..] {
            return Some(single);
        }
        // Codes of each length follow those of the length before.
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in self.counts.iter().skip(1).map(|&count| u32::from(count)) {
            code = code << 1 | bits.read(1)?;
            first <<= 1;
            if code < first + count {
                return self.symbols.get((index + code - first) as usize).copied();
            }
            first += count;
            index += count;
        }
        None
    }
}

/// Bits of the picture, the least significant of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl Bits<'_> {
    /// Reads the size of a picture, between its mark and its version.
    fn size(&mut self) -> Option<(u32, u32)> {
        let mark = self.read(8)?;
        let size = (self.read(14)? + 1, self.read(14)? + 1);
        // Whether it has alpha, and the version.
        self.read(4)?;
        (mark == 0x2f).then_some(size)
    }

    /// Reads a number of at most 24 bits.
    fn read(&mut self, count: u32) -> Option<u32> {
        let (byte, shift) = (self.at / 8, self.at % 8);
        self.at += count as usize;
        if self.at > 8 * self.bytes.len() {
            return None;
        }
        let bytes = self.bytes.get(byte..).unwrap_or_default();
        let four = bytes.iter().take(4).rev().fold(0, |four, &byte| four << 8 | u32::from(byte));
        Some(four >> shift & ((1 << count) - 1))
    }
}
