//! AIFF and AIFF-C: big-endian PCM of up to 32 bits, and in AIFF-C also other byte orders, floats,
//! A-law and µ-law.
//!
//! The description may follow the samples, so the whole file is needed.

use std::io::Read as _;

use crate::{
    Limits, Recording, RecordingError, RecordingFormat, Selection,
    audio::{Encoding, Frames, Layout, Length, MAX_CHUNKS},
    limits::check_channels,
    number::{ByteOrder, NumberKind},
};

/// Whether the bytes start like an AIFF file. A table may start with the same four letters.
pub(crate) fn is_aiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FORM") && matches!(bytes.get(8..12), Some(b"AIFF" | b"AIFC"))
}

/// Lengths from here on may be placeholders of programs that cannot seek, or true: then no more
/// samples follow.
const PLACEHOLDERS: u64 = 0x7f00_0000;

pub(crate) fn read(
    bytes: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let Parts { description, samples } = Parts::of(bytes)?;
    let (layout, frames) = describe(description)?;
    let (length, samples) = samples.ok_or_else(|| malformed("it has no samples"))?;
    // The two lengths often differ in files that were not finished. Reading goes by that of the
    // samples if it is there.
    let counted = frames * layout.frame_bytes() as u64;
    let (most, declared) = match (length, counted) {
        (None, 0) => (u64::MAX, u64::MAX),
        (None | Some(0), _) => (counted, counted),
        (Some(length), 0) => (length, length),
        (Some(length), _) => (length, counted),
    };
    let declared = Some(declared).filter(|&bytes| bytes < PLACEHOLDERS);
    let length = Length { most, declared };
    let available = Some(samples.len() as u64);
    Frames::new(samples.take(u64::MAX), layout, length, available, limits)?
        .into_recording(selection)
}

/// The chunks of a file that are needed.
#[derive(Default)]
struct Parts<'a> {
    description: &'a [u8],
    /// The declared length of the samples in bytes, if any, and all bytes from the first of them to
    /// the end of the file.
    samples: Option<(Option<u64>, &'a [u8])>,
}

impl<'a> Parts<'a> {
    fn of(file: &'a [u8]) -> Result<Self, RecordingError> {
        if !is_aiff(file) {
            return Err(malformed("it does not start with FORM and AIFF or AIFC"));
        }
        let mut parts = Self::default();
        let mut rest = file.get(12..).unwrap_or_default();
        for _ in 0..MAX_CHUNKS {
            let Some((&[a, b, c, d, s0, s1, s2, s3], content)) = rest.split_first_chunk() else {
                return Ok(parts);
            };
            let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
            let (chunk, after) = content.split_at(size.min(content.len()));
            match &[a, b, c, d] {
                b"COMM" if chunk.len() < size => {
                    return Err(malformed("it ends in the description of its samples"));
                }
                b"COMM" => parts.description = chunk,
                b"SSND" => parts.samples = Some(sound(size, content)?),
                _ => {}
            }
            // Chunks of odd length are padded.
            rest = after.get(size % 2..).unwrap_or_default();
        }
        Err(malformed(format!("it has more than {MAX_CHUNKS} chunks")))
    }
}

/// The declared length of the samples, and where they begin, from the content of their chunk.
fn sound(size: usize, content: &[u8]) -> Result<(Option<u64>, &[u8]), RecordingError> {
    let cut = || malformed("it ends before its first sample: it was truncated");
    // An offset, and the size of blocks, which need not be known to read them.
    let (&[o0, o1, o2, o3, ..], rest) = content.split_first_chunk::<8>().ok_or_else(cut)?;
    let offset = u32::from_be_bytes([o0, o1, o2, o3]) as usize;
    // A size of zero does not include even these numbers: it was never set.
    let length = (size > 0).then(|| size.saturating_sub(8).saturating_sub(offset) as u64);
    Ok((length, rest.get(offset..).ok_or_else(cut)?))
}

