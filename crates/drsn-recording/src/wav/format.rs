//! The chunk of a WAV file that describes its samples.

use super::malformed;
use crate::{
    RecordingError,
    limits::check_channels,
    number::{ByteOrder, NumberKind},
};

/// The format of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    /// At least 1.
    pub(super) channels: usize,
    /// Hertz, at least 1.
    pub(super) sample_rate: u32,
    /// Bytes of one sample of every channel, at least 1.
    pub(super) frame_bytes: usize,
    pub(super) encoding: Encoding,
}

/// The encoding of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Integers of one to four bytes; 128 stands for zero in one byte. Fewer bits are left-aligned.
    Pcm1,
    Pcm2,
    Pcm3,
    Pcm4,
    Float(NumberKind),
}

/// The bytes after the code in the identifier of an extensible format.
const EXTENSIBLE: [u8; 14] = [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];

impl Format {
    pub(super) fn parse(chunk: &[u8]) -> Result<Self, RecordingError> {
        let Some((&[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, a0, a1, b0, b1], rest)) =
            chunk.split_first_chunk()
        else {
            return Err(malformed("the description of its samples is too short"));
        };
        let code = match (u16::from_le_bytes([t0, t1]), rest.get(8..)) {
            (0xfffe, Some([low, high, rest @ ..])) if *rest == EXTENSIBLE => {
                u16::from_le_bytes([*low, *high])
            }
            (code, _) => code,
        };
        let channels = usize::from(u16::from_le_bytes([c0, c1]));
        let sample_rate = u32::from_le_bytes([r0, r1, r2, r3]);
        let frame_bytes = usize::from(u16::from_le_bytes([a0, a1]));
        let bits = u16::from_le_bytes([b0, b1]);
        if channels == 0 || sample_rate == 0 {
            return Err(malformed("it has no channels, or a sample rate of zero"));
        }
        check_channels(channels as u64)?;
        let encoding = Encoding::of(code, bits)?;
        if frame_bytes != channels * encoding.bytes() {
            return Err(malformed(format!(
                "{channels} channels of {bits} bits do not fill frames of {frame_bytes} bytes"
            )));
        }
        Ok(Self { channels, sample_rate, frame_bytes, encoding })
    }
}

impl Encoding {
    fn of(code: u16, bits: u16) -> Result<Self, RecordingError> {
        match (code, bits) {
            (1, 1..=8) => Ok(Self::Pcm1),
            (1, 9..=16) => Ok(Self::Pcm2),
            (1, 17..=24) => Ok(Self::Pcm3),
            (1, 25..=32) => Ok(Self::Pcm4),
            (3, 32) => Ok(Self::Float(NumberKind::F32)),
            (3, 64) => Ok(Self::Float(NumberKind::F64)),
            (1, _) => Err(unsupported(&format!("{bits}-bit integers"))),
            (3, _) => Err(unsupported(&format!("{bits}-bit floats"))),
            (code, _) => Err(unsupported(&codec(code))),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Pcm1 => 1,
            Self::Pcm2 => 2,
            Self::Pcm3 => 3,
            Self::Pcm4 => 4,
            Self::Float(kind) => kind.size(),
        }
    }

    /// Appends the samples in `bytes`: n-bit integers divided by 2ⁿ⁻¹, floats as they are.
    pub(super) fn decode(self, bytes: &[u8], numbers: &mut Vec<f32>) {
        const FULL: f32 = 2_147_483_648.0;
        // Dividing by a power of two is exact: only 32 bits are rounded, to 24.
        let scale = |sample: [u8; 4]| i32::from_le_bytes(sample) as f32 / FULL;
        match self {
            Self::Pcm1 => numbers.extend(bytes.iter().map(|&b| (f32::from(b) - 128.0) / 128.0)),
            Self::Pcm2 => {
                numbers.extend(bytes.as_chunks().0.iter().map(|&[a, b]| scale([0, 0, a, b])));
            }
            Self::Pcm3 => {
                numbers.extend(bytes.as_chunks().0.iter().map(|&[a, b, c]| scale([0, a, b, c])));
            }
            Self::Pcm4 => numbers.extend(bytes.as_chunks().0.iter().map(|&sample| scale(sample))),
            Self::Float(kind) => kind.decode(ByteOrder::Little, bytes, numbers),
        }
    }
}

fn unsupported(what: &str) -> RecordingError {
    RecordingError::Unsupported(format!(
        "it is a WAV file of {what}, which is not supported: save it as PCM of 8, 16, 24 or 32 bits, \
         or as floats"
    ))
}

/// The name of a compressed format.
fn codec(code: u16) -> String {
    match code {
        0x02 => "Microsoft ADPCM",
        0x06 => "A-law",
        0x07 => "µ-law",
        0x11 => "IMA ADPCM",
        0x31 => "GSM 6.10",
        0x50 => "MPEG audio",
        0x55 => "MP3",
        0xff | 0x1610 => "AAC",
        0x160..=0x163 => "Windows Media Audio",
        0x2000 => "AC-3",
        0xf1ac => "FLAC",
        code => return format!("the unknown codec {code:#06x}"),
    }
    .to_owned()
}
