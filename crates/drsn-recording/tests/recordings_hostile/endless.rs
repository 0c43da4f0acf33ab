//! Packed files from which nothing comes out: a decoder reads on until something does, so that the
//! clock must be looked at for what goes in.

use std::time::{Duration, Instant};

use drsn_recording::{Limits, Recording, RecordingError, RecordingFormat, Selection};

use super::Stopwatch;

/// Bytes of a packed part: a decoder needs much longer than the deadline for them.
const LENGTH: usize = 48 << 20;
const LIMITS: Limits = Limits::new(1 << 27, 4096);

/// Blocks of deflate without content: stored, and with the codes that the format fixes (four in
/// five bytes).
const BLOCKS: [&[u8]; 2] = [&[0, 0, 0, 0xff, 0xff], &[0b10, 0b1000, 0b10_0000, 0b1000_0000, 0]];
/// The head of a member of gzip, and a whole one without content.
const HEAD: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
const MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";

/// A block of deflate that holds these bytes as they are; another one follows.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u16;
    [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
}

fn endless(part: &[u8]) -> Vec<u8> {
    part.repeat(LENGTH / part.len())
}

/// A MAT-file of one compressed variable.
fn mat(packed: &[u8]) -> Vec<u8> {
    let tag = [15, packed.len() as u32].map(u32::to_le_bytes).concat();
    [&[b' '; 124][..], b"\x00\x01IM", &tag, packed].concat()
}

/// An archive of one deflated array.
fn npz(packed: &[u8]) -> Vec<u8> {
    let sizes = [(packed.len() as u32).to_le_bytes(), (1_u32 << 20).to_le_bytes()].concat();
    let name = b"x.npy";
    let local = [&b"PK\x03\x04"[..], &[0; 14], &sizes, &[5, 0, 0, 0], name].concat();
    let entry = [&b"PK\x01\x02"[..], &[0; 6], &[8, 0], &[0; 8], &sizes, &[5, 0], &[0; 16], name];
    let start = ((local.len() + packed.len()) as u32).to_le_bytes();
    let end = [&b"PK\x05\x06"[..], &[0; 4], &[1, 0, 1, 0], &[0; 4], &start, &[0; 2]].concat();
    [&local, packed, &entry.concat(), &end].concat()
}

/// Regression: only what came out was followed by a look at the clock.
#[test]
fn a_packed_file_from_which_nothing_comes_out_ends_at_its_deadline() {
    let header =
        b"\x93NUMPY\x01\0\x3a\0{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }\n";
    let matrix = [14, 84, 6, 8, 6, 0, 5, 8, 9, 1, 0x1_0001, u32::from(b'x'), 7, 36];
    let matrix = stored(&matrix.map(u32::to_le_bytes).concat());
    let mut files = vec![(RecordingFormat::Csv, endless(MEMBER))];
    for block in BLOCKS {
        let blocks = endless(block);
        files.extend([
            (RecordingFormat::Csv, [HEAD, &blocks].concat()),
            (RecordingFormat::Npz, npz(&blocks)),
            (RecordingFormat::Npz, npz(&[&stored(header), &blocks[..]].concat())),
            (RecordingFormat::Mat, mat(&[b"\x78\x01", &blocks[..]].concat())),
            (RecordingFormat::Mat, mat(&[&b"\x78\x01"[..], &matrix, &blocks[..]].concat())),
        ]);
    }
    // A name in the head that does not end.
    let named = [b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", &vec![b'n'; LENGTH][..]].concat();
    files.push((RecordingFormat::Csv, named));
    for (index, (format, file)) in files.iter().enumerate() {
        let (begun, computing) = (Instant::now(), Stopwatch::start());
        let limits = LIMITS.with_deadline(begun + Duration::from_millis(5));
        let read = Recording::read(*format, file, &Selection::default(), &limits);
        let took = computing.elapsed();
        let is_right = match &read {
            Err(RecordingError::TimeUp) => true,
            // gzip's names are limited by the decoder.
            Err(_) => index + 1 == files.len(),
            Ok(_) => false,
        };
        assert!(is_right, "{index}, {format}: {read:?}");
        assert!(took < Duration::from_millis(80), "{index}, {format}: {took:?}");
    }
}
