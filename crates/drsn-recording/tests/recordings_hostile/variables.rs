//! MAT-files whose variables are small when packed, many or deep.

use std::{io::Write as _, time::Instant};

use drsn_recording::{Limits, Recording, RecordingError, RecordingFormat, Selection};
use flate2::{Compression, write::ZlibEncoder};

use super::{LIMITS, counting};

/// A MAT-file of one compressed variable of `rows` zeros.
fn bomb(rows: u32) -> Vec<u8> {
    let number = |n: u32| n.to_le_bytes();
    let head =
        [14, 48 + 8 * rows, 6, 8, 6, 0, 5, 8, rows, 1, 0x1_0001, u32::from(b'x'), 9, 8 * rows];
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&head.map(number).concat()).unwrap();
    packed.write_all(&vec![0; 8 * rows as usize]).unwrap();
    let packed = packed.finish().unwrap();
    let mut file = vec![b' '; 124];
    file.extend(b"\x00\x01IM");
    file.extend([number(15), number(packed.len() as u32)].concat());
    file.extend(packed);
    file
}

/// A MAT-file of one compressed cell with these contents.
fn cells(count: u32, contents: &[u8]) -> Vec<u8> {
    let number = |n: u32| n.to_le_bytes();
    let bytes = 40 + contents.len() as u32;
    let head = [14, bytes, 6, 8, 1, 0, 5, 8, count, 1, 0x1_0001, u32::from(b'c')];
    let head = head.map(number).concat();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&head).unwrap();
    packed.write_all(contents).unwrap();
    let packed = packed.finish().unwrap();
    let mut file = vec![b' '; 124];
    file.extend(b"\x00\x01IM");
    file.extend([number(15), number(packed.len() as u32)].concat());
    file.extend(packed);
    file
}

/// Memory does not grow with the parts of a cell or structure, and the time has an end.
#[test]
fn the_parts_of_a_cell_need_no_memory() {
    let part = [14, 48, 6, 8, 6, 0, 5, 8, 1, 1, 1, 0, 0x1_0002, 7].map(u32::to_le_bytes).concat();
    let limits = Limits::new(1 << 26, 4096);
    for variable in [None, Some("c[5]"), Some("]"), Some("x")] {
        let selection = Selection { variable: variable.map(str::to_owned), ..Selection::default() };
        let file = cells(100_000, &part.repeat(100_000));
        let (read, memory) =
            counting::peak(|| Recording::read(RecordingFormat::Mat, &file, &selection, &limits));
        assert_eq!(read.is_ok(), variable == Some("c[5]"), "{variable:?}: {read:?}");
        if let Err(error) = read {
            assert!(error.to_string().ends_with("and 99980 more"), "{error}");
        }
        assert!(memory < 128 << 10, "{memory}");
        let late = limits.with_deadline(Instant::now());
        let read = Recording::read(RecordingFormat::Mat, &file, &selection, &late);
        assert!(matches!(read, Err(RecordingError::TimeUp)), "{read:?}");
    }
    // More than is allowed to be decompressed.
    let file = cells(1, &vec![0; 1 << 24]);
    let (read, memory) = counting::peak(|| {
        Recording::read(RecordingFormat::Mat, &file, &Selection::default(), &LIMITS)
    });
    assert!(matches!(read, Err(RecordingError::TooLarge { .. })), "{read:?}");
    assert!(memory < 128 << 10, "{memory}");
}

/// Structures in structures, deeper than any stack.
#[test]
fn depth_is_bounded() {
    let mut contents = Vec::new();
    for _ in 0..20_000 {
        let flags = [6_u32, 8, 1, 0, 5, 8, 1, 1, 1, 0].map(u32::to_le_bytes).concat();
        let inner = std::mem::take(&mut contents);
        contents = [14_u32, 40 + (inner.len() as u32)].map(u32::to_le_bytes).concat();
        contents.extend(flags);
        contents.extend(inner);
        if contents.len() > 1 << 19 {
            break;
        }
    }
    let file = cells(1, &contents);
    let read = Recording::read(RecordingFormat::Mat, &file, &Selection::default(), &LIMITS);
    let error = read.unwrap_err().to_string();
    assert!(error.ends_with("it has only structures that are too deep"), "{error}");
}

#[test]
fn data_beyond_the_limit_is_rejected_before_it_is_decompressed() {
    let read =
        |file: &[u8]| Recording::read(RecordingFormat::Mat, file, &Selection::default(), &LIMITS);
    let file = bomb(4096);
    let (small, memory) = counting::peak(|| read(&file));
    assert_eq!(small.unwrap().len(), 4096);
    assert!(memory >= 4 * 4096, "memory is not counted: {memory}");
    let file = bomb(10_000_000);
    assert!(file.len() < 100_000, "{}", file.len());
    let (read, memory) = counting::peak(|| read(&file));
    assert!(matches!(read, Err(RecordingError::TooManySamples { samples: 10_000_000, .. })));
    assert!(memory < 128 << 10, "{memory}");
}
