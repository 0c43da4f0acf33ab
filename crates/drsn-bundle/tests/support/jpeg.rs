//! JPEG files coded by hand, in every way that decoders know.

use super::File;

/// Bits, the most significant first, with a zero after each byte of ones as in JPEG.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    last: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.last = self.last << 1 | (value >> bit & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.last as u8);
                if self.last == 0xff {
                    self.bytes.push(0);
                }
                (self.last, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count > 0 {
            self.push(1, 1);
        }
        self.bytes
    }
}

pub(crate) fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// How a JPEG file is coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jpeg {
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Sampling factors of each component, as in the file: `0x22` for two across and two down.
    pub(crate) sampling: &'static [u8],
    pub(crate) coding: Coding,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Coding {
    Baseline,
    /// One scan for each component.
    Separate,
    /// A scan of means, then this many for each component's details, each with little content.
    Progressive(usize),
    /// As progressive, with scans that refine the details after the first of each component.
    Refining(usize),
    /// As progressive, with scans that have no bits at all.
    EmptyScans(usize),
}

/// A scan of some components.
fn scan(components: &[usize], spectrum: [u8; 3], coded: &[u8]) -> Vec<u8> {
    let mut header = vec![components.len() as u8];
    for &component in components {
        header.extend([component as u8 + 1, 0]);
    }
    header.extend(spectrum);
    [&segment(0xda, &header)[..], coded].concat()
}

impl Jpeg {
    fn blocks(&self, component: usize, is_alone: bool) -> u32 {
        let across = self.sampling.iter().map(|s| u32::from(s >> 4)).max().unwrap();
        let down = self.sampling.iter().map(|s| u32::from(s & 15)).max().unwrap();
        let own = self.sampling[component];
        let (h, v) = (u32::from(own >> 4), u32::from(own & 15));
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        if is_alone {
            (width * h).div_ceil(8 * across) * (height * v).div_ceil(8 * down)
        } else {
            width.div_ceil(8 * across) * height.div_ceil(8 * down) * h * v
        }
    }

    pub(crate) fn file(&self) -> File {
        let count = self.sampling.len();
        let all: Vec<usize> = (0..count).collect();
        let is_progressive = !matches!(self.coding, Coding::Baseline | Coding::Separate);
        let [h1, h0] = self.height.to_be_bytes();
        let [w1, w0] = self.width.to_be_bytes();
        let mut frame = vec![8, h1, h0, w1, w0, count as u8];
        for (id, &sampling) in self.sampling.iter().enumerate() {
            frame.extend([id as u8 + 1, sampling, 0]);
        }
        let table = |class: u8, codes: &[u8]| {
            let mut content = vec![class];
            let mut lengths = [0; 16];
            lengths[1] = codes.len() as u8;
            content.extend(lengths);
            content.extend(codes);
            segment(0xc4, &content)
        };
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(segment(0xdb, &[&[0][..], &[8; 64]].concat()));
        bytes.extend(segment(if is_progressive { 0xc2 } else { 0xc0 }, &frame));
        // Of two bits each: no change and a change of 3 bits; the end of a block, the longest run of
        // such ends, and a number of 2 bits.
        bytes.extend(table(0x00, &[0, 3]));
        bytes.extend(table(0x10, &[0x00, 0xe0, 0x02]));
        // A mean that changes, and some details in every block.
        let block = |bits: &mut Bits, number: u32| {
            bits.push(0b01, 2);
            bits.push(if number.is_multiple_of(2) { 0b111 } else { 0b000 }, 3);
            if !is_progressive {
                for _ in 0..number % 4 {
                    bits.push(0b10, 2);
                    bits.push(number >> 2 & 3, 2);
                }
                bits.push(0b00, 2);
            }
        };
        let blocks = |components: &[usize]| {
            let mut bits = Bits::default();
            let is_alone = components.len() == 1;
            let count: u32 = components.iter().map(|&c| self.blocks(c, is_alone)).sum();
            (0..count).for_each(|number| block(&mut bits, number));
            bits.finish()
        };
        match self.coding {
            Coding::Baseline => bytes.extend(scan(&all, [0, 63, 0], &blocks(&all))),
            Coding::Separate => {
                for &one in &all {
                    bytes.extend(scan(&[one], [0, 63, 0], &blocks(&[one])));
                }
            }
            Coding::Progressive(scans) | Coding::Refining(scans) | Coding::EmptyScans(scans) => {
                bytes.extend(scan(&all, [0, 0, 0], &blocks(&all)));
                for number in 0..scans {
                    let one = number % count;
                    let mut bits = Bits::default();
                    for _ in 0..self.blocks(one, true).div_ceil(32_767) {
                        bits.push(0b01, 2);
                        bits.push(0x3fff, 14);
                    }
                    let coded = if matches!(self.coding, Coding::EmptyScans(_)) {
                        Vec::new()
                    } else {
                        bits.finish()
                    };
                    let is_refining = matches!(self.coding, Coding::Refining(_)) && number >= count;
                    let precision = if is_refining { 0x10 } else { 0 };
                    bytes.extend(scan(&[one], [1, 63, precision], &coded));
                }
            }
        }
        bytes.extend([0xff, 0xd9]);
        File { name: format!("{self:?}"), bytes }
    }
}
