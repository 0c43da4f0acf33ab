//! Cases that other tools' files do not cover: blocks, unfinished files, and false headers.

use ndarray::{Axis, array, concatenate};
use proptest::prelude::*;

use super::*;
use crate::NoticeCode;

const LIMITS: Limits = Limits::new(100_000, 10_000);

/// A 16-bit mono or stereo file at 1 kHz with these declared lengths.
fn file(channels: u8, riff: u32, data: u32, samples: &[i16]) -> Vec<u8> {
    let mut file = [b"RIFF", &riff.to_le_bytes()[..], b"WAVEfmt ", &[16, 0, 0, 0, 1, 0]].concat();
    file.extend([channels, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 2 * channels, 0, 16, 0]);
    file.extend([b"data", &data.to_le_bytes()[..]].concat());
    file.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    file
}

fn whole(bytes: &[u8]) -> Result<Recording, String> {
    read(bytes, Some(bytes.len() as u64), &Selection::default(), &LIMITS).map_err(|e| e.to_string())
}

#[test]
fn files_written_to_a_pipe_extend_to_their_end() {
    for (riff, data) in [(0, 0), (36, 0), (u32::MAX, u32::MAX), (0x7fff_f024, 0x7fff_f000)] {
        let bytes = file(1, riff, data, &[16384, -32768, 0]);
        let recording = whole(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(recording.samples, array![[0.5, -1.0]], "{riff} {data}");
        assert_eq!(recording.sample_rate_hz, Some(1000.0));
    }
}

/// Six hours at 48 kHz are as long as some programs' placeholders: bytes after the samples are not
/// samples.
#[test]
fn a_length_that_may_be_a_placeholder_is_an_upper_bound() {
    let limits = Limits::new(u64::MAX, u64::MAX);
    for (data, programs) in [
        (0x7fff_0000, "GStreamer"),
        (0x7fff_ff00, "arecord"),
        (0x7fff_ffff, "others"),
        (0x8000_0000, "arecord"),
        (0xffff_ffdb, "others"),
    ] {
        let recording = whole(&file(1, 36, data, &[16384, -32768, 0]));
        assert_eq!(recording.map(|r| r.len()), Ok(3), "{programs}");
    }
    // As long as it declares, with a chunk after its samples.
    let header = file(1, 36, 0x7fff_0000, &[]);
    let samples = io::repeat(0).take(0x7fff_0000 + 100);
    let mut reader = WavReader::new(header.chain(samples), &limits).unwrap();
    assert_eq!(reader.frames(), None);
    let mut read = 0;
    while let Some(block) = reader.next_block(1 << 22).unwrap() {
        read += block.ncols();
    }
    assert_eq!(read, 0x7fff_0000 / 2);
}

#[test]
fn a_chunk_of_odd_length_is_padded() {
    let mut bytes = file(1, 100, 4, &[1, 2]);
    bytes.splice(36..36, *b"odd \x03\0\0\0abc\0");
    assert_eq!(whole(&bytes).unwrap().len(), 2);
}

fn notices(recording: &Recording) -> Vec<&str> {
    let code = |n: &Notice| assert_eq!(n.code, NoticeCode::Truncated);
    recording.notices.iter().inspect(|n| code(n)).map(|n| &n.message[..]).collect()
}

/// A logger that was switched off leaves a file that declares more than it has, by a few bytes or
/// by almost all: the samples that are there were refused.
#[test]
fn a_file_that_was_cut_gives_its_samples_and_says_so() {
    let declares = |more: &str| {
        format!("the file declares {more} samples a channel and has 2: those were read")
    };
    for data in [6, 8, 4112, 16_000_000] {
        let recording = whole(&file(1, 100, data, &[16384, -32768])).unwrap();
        assert_eq!(recording.samples, array![[0.5, -1.0]], "{data}");
        let known = ["3", "4", "2,056", "8,000,000"].map(declares);
        assert!(known.iter().any(|k| notices(&recording) == [k.as_str()]), "{recording:?}");
    }
    // In the middle of a frame, as the file declares or not.
    let torn = "the file ends in the middle of a sample: the 1 whole samples a channel before it \
                were read";
    let bytes = file(2, 100, 7, &[16384, -32768, 1, 2]);
    assert_eq!(notices(&whole(&bytes[..51]).unwrap()), [torn]);
    assert_eq!(notices(&whole(&bytes).unwrap()), [torn]);
    let complete = whole(&file(1, 100, 4, &[1, 2])).unwrap();
    assert!(complete.notices.is_empty(), "{complete:?}");
}

#[test]
fn a_file_that_was_cut_in_its_header_is_rejected() {
    let bytes = file(1, 100, 4, &[1, 2]);
    for length in 0..44 {
        let error = whole(&bytes[..length]).unwrap_err();
        assert!(error.ends_with("it ends before its first sample: it was truncated"), "{error}");
        assert!(!WavReader::<&[u8]>::is_header_whole(&bytes[..length]));
    }
    assert!(WavReader::<&[u8]>::is_header_whole(&bytes[..44]));
    assert_eq!(whole(&bytes[..44]).unwrap_err(), RecordingError::Empty.to_string());
}

/// The streaming reader ends where the file does, and tells of it only then.
#[test]
fn blocks_of_a_file_that_was_cut_end_with_a_notice() {
    let bytes = file(1, 100, 1000, &[1, 2, 3]);
    let mut reader = WavReader::new(&bytes[..bytes.len() - 1], &LIMITS).unwrap();
    assert_eq!(reader.frames(), Some(500));
    assert_eq!(reader.next_block(2).unwrap().unwrap().ncols(), 2);
    assert!(reader.notices().is_empty());
    assert!(reader.next_block(2).unwrap().is_none());
    assert!(reader.next_block(2).unwrap().is_none());
    let [notice] = &reader.notices()[..] else { panic!("not one notice: {:?}", reader.notices()) };
    assert_eq!(notice.code.name(), "truncated");
    assert!(notice.message.starts_with("the file declares 500 samples a channel and has 2"));
}

#[test]
fn more_samples_than_the_limit_are_rejected() {
    let many = whole(&file(1, 100, 2 * 10_001, &vec![0; 10_001])).unwrap_err();
    assert!(many.starts_with("it has 10001 samples, above the limit of 10000"), "{many}");
    // Before the first is read, if the length of the file is not known.
    let bytes = file(1, 100, 90_000, &[1, 2]);
    let error = WavReader::new(&bytes[..], &LIMITS).unwrap_err().to_string();
    assert!(error.starts_with("it has 45000 samples"), "{error}");
    let endless = whole(&file(1, 0, 0, &vec![0; 10_001])).unwrap_err();
    assert!(endless.starts_with("it has 10001 samples"), "{endless}");
    assert_eq!(whole(&file(1, 100, 0, &[])).unwrap_err(), RecordingError::Empty.to_string());
}

/// A header with other numbers: the byte rate, the bytes of a frame, and the bits of a sample.
fn described(byte_rate: u32, frame: u8, bits: u8) -> Vec<u8> {
    let mut bytes = file(2, 100, 8, &[16384, -32768, 1, 2]);
    bytes[28..32].copy_from_slice(&byte_rate.to_le_bytes());
    (bytes[32], bytes[34]) = (frame, bits);
    bytes
}

#[test]
fn a_wrong_size_of_frames_is_passed_over_only_if_the_rest_agrees() {
    for (byte_rate, frame, bits) in
        [(0, 0, 16), (4000, 2, 16), (4000, 8, 16), (0, 4, 12), (0, 4, 0)]
    {
        let recording = whole(&described(byte_rate, frame, bits)).unwrap();
        let expected = array![[0.5, 1.0 / 32768.0], [-1.0, 2.0 / 32768.0]];
        assert_eq!(recording.samples, expected, "{byte_rate} {frame} {bits}");
    }
    // These may be 24 bits in four bytes, or 16 bits that are taken for 32.
    for (byte_rate, frame, bits) in [(8000, 8, 24), (4000, 4, 32), (0, 2, 16)] {
        let error = whole(&described(byte_rate, frame, bits)).unwrap_err();
        assert!(error.contains("do not fill frames of"), "{error}");
    }
}

/// A file of the kind RF64 with these lengths of its samples: beside them, and in its first chunk.
fn rf64(data: u32, long: Option<u64>, samples: &[i16]) -> Vec<u8> {
    let mut bytes = file(1, u32::MAX, data, samples);
    bytes[..4].copy_from_slice(b"RF64");
    let long = long.map(|long| {
        let sizes = [&b"ds64"[..], &28_u32.to_le_bytes(), &[0; 8], &long.to_le_bytes(), &[0; 12]];
        sizes.concat()
    });
    bytes.splice(12..12, long.unwrap_or_default());
    bytes
}

#[test]
fn the_first_chunk_of_a_long_file_has_its_length() {
    for (data, long, frames, said) in [
        (u32::MAX, Some(6), Some(3), 0),
        (6, Some(100), Some(3), 0),
        (u32::MAX, Some(4), Some(2), 0),
        (u32::MAX, Some(8), Some(4), 1),
        (u32::MAX, Some(1 << 40), Some(1 << 39), 1),
        // Programs that cannot seek leave them.
        (u32::MAX, Some(0), None, 0),
        (0, Some(0), None, 0),
        (u32::MAX, Some(u64::MAX), None, 0),
        (u32::MAX, None, None, 0),
    ] {
        let bytes = rf64(data, long, &[1, 2, 3]);
        let recording = whole(&bytes).unwrap();
        let expected = frames.unwrap_or(3).min(3) as usize;
        assert_eq!((recording.len(), recording.notices.len()), (expected, said), "{data} {long:?}");
        let limits = Limits::new(u64::MAX, u64::MAX);
        assert_eq!(WavReader::new(&bytes[..], &limits).unwrap().frames(), frames);
    }
}

#[test]
fn chunks_of_wave64_are_not_shorter_than_their_heads() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let bytes = std::fs::read(folder.join("long.w64")).unwrap();
    assert!(is_wav(&bytes));
    assert_eq!(whole(&bytes).unwrap().len(), 30);
    let at = bytes.windows(4).position(|id| id == b"data").unwrap() + 16;
    for size in [0_u64, 1, 23] {
        let mut short = bytes.clone();
        short[at..at + 8].copy_from_slice(&size.to_le_bytes());
        let error = whole(&short).unwrap_err();
        assert!(error.ends_with("one of its chunks is shorter than its head"), "{error}");
    }
    let mut long = bytes.clone();
    long[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(whole(&long).unwrap().len(), 30);
}

#[test]
fn chunks_before_the_samples_are_limited() {
    let mut bytes = file(1, 100, 4, &[1, 2]);
    bytes.splice(36..36, b"JUNK\0\0\0\0".repeat(9_998));
    assert_eq!(whole(&bytes).unwrap().len(), 2);
    bytes.splice(36..36, *b"JUNK\0\0\0\0");
    assert!(whole(&bytes).unwrap_err().ends_with("more than 10000 chunks before its samples"));
}

proptest! {
    #[test]
    fn blocks_are_the_recording(
        samples in prop::collection::vec(any::<[i16; 2]>(), 1..300), frames in 1_usize..400
    ) {
        let flat: Vec<i16> = samples.iter().flatten().copied().collect();
        let bytes = file(2, 0, 2 * flat.len() as u32, &flat);
        let mut reader = WavReader::new(&bytes[..], &LIMITS).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block(frames).unwrap() {
            prop_assert!(block.ncols() <= frames);
            blocks.push(block);
        }
        let blocks: Vec<_> = blocks.iter().map(|block| block.view()).collect();
        let all = concatenate(Axis(1), &blocks).unwrap();
        let expected = Array2::from_shape_fn((2, samples.len()), |(channel, at)| {
            f32::from(samples[at][channel]) / 32768.0
        });
        prop_assert_eq!(&all, &expected);
        prop_assert_eq!(whole(&bytes).unwrap().samples, expected);
    }
}