/// Reads the chunk that describes the samples: their layout, and how many there are a channel.
fn describe(chunk: &[u8]) -> Result<(Layout, u64), RecordingError> {
    let Some((&[c0, c1, f0, f1, f2, f3, b0, b1], rest)) = chunk.split_first_chunk() else {
        return Err(malformed("it has no description of its samples"));
    };
    let (rate, rest) =
        rest.split_first_chunk().ok_or_else(|| malformed("it has no sample rate"))?;
    let channels = u16::from_be_bytes([c0, c1]);
    if channels == 0 {
        return Err(malformed("it has no channels"));
    }
    check_channels(u64::from(channels))?;
    let sample_rate = extended(*rate);
    if !(sample_rate.is_finite() && sample_rate > 0.0) {
        return Err(malformed("its sample rate is not a number above zero"));
    }
    let bits = u16::from_be_bytes([b0, b1]);
    // Only AIFF-C names an encoding.
    let code = *rest.first_chunk().unwrap_or(b"NONE");
    let (encoding, order) = encoding(code, bits)?;
    let layout = Layout { channels: usize::from(channels), sample_rate, encoding, order };
    Ok((layout, u64::from(u32::from_be_bytes([f0, f1, f2, f3]))))
}

fn encoding(code: [u8; 4], bits: u16) -> Result<(Encoding, ByteOrder), RecordingError> {
    let name = || code.escape_ascii();
    let signed = |least: u16, most: u16| {
        Encoding::signed(bits).filter(|_| (least..=most).contains(&bits)).ok_or_else(|| {
            RecordingError::Unsupported(format!(
                "it is an AIFF file of {bits}-bit integers of the kind {}, which is not supported: \
                 save it as PCM of 8, 16, 24 or 32 bits",
                name()
            ))
        })
    };
    let encoding = match &code {
        b"NONE" | b"twos" | b"sowt" => signed(1, 32)?,
        b"raw " if bits <= 8 => Encoding::Unsigned1,
        // libsndfile gives the little-endian ones each other's names: the bits decide.
        b"in24" | b"in32" | b"23ni" | b"42n1" => signed(17, 32)?,
        b"fl32" | b"FL32" => Encoding::Float(NumberKind::F32),
        b"fl64" | b"FL64" => Encoding::Float(NumberKind::F64),
        b"ulaw" | b"ULAW" => Encoding::MuLaw,
        b"alaw" | b"ALAW" => Encoding::ALaw,
        _ => {
            return Err(RecordingError::Unsupported(format!(
                "it is an AIFF file compressed as {}, which is not supported: save it as PCM or as \
                 floats",
                name()
            )));
        }
    };
    let order = match &code {
        b"sowt" | b"42n1" | b"23ni" => ByteOrder::Little,
        _ => ByteOrder::Big,
    };
    Ok((encoding, order))
}

