//! What no other tool's file shows: blocks, files that were never finished, and headers that lie.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_bytes: 100_000, max_samples: 10_000 };

/// A mono or stereo file of 16 bits at 1 kHz, with the lengths that are given.
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
fn files_that_were_written_into_a_pipe_go_on_to_their_end() {
    for (riff, data) in [(0, 0), (36, 0), (u32::MAX, u32::MAX), (0x7fff_f024, 0x7fff_f000)] {
        let bytes = file(1, riff, data, &[16384, -32768, 0]);
        let recording = whole(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(recording.channels[0].samples, [0.5, -1.0], "{riff} {data}");
        assert_eq!(recording.sample_rate_hz, Some(1000.0));
    }
}

/// Six hours at 48 kHz are as long as some programs' placeholders: what follows the samples is none of them.
#[test]
fn a_length_that_may_be_a_placeholder_is_the_most_that_is_read() {
    let limits = Limits { max_bytes: u64::MAX, max_samples: u64::MAX };
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
    // As long as it says, with a chunk behind its samples.
    let header = file(1, 36, 0x7fff_0000, &[]);
    let samples = io::repeat(0).take(0x7fff_0000 + 100);
    let mut reader = WavReader::new(header.chain(samples), &limits).unwrap();
    assert_eq!(reader.frames(), None);
    let mut read = 0;
    while let Some(block) = reader.next_block(1 << 22).unwrap() {
        read += block[0].len();
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
fn lengths_that_lie_are_refused() {
    for (data, message) in [
        (
            8,
            "it is not a valid WAV file: it ends after 2 of the 4 samples that it declares: it was cut short",
        ),
        (
            3,
            "it is not a valid WAV file: its 3 bytes of samples are no whole number of frames of 2 bytes",
        ),
        (
            1_000_000,
            "it holds 500000 samples, and 10000 are the limit: split it into shorter recordings",
        ),
    ] {
        assert_eq!(whole(&file(1, 100, data, &[1, 2])), Err(message.to_owned()));
    }
    let endless = whole(&file(1, 0, 0, &vec![0; 10_001])).unwrap_err();
    assert!(endless.starts_with("it holds 10001 samples"), "{endless}");
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
        let mut blocks = vec![Vec::new(); 2];
        while let Some(block) = reader.next_block(frames).unwrap() {
            prop_assert!(block[0].len() <= frames);
            for (all, part) in blocks.iter_mut().zip(block) {
                all.extend(part);
            }
        }
        for (channel, all) in blocks.iter().enumerate() {
            let expected: Vec<f32> =
                samples.iter().map(|s| f32::from(s[channel]) / 32768.0).collect();
            prop_assert_eq!(all, &expected);
        }
        let recording = whole(&bytes).unwrap();
        let channels: Vec<Vec<f32>> = recording.channels.into_iter().map(|c| c.samples).collect();
        prop_assert_eq!(channels, blocks);
    }
}
