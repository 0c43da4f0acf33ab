//! The markers of a JPEG file, read before it is decoded: its frame, and how much work each of its
//! scans is.
//!
//! A decoder fills missing parts with grey and visits every block of a scan, however short the scan
//! is. So a file must be whole: each scan has at least the bits that its blocks cannot do without.

mod coding;
mod unended;

pub(super) use coding::unsupported;
pub(super) use unended::with_end;

/// Most components of a frame.
const MAX_COMPONENTS: usize = 4;
/// Largest sampling factor.
const MAX_SAMPLING: u64 = 4;
/// Blocks that one code of a progressive scan can skip, and the bits of such a code.
const LONGEST_RUN: u64 = 32_767;
const BITS_OF_A_RUN: u64 = 15;

/// What the markers of a whole JPEG file say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) components: u64,
    /// Whether all coefficients are kept until the last scan: it is progressive, or the first scan
    /// does not have all components.
    pub(super) keeps_coefficients: bool,
    /// Blocks of 8 x 8 samples of all components, with the padding to whole units.
    pub(super) blocks: u64,
    /// Blocks that all scans visit together.
    pub(super) visits: u64,
    /// Bytes of entropy-coded data.
    pub(super) coded_bytes: u64,
    /// Segments: tables, metadata, scans.
    pub(super) segments: u64,
}

#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    across: u64,
    down: u64,
}

struct Frame {
    is_progressive: bool,
    width: u64,
    height: u64,
    components: Vec<Component>,
    /// Largest sampling factors.
    across: u64,
    down: u64,
}

/// Reads the markers up to the end of the image; `None` if the file is damaged, cut short, or of a
/// kind that is not supported: arithmetic or lossless coding, 12 bits, a height that follows later.
pub(super) fn survey(bytes: &[u8]) -> Option<Survey> {
    let mut rest = bytes.get(2..)?;
    let mut frame: Option<Frame> = None;
    let mut survey = Survey::default();
    let mut scans = 0_u64;
    loop {
        let (marker, tail) = marker(rest)?;
        if marker == 0xd9 {
            return (scans > 0).then_some(survey);
        }
        let (content, after) = segment(tail)?;
        survey.segments += 1;
        rest = after;
        match marker {
            0xc0..=0xc2 if frame.is_none() => {
                let read = Frame::read(content, marker == 0xc2)?;
                survey.describe(&read);
                frame = Some(read);
            }
            // Huffman tables; 0xc8 and 0xcc belong to kinds that are not supported.
            0xc4 => {}
            // Other frames, parts without a length, a second image, a height that follows later.
            0xc0..=0xcf | 0x00..=0x01 | 0xd0..=0xd8 | 0xdc => return None,
            0xda => {
                let scan = frame.as_ref()?.scan(content)?;
                let (coded, after) = coded(after)?;
                if coded.saturating_mul(8) < scan.least_bits {
                    return None;
                }
                survey.keeps_coefficients |= scans == 0 && !scan.has_all;
                survey.visits = survey.visits.saturating_add(scan.blocks);
                survey.coded_bytes += coded;
                scans += 1;
                rest = after;
            }
            _ => {}
        }
    }
}

/// The next marker, behind any number of fill bytes, and what follows it.
fn marker(mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = rest.get(1..)?,
            [0xff, marker, tail @ ..] => return Some((*marker, tail)),
            _ => return None,
        }
    }
}

/// The content of a segment, without its length, and what follows it.
fn segment(tail: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes(*tail.first_chunk()?));
    let (segment, after) = tail.split_at_checked(length)?;
    Some((segment.get(2..)?, after))
}

/// The number of entropy-coded bytes at the start, and what follows them: a marker.
fn coded(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut length = 0_u64;
    let mut at = 0;
    loop {
        let plain = bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        length += plain as u64;
        at += plain;
        match bytes.get(at + 1)? {
            // A coded 0xff, followed by 0.
            0x00 => {
                length += 1;
                at += 2;
            }
            0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some((length, bytes.get(at..)?)),
        }
    }
}

impl Survey {
    fn describe(&mut self, frame: &Frame) {
        self.width = frame.width;
        self.height = frame.height;
        self.components = frame.components.len() as u64;
        self.keeps_coefficients = frame.is_progressive;
        self.blocks = frame.units() * frame.components.iter().map(Component::blocks).sum::<u64>();
    }
}

impl Component {
    /// Its blocks in each unit of the frame.
    fn blocks(&self) -> u64 {
        self.across * self.down
    }
}

/// One scan over some components.
struct Scan {
    blocks: u64,
    /// Bits that even a scan without content needs.
    least_bits: u64,
    has_all: bool,
}

impl Frame {
    fn read(content: &[u8], is_progressive: bool) -> Option<Self> {
        let (&[precision, h0, h1, w0, w1, count], rest) = content.split_first_chunk()?;
        let components: Vec<Component> = rest
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[id, factors, _]| Component {
                id,
                across: u64::from(factors >> 4),
                down: u64::from(factors & 15),
            })
            .collect();
        let is_sampling = |factor: u64| (1..=MAX_SAMPLING).contains(&factor);
        let is_sound = precision == 8
            && components.len() == usize::from(count)
            && rest.len() == 3 * components.len()
            && (1..=MAX_COMPONENTS).contains(&components.len())
            && components.iter().all(|c| is_sampling(c.across) && is_sampling(c.down));
        let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
        let frame = Self {
            is_progressive,
            width: width.into(),
            height: height.into(),
            across: components.iter().map(|c| c.across).max()?,
            down: components.iter().map(|c| c.down).max()?,
            components,
        };
        (is_sound && width > 0 && height > 0).then_some(frame)
    }

    /// Units of interleaved blocks.
    fn units(&self) -> u64 {
        self.width.div_ceil(8 * self.across) * self.height.div_ceil(8 * self.down)
    }

    fn scan(&self, content: &[u8]) -> Option<Scan> {
        let (&count, rest) = content.split_first()?;
        let (ids, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, _, _] = rest else { return None };
        let of_id = |pair: &[u8; 2]| self.components.iter().find(|c| c.id == pair[0]);
        let components: Option<Vec<&Component>> = ids.as_chunks().0.iter().map(of_id).collect();
        let components = components?;
        let blocks = match components[..] {
            [] => return None,
            [one] => {
                (self.width * one.across).div_ceil(8 * self.across)
                    * (self.height * one.down).div_ceil(8 * self.down)
            }
            _ => self.units() * components.iter().map(|c| c.blocks()).sum::<u64>(),
        };
        let least_bits = match (self.is_progressive, first) {
            // A code for the mean and one for the end of the block.
            (false, _) => 2 * blocks,
            (true, 0) => blocks,
            (true, _) => {
                // A shorter run has a shorter code.
                let rest = (blocks % LONGEST_RUN).checked_ilog2().map_or(0, |bits| bits + 1);
                blocks / LONGEST_RUN * BITS_OF_A_RUN + u64::from(rest)
            }
        };
        Some(Scan { blocks, least_bits, has_all: components.len() == self.components.len() })
    }
}