/// An 80-bit float: 1 sign bit, 15 exponent bits with bias 16383, 64 bits before and after the
/// point.
fn extended(bytes: [u8; 10]) -> f64 {
    let [e0, e1, fraction @ ..] = bytes;
    let head = u16::from_be_bytes([e0, e1]);
    let exponent = i32::from(head & 0x7fff) - 16383 - 63;
    let magnitude = u64::from_be_bytes(fraction) as f64 * 2_f64.powi(exponent);
    if head >> 15 == 1 { -magnitude } else { magnitude }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Aiff, reason)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const LIMITS: Limits = Limits::new(100_000, 10_000);

    fn chunk(id: &[u8], length: u32, content: &[u8]) -> Vec<u8> {
        [id, &length.to_be_bytes(), content].concat()
    }

    /// A stereo description at 48 kHz with this number of samples.
    fn description(frames: u32, bits: u8, rest: &[u8]) -> Vec<u8> {
        let rate = [0x40, 0x0e, 0xbb, 0x80, 0, 0, 0, 0, 0, 0];
        let content = [&[0, 2][..], &frames.to_be_bytes(), &[0, bits], &rate, rest].concat();
        chunk(b"COMM", content.len() as u32, &content)
    }

    fn sound(length: u32, offset: u32, samples: &[i16]) -> Vec<u8> {
        let samples: Vec<u8> = samples.iter().flat_map(|s| s.to_be_bytes()).collect();
        let padding = vec![9; offset as usize];
        let content = [&offset.to_be_bytes()[..], &[0; 4], &padding, &samples].concat();
        chunk(b"SSND", length, &content)
    }

    fn file(kind: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
        [&b"FORM\0\0\0\0"[..], kind, &chunks.concat()].concat()
    }

    fn whole(bytes: &[u8]) -> Result<Recording, String> {
        read(bytes, &Selection::default(), &LIMITS).map_err(|error| error.to_string())
    }

    const SAMPLES: [i16; 4] = [16384, 0, -32768, 8192];

    #[test]
    fn lengths_that_differ_go_by_the_samples_that_are_there() {
        // Declared samples a channel, the length of their chunk, and what is said.
        for (frames, length, said) in [
            (2, 16, None),
            (2, 800, None),
            (2, 0, None),
            (2, 8, None),
            (0, 16, None),
            (0, 0, None),
            (0x1fc0_0000, 0x7f00_0008, None),
            (1, 16, None),
            (3, 16, Some("3")),
            (1000, 4008, Some("1,000")),
            (0, 4008, Some("1,000")),
        ] {
            let bytes = file(b"AIFF", &[description(frames, 16, b""), sound(length, 0, &SAMPLES)]);
            let recording = whole(&bytes).unwrap();
            assert_eq!(recording.samples, array![[0.5, -1.0], [0.0, 0.25]], "{frames} {length}");
            let expected = said.map(|declared| {
                format!("the file declares {declared} samples a channel and has 2: those were read")
            });
            let said = recording.notices.into_iter().next().map(|notice| notice.message);
            assert_eq!(said, expected, "{frames} {length}");
        }
    }

    #[test]
    fn chunks_come_in_any_order_and_samples_may_begin_later() {
        let name = chunk(b"NAME", 3, b"abc\0");
        let bytes =
            file(b"AIFF", &[name.clone(), sound(20, 4, &SAMPLES), name, description(2, 16, b"")]);
        assert_eq!(whole(&bytes).unwrap().samples, array![[0.5, -1.0], [0.0, 0.25]]);
    }

    #[test]
    fn what_cannot_be_read_is_rejected_with_its_reason() {
        let with = |bits, code: &[u8]| {
            whole(&file(b"AIFC", &[description(2, bits, code), sound(16, 0, &SAMPLES)]))
        };
        for (bits, code, reason) in [
            (16, &b"ima4"[..], "compressed as ima4"),
            (16, b"raw ", "compressed as raw "),
            (0, b"NONE", "0-bit integers of the kind NONE"),
            (33, b"NONE", "33-bit integers"),
            (16, b"in24", "16-bit integers of the kind in24"),
        ] {
            let error = with(bits, code).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(with(16, b"sowt").unwrap().samples.column(0).to_vec(), [64.0 / 32768.0, 0.0]);
        for (chunks, reason) in [
            (vec![description(2, 16, b"")], "it has no samples"),
            (vec![sound(16, 0, &SAMPLES)], "it has no description of its samples"),
            (vec![chunk(b"COMM", 18, &[0, 1])], "it ends in the description of its samples"),
            (vec![chunk(b"SSND", 18, &[0, 1])], "it ends before its first sample"),
            (vec![chunk(b"NAME", 0, b""); 10_000], "it has more than 10000 chunks"),
        ] {
            let error = whole(&file(b"AIFF", &chunks)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(
            whole(b"FORM").unwrap_err(),
            malformed("it does not start with FORM and AIFF or AIFC").to_string()
        );
        let name = chunk(b"NAME", 4, b"abcd");
        let no_samples = file(b"AIFF", &[description(0, 16, b""), sound(8, 0, &[]), name]);
        assert_eq!(whole(&no_samples).unwrap_err(), RecordingError::Empty.to_string());
    }

    #[test]
    fn sample_rates_are_80_bit_floats() {
        let rate = |head: u16, fraction: u64| {
            let bytes = [&head.to_be_bytes()[..], &fraction.to_be_bytes()].concat();
            extended(*bytes.first_chunk().unwrap())
        };
        assert_eq!(rate(0x400e, 0xbb80 << 48).to_bits(), f64::to_bits(48_000.0));
        assert_eq!(rate(0x400e, 0xbb80_8000 << 32).to_bits(), f64::to_bits(48_000.5));
        assert_eq!(rate(0x3ffe, 1 << 63).to_bits(), f64::to_bits(0.5));
        assert_eq!(rate(0xbfff, 1 << 63).to_bits(), f64::to_bits(-1.0));
        assert_eq!(rate(0, 1 << 63).to_bits(), f64::to_bits(0.0));
        assert_eq!(rate(0x7fff, 1 << 63).to_bits(), f64::to_bits(f64::INFINITY));
        let mut bytes = file(b"AIFF", &[description(2, 16, b""), sound(16, 0, &SAMPLES)]);
        bytes[28] = 0xc0;
        assert!(whole(&bytes).unwrap_err().contains("its sample rate is not a number above zero"));
    }
}
