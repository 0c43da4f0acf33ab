//! Cases that other tools' files do not cover: blocks, unfinished files, and false headers.

use ndarray::{Axis, array, concatenate};
use proptest::prelude::*;

use super::*;

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
    read(bytes, &Selection::default(), &LIMITS).map_err(|e| e.to_string())
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

#[test]
fn false_lengths_are_rejected() {
    for (data, message) in [
        (
            8,
            "it is not a valid WAV file: it ends after 2 of the 4 samples that it declares: it was truncated",
        ),
        (
            3,
            "it is not a valid WAV file: its 3 bytes of samples are not a multiple of its frames of 2 bytes",
        ),
        (
            1_000_000,
            "it has 500000 samples, above the limit of 10000: split it into shorter recordings",
        ),
    ] {
        assert_eq!(whole(&file(1, 100, data, &[1, 2])), Err(message.to_owned()));
    }
    let endless = whole(&file(1, 0, 0, &vec![0; 10_001])).unwrap_err();
    assert!(endless.starts_with("it has 10001 samples"), "{endless}");
    assert_eq!(whole(&file(1, 100, 0, &[])).unwrap_err(), RecordingError::Empty.to_string());
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
