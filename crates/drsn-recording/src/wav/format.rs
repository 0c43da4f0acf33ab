//! The chunk of a WAV file that describes its samples.

use super::malformed;
use crate::{
    RecordingError,
    audio::{Encoding, Layout},
    limits::check_channels,
    number::{ByteOrder, NumberKind},
};

/// The bytes after the code in the identifier of an extensible format: of the usual kind, and of
/// ambisonic sound.
const EXTENSIBLE: [[u8; 14]; 2] = [
    [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113],
    [0, 0, 0x21, 0x07, 0xd3, 0x11, 0x86, 0x44, 0xc8, 0xc1, 0xca, 0, 0, 0],
];

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const IS_EXTENSIBLE: u16 = 0xfffe;

/// Reads the chunk, of which the first 40 bytes are enough.
pub(super) fn parse(chunk: &[u8], order: ByteOrder) -> Result<Layout, RecordingError> {
    let Some((&[t0, t1, c0, c1, r0, r1, r2, r3, b0, b1, b2, b3, a0, a1, n0, n1], rest)) =
        chunk.split_first_chunk()
    else {
        return Err(malformed("the description of its samples is too short"));
    };
    let code = match (order.u16([t0, t1]), rest.get(8..)) {
        (IS_EXTENSIBLE, Some([low, high, rest @ ..]))
            if EXTENSIBLE.iter().any(|kind| kind == rest) =>
        {
            order.u16([*low, *high])
        }
        (code, _) => code,
    };
    let channels = usize::from(order.u16([c0, c1]));
    let sample_rate = order.u32([r0, r1, r2, r3]);
    let byte_rate = u64::from(order.u32([b0, b1, b2, b3]));
    let frame_bytes = usize::from(order.u16([a0, a1]));
    if channels == 0 || sample_rate == 0 {
        return Err(malformed("it has no channels, or a sample rate of zero"));
    }
    check_channels(channels as u64)?;
    let bits = match order.u16([n0, n1]) {
        // Some programs leave it to the size of a frame.
        0 if code == PCM => (8 * frame_bytes / channels) as u16,
        bits => bits,
    };
    let layout = Layout {
        channels,
        sample_rate: f64::from(sample_rate),
        encoding: encoding(code, bits)?,
        order,
    };
    // A wrong size of a frame is passed over if the byte rate agrees with the rest.
    let expected = layout.frame_bytes();
    let is_consistent = byte_rate == u64::from(sample_rate) * expected as u64;
    if frame_bytes != expected && frame_bytes != 0 && !is_consistent {
        return Err(malformed(format!(
            "{channels} channels of {bits} bits do not fill frames of {frame_bytes} bytes: save it with as many bits as its samples have bytes for"
        )));
    }
    Ok(layout)
}

fn encoding(code: u16, bits: u16) -> Result<Encoding, RecordingError> {
    match (code, bits) {
        (PCM, 1..=8) => Ok(Encoding::Unsigned1),
        (PCM, _) => {
            Encoding::signed(bits).ok_or_else(|| unsupported(&format!("{bits}-bit integers")))
        }
        (FLOAT, 32) => Ok(Encoding::Float(NumberKind::F32)),
        (FLOAT, 64) => Ok(Encoding::Float(NumberKind::F64)),
        (FLOAT, _) => Err(unsupported(&format!("{bits}-bit floats"))),
        // They have eight bits, whatever is declared.
        (A_LAW, _) => Ok(Encoding::ALaw),
        (MU_LAW, _) => Ok(Encoding::MuLaw),
        (code, _) => Err(unsupported(&codec(code))),
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
