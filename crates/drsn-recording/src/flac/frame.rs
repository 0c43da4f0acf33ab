//! A frame of a FLAC file: the next samples of all channels.

use super::{Fault, Stream, bits::Bits, checksum, subframe};
use crate::Limits;

/// Fourteen bits that begin a frame, and a zero.
const SYNC: u64 = 0x7ffc;

/// The samples of a frame, in memory that the next one uses again.
#[derive(Debug, Default)]
pub(super) struct Frame {
    channels: Vec<Vec<i64>>,
}

/// How the channels of a frame are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairing {
    Independent,
    LeftSide,
    SideRight,
    MidSide,
}

/// The header of a frame.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Samples of each channel, at least 1.
    block: usize,
    pairing: Pairing,
}

impl Frame {
    /// Samples of each channel.
    pub(super) fn len(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// The samples of each channel, as integers.
    pub(super) fn channels(&self) -> impl Iterator<Item = &[i64]> {
        self.channels.iter().map(Vec::as_slice)
    }

    /// The samples of a channel, scaled to [-1, 1).
    pub(super) fn samples(&self, channel: usize, depth: u32) -> impl Iterator<Item = f32> {
        // Multiplying by a power of two is exact: only 32 bits are rounded, to 24.
        let scale = 1.0 / (1_u64 << (depth - 1)) as f32;
        let samples = self.channels.get(channel).map_or(&[][..], Vec::as_slice);
        samples.iter().map(move |&sample| sample as f32 * scale)
    }

    /// Decodes the frame at the start of `bytes`, which `bits` reads, after `read` samples of each
    /// channel.
    pub(super) fn decode(
        &mut self,
        bits: &mut Bits<'_>,
        bytes: &[u8],
        stream: &Stream,
        read: u64,
        limits: &Limits,
    ) -> Result<(), Fault> {
        let header = Header::read(bits, bytes, stream)?;
        let shape = [read + header.block as u64, stream.channels as u64];
        limits.check_shape(shape).map_err(Fault::Refused)?;
        self.decode_channels(bits, header, stream, limits)?;
        bits.align();
        let end = bits.position();
        let stated = bits.read(16)?;
        let found = checksum::sixteen(bytes.get(..end).unwrap_or_default());
        if !checksum::agree(u64::from(found), stated) {
            return Err(Fault::Damaged("a frame does not agree with its checksum"));
        }
        Ok(())
    }

    fn decode_channels(
        &mut self,
        bits: &mut Bits<'_>,
        Header { block, pairing }: Header,
        stream: &Stream,
        limits: &Limits,
    ) -> Result<(), Fault> {
        self.channels.resize_with(stream.channels, Vec::new);
        for (index, samples) in self.channels.iter_mut().enumerate() {
            limits.check_time().map_err(Fault::Refused)?;
            // The difference of two channels needs one more bit.
            let is_side = match pairing {
                Pairing::Independent => false,
                Pairing::SideRight => index == 0,
                Pairing::LeftSide | Pairing::MidSide => index == 1,
            };
            samples.clear();
            subframe::decode(bits, block, stream.depth + u32::from(is_side), samples)?;
        }
        self.unpair(pairing);
        let limit = 1 << (stream.depth - 1);
        let fits = |&sample: &i64| (-limit..limit).contains(&sample);
        if pairing != Pairing::Independent && !self.channels.iter().flatten().all(fits) {
            return Err(Fault::Damaged("a sample has more bits than the file declares"));
        }
        Ok(())
    }

    fn unpair(&mut self, pairing: Pairing) {
        let [first, second] = &mut self.channels[..] else { return };
        for (a, b) in first.iter_mut().zip(second) {
            match pairing {
                Pairing::Independent => {}
                Pairing::LeftSide => *b = *a - *b,
                Pairing::SideRight => *a += *b,
                Pairing::MidSide => {
                    // The last bit of the sum is that of the difference, and was left out.
                    let sum = *a << 1 | *b & 1;
                    (*a, *b) = ((sum + *b) >> 1, (sum - *b) >> 1);
                }
            }
        }
    }
}

impl Header {
    fn read(bits: &mut Bits<'_>, bytes: &[u8], stream: &Stream) -> Result<Self, Fault> {
        if bits.read(15)? != SYNC {
            return Err(Fault::Damaged("a frame does not begin where one is due"));
        }
        // Whether all blocks have one size does not matter here.
        bits.read(1)?;
        let [size, rate, pairing, depth, reserved] =
            [bits.read(4)?, bits.read(4)?, bits.read(4)?, bits.read(3)?, bits.read(1)?];
        skip_number(bits)?;
        let block = block(bits, size)?;
        let rate = sample_rate(bits, rate)?;
        let end = bits.position();
        let stated = bits.read(8)?;
        let found = checksum::eight(bytes.get(..end).unwrap_or_default());
        if !checksum::agree(u64::from(found), stated) {
            return Err(Fault::Damaged("the header of a frame does not agree with its checksum"));
        }
        let (channels, pairing) = match pairing {
            0..=7 => (pairing as usize + 1, Pairing::Independent),
            8 => (2, Pairing::LeftSide),
            9 => (2, Pairing::SideRight),
            10 => (2, Pairing::MidSide),
            _ => return Err(RESERVED),
        };
        let depth = match depth {
            0 => stream.depth,
            1 => 8,
            2 => 12,
            4 => 16,
            5 => 20,
            6 => 24,
            7 => 32,
            _ => return Err(RESERVED),
        };
        if reserved != 0 {
            return Err(RESERVED);
        }
        let is_same = channels == stream.channels && depth == stream.depth;
        if !is_same || rate.is_some_and(|rate| rate != u64::from(stream.sample_rate)) {
            return Err(Fault::Damaged(
                "a frame has other channels, bits or another sample rate than the file declares",
            ));
        }
        Ok(Self { block, pairing })
    }
}

const RESERVED: Fault = Fault::Damaged("the header of a frame has a reserved value");

/// Passes over the number of the frame or its first sample: one byte, or several of which the first
/// has as many ones at its start as there are bytes.
fn skip_number(bits: &mut Bits<'_>) -> Result<(), Fault> {
    let first = bits.read(8)? as u8;
    let more = match first.leading_ones() {
        0 => 0,
        ones @ 2..=7 => ones - 1,
        _ => return Err(RESERVED),
    };
    bits.read(8 * more).map(|_| ())
}

/// Samples of each channel, by the code for it.
fn block(bits: &mut Bits<'_>, code: u64) -> Result<usize, Fault> {
    let size = match code {
        0 => return Err(RESERVED),
        1 => 192,
        2..=5 => 144 << code,
        6 => bits.read(8)? + 1,
        7 => bits.read(16)? + 1,
        _ => 1 << code,
    };
    Ok(size as usize)
}

/// Hertz, by the code for it; `None` if it is that of the file.
fn sample_rate(bits: &mut Bits<'_>, code: u64) -> Result<Option<u64>, Fault> {
    const RATES: [u64; 11] =
        [88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
    Ok(match code {
        0 => None,
        12 => Some(1000 * bits.read(8)?),
        13 => Some(bits.read(16)?),
        14 => Some(10 * bits.read(16)?),
        code => Some(*RATES.get(code as usize - 1).ok_or(RESERVED)?),
    })
}
