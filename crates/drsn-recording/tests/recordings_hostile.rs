//! Damaged and hostile recordings: no panic, and no more memory than the limits allow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/counting.rs"]
mod counting;

use std::{fs, io::Write as _, ops::Range, path::PathBuf, sync::LazyLock};

use drsn_recording::{Limits, Recording, RecordingError, RecordingFormat, Selection};
use flate2::{Compression, write::ZlibEncoder};
use proptest::{prelude::*, sample::Index};

const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_samples: 4096 };

/// Samples twice, in the layout of the file and by channel, and 96 KiB for blocks and
/// decompression.
const MOST_MEMORY: usize = 2 * 4 * LIMITS.max_samples as usize + (96 << 10);

/// The small files that other tools wrote; see `recordings.rs`.
static FILES: LazyLock<Vec<(RecordingFormat, Vec<u8>)>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let extension = path.extension()?.to_str()?;
            Some((RecordingFormat::from_extension(extension)?, fs::read(&path).unwrap()))
        })
        .collect()
});

/// One change to a file.
#[derive(Debug, Clone)]
enum Change {
    /// Another byte.
    Byte(Index, u8),
    /// Another 32-bit number, which is often a length.
    Number(Index, u32),
    /// Nothing after this offset.
    Cut(Index),
    /// A part of another file in place of a part of this.
    Splice(Index, Index, Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let numbers = prop::sample::select(vec![
        0,
        1,
        5,
        64,
        4097,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0xffff_fff8,
        0x0100_0000,
        0x4000_0000,
    ]);
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        3 => (at(), numbers).prop_map(|(at, number)| Change::Number(at, number)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), at(), at(), at(), at())
            .prop_map(|(file, a, b, c, d)| Change::Splice(file, a, b, c, d)),
    ]
}

fn range(len: usize, a: Index, b: Index) -> Range<usize> {
    let (a, b) = (a.index(len + 1), b.index(len + 1));
    a.min(b)..a.max(b)
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    // The headers are near the front: half of the changes are made there.
    let place = |at: &Index| {
        let at = at.index(2 * bytes.len());
        at.checked_sub(bytes.len()).unwrap_or(at % bytes.len().min(300))
    };
    match change {
        Change::Byte(at, byte) => {
            let at = place(at);
            bytes[at] = *byte;
        }
        Change::Number(at, number) => {
            let at = place(at) & !3;
            for (place, byte) in bytes[at..].iter_mut().zip(number.to_le_bytes()) {
                *place = byte;
            }
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Splice(file, a, b, c, d) => {
            let other = &FILES[file.index(FILES.len())].1;
            let part = other[range(other.len(), *c, *d)].to_vec();
            bytes.splice(range(bytes.len(), *a, *b), part);
        }
    }
}

fn read(format: RecordingFormat, bytes: &[u8], variable: Option<&str>) {
    let selection = Selection { variable: variable.map(str::to_owned), ..Selection::default() };
    let (read, memory) = counting::peak(|| Recording::read(format, bytes, &selection, &LIMITS));
    assert!(memory <= MOST_MEMORY, "{format}: {memory} bytes for {} bytes", bytes.len());
    match read {
        Ok(recording) => {
            assert!(!recording.is_empty());
            assert_eq!(recording.names.len(), recording.channels());
            assert!(recording.samples.is_standard_layout());
            assert!(recording.samples.iter().all(|x| x.is_finite()));
        }
        Err(error) => assert!(error.to_string().len() < 10_000),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_damaged_file_is_read_or_rejected_within_the_limits(
        file in any::<Index>(), changes in prop::collection::vec(change(), 1..6)
    ) {
        let (format, mut bytes) = FILES[file.index(FILES.len())].clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        for variable in [None, Some("DE_time"), Some("x")] {
            read(format, &bytes, variable);
        }
    }
}

#[test]
fn every_truncated_file_is_read_or_rejected() {
    for (format, bytes) in FILES.iter() {
        for length in 0..bytes.len() {
            read(*format, &bytes[..length], None);
        }
    }
}

#[test]
fn bytes_of_every_other_format_are_read_or_rejected() {
    use RecordingFormat::{Csv, Mat, Npy, Npz, Wav};
    for (_, bytes) in FILES.iter() {
        for format in [Csv, Mat, Npy, Npz, Wav] {
            read(format, bytes, Some("DE_time"));
        }
    }
}

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

#[test]
fn many_members_that_share_their_bytes_need_no_more_memory_than_their_names() {
    let member =
        b"\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n";
    let size = (member.len() as u32).to_le_bytes();
    let mut file =
        [b"PK\x03\x04", &[0; 14][..], &size, &size, &[5, 0, 0, 0], b"a.npy", member].concat();
    let start = (file.len() as u32).to_le_bytes();
    for _ in 0..9_999 {
        let entry = [b"PK\x01\x02", &[0; 16][..], &size, &size, &[5], &[0; 17], b"a.npy"];
        file.extend(entry.concat());
    }
    file.extend(
        [b"PK\x05\x06", &[0; 4][..], &[0x0f, 0x27, 0x0f, 0x27], &[0; 4], &start, &[0; 2]].concat(),
    );
    let ((), memory) = counting::peak(|| {
        let error = Recording::read(RecordingFormat::Npz, &file, &Selection::default(), &LIMITS);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("and 9979 more"), "{error}");
    });
    assert!(memory < 16 * file.len(), "{memory} for {}", file.len());
}
