//! Frames that no encoder of others writes: of 32 bits, and damaged ones.

use proptest::prelude::*;

use super::*;
use crate::NoticeCode;

const LIMITS: Limits = Limits::new(1 << 20, 1 << 20);

/// Bits, the most significant first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    count: usize,
}

impl Writer {
    fn put(&mut self, width: u32, number: i64) {
        for bit in (0..width).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= ((number >> bit & 1) as u8) << (7 - self.count % 8);
            self.count += 1;
        }
    }
}

/// The mark and the description of a file at 48 kHz.
fn head(channels: u64, depth: u64, total: u64, md5: [u8; 16]) -> Vec<u8> {
    let numbers = 48_000 << 44 | (channels - 1) << 41 | (depth - 1) << 36 | total;
    let sizes = [0, 16, 255, 255, 0, 0, 0, 0, 0, 0];
    [b"fLaC\x80\0\0\x22", &sizes[..], &numbers.to_be_bytes(), &md5].concat()
}

/// A frame of these subframes, which write themselves.
fn frame(block: usize, pairing: i64, subframes: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.put(16, 0xfff8);
    writer.put(16, 0x7000 | pairing << 4);
    writer.put(8, 0);
    writer.put(16, block as i64 - 1);
    writer.put(8, i64::from(checksum::eight(&writer.bytes)));
    subframes(&mut writer);
    writer.count = 8 * writer.bytes.len();
    writer.put(16, i64::from(checksum::sixteen(&writer.bytes)));
    writer.bytes
}

fn verbatim(writer: &mut Writer, depth: u32, samples: &[i64]) {
    writer.put(8, 0b10);
    for &sample in samples {
        writer.put(depth, sample);
    }
}

fn whole(bytes: &[u8]) -> Result<Recording, String> {
    read(bytes, &Selection::default(), &LIMITS).map_err(|error| error.to_string())
}

fn plain(samples: &[i64]) -> Vec<u8> {
    frame(samples.len(), 0, |writer| verbatim(writer, 16, samples))
}

proptest! {
    /// The difference of two samples of 32 bits has 33.
    #[test]
    fn every_pairing_of_channels_gives_them_back_in_32_bits(
        samples in prop::collection::vec(any::<[i32; 2]>(), 1..20), pairing in 7_i64..11
    ) {
        let left: Vec<i64> = samples.iter().map(|s| i64::from(s[0])).collect();
        let right: Vec<i64> = samples.iter().map(|s| i64::from(s[1])).collect();
        let sides: Vec<i64> = left.iter().zip(&right).map(|(l, r)| l - r).collect();
        let middles: Vec<i64> = left.iter().zip(&right).map(|(l, r)| (l + r) >> 1).collect();
        let pairing = if pairing == 7 { 1 } else { pairing };
        let bytes = frame(samples.len(), pairing, |writer| {
            let [(a, first), (b, second)] = match pairing {
                8 => [(32, &left), (33, &sides)],
                9 => [(33, &sides), (32, &right)],
                10 => [(32, &middles), (33, &sides)],
                _ => [(32, &left), (32, &right)],
            };
            verbatim(writer, a, first);
            verbatim(writer, b, second);
        });
        let flat = samples.iter().flatten().flat_map(|s| s.to_le_bytes());
        let md5 = Md5::digest(flat.collect::<Vec<u8>>());
        let file = [head(2, 32, 0, md5.into()), bytes].concat();
        let recording = whole(&file).unwrap();
        for (channel, expected) in [left, right].iter().enumerate() {
            let expected: Vec<f32> = expected.iter().map(|&x| x as f32 / 2_147_483_648.0).collect();
            prop_assert_eq!(recording.samples.row(channel).to_vec(), expected);
        }
    }

    /// Past the checksums, which hide most of the decoder from damaged files.
    #[test]
    fn any_bits_of_a_subframe_are_decoded_or_rejected(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        kind in prop::sample::select(vec![0_u8, 1, 8, 9, 10, 11, 12, 32, 40, 63]),
        block in 1_usize..600, depth in 4_u32..34,
    ) {
        let bytes = [&[kind << 1][..], &bytes].concat();
        let mut samples = Vec::new();
        if subframe::decode(&mut Bits::new(&bytes), block, depth, &mut samples).is_ok() {
            prop_assert_eq!(samples.len(), block);
            let limit = 1_i64 << (depth - 1);
            prop_assert!(samples.iter().all(|x| (-limit..limit).contains(x)));
        }
    }
}

#[test]
fn a_file_that_was_cut_gives_its_whole_frames_and_says_so() {
    let file = [head(1, 16, 4, [9; 16]), plain(&[16384, -32768]), plain(&[1, 2])].concat();
    let damaged = whole(&file).unwrap_err();
    assert!(damaged.ends_with("the MD5 of its samples is another than it states"), "{damaged}");
    let first = file.len() - plain(&[1, 2]).len();
    for length in first..file.len() {
        let recording = whole(&file[..length]).unwrap();
        assert_eq!(recording.samples, ndarray::array![[0.5, -1.0]]);
        let [notice] = &recording.notices[..] else { panic!("{length}: {:?}", recording.notices) };
        assert_eq!(notice.code, NoticeCode::Truncated);
        assert_eq!(
            notice.message,
            "the file declares 4 samples a channel and has 2: those were read"
        );
    }
    assert_eq!(whole(&file[..first - 1]).unwrap_err(), RecordingError::Empty.to_string());
    assert!(whole(&file[..30]).unwrap_err().contains("before its first sample"));
}

#[test]
fn a_damaged_frame_is_rejected_with_its_place() {
    let whole_file = [head(1, 16, 0, [0; 16]), plain(&[1, 2]), plain(&[3, 4])].concat();
    assert_eq!(whole(&whole_file).unwrap().len(), 4);
    let second = whole_file.len() - plain(&[3, 4]).len();
    for bit in 8 * second..8 * whole_file.len() {
        let mut file = whole_file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        // A longer block may end the file too early.
        match whole(&file) {
            Err(error) => assert!(error.contains("it is damaged after 2 samples"), "{error}"),
            Ok(recording) => assert_eq!((recording.len(), recording.notices.len()), (2, 1)),
        }
    }
}

/// A frame of 18 bytes may have half a million samples, and a file may declare any number.
#[test]
fn declared_and_real_samples_are_limited() {
    let constant = frame(65_536, 7, |writer| (0..8).for_each(|_| writer.put(24, 0)));
    let limits = Limits::new(1 << 20, 5000);
    let error = |total| {
        let file = [head(8, 16, total, [0; 16]), constant.clone()].concat();
        read(&file, &Selection::default(), &limits).unwrap_err().to_string()
    };
    for total in [0, 1, 0xf_ffff_ffff] {
        assert!(error(total).starts_with("it has 524288 samples, above"), "{}", error(total));
    }
    let plausible = [head(1, 16, 6000, [0; 16]), plain(&[0; 100])].concat();
    let error = read(&plausible, &Selection::default(), &limits).unwrap_err().to_string();
    assert!(error.starts_with("it has 6000 samples, above"), "{error}");
}

#[test]
fn tags_after_the_last_frame_are_passed_over() {
    let frames = [head(1, 16, 0, [0; 16]), plain(&[1, 2])].concat();
    for tag in ["TAGname", "APETAGEX"] {
        let after = [&frames[..], tag.as_bytes()].concat();
        assert_eq!(whole(&after).unwrap().len(), 2);
    }
    let junk = [&frames[..], &[0; 20]].concat();
    assert!(whole(&junk).unwrap_err().contains("a frame does not begin where one is due"));
}
