//! Damaged and hostile recordings: no panic, and no more memory than the limits allow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/counting.rs"]
mod counting;

use std::{fs, ops::Range, path::PathBuf, sync::LazyLock};

use drsn_bundle::recording::{Limits, Recording, RecordingFormat, Selection};
use proptest::{prelude::*, sample::Index};

const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_samples: 4096 };

/// Samples twice, in the file's layout and in channels, and 256 KiB for blocks and inflating.
const MOST_MEMORY: usize = 2 * 4 * LIMITS.max_samples as usize + (256 << 10);

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

/// One change of a file.
#[derive(Debug, Clone)]
enum Change {
    /// Another byte.
    Byte(Index, u8),
    /// Four bytes that are often a length.
    Number(Index, u32),
    /// Nothing behind this.
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
    // Most of what matters lies near the front: half of the changes are made there.
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
            assert!(recording.channels.iter().all(|c| c.samples.len() == recording.len()));
            assert!(recording.channels.iter().flat_map(|c| &c.samples).all(|x| x.is_finite()));
        }
        Err(error) => assert!(error.to_string().len() < 10_000),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_damaged_file_is_read_or_refused_within_the_limits(
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
fn every_file_cut_short_anywhere_is_read_or_refused() {
    for (format, bytes) in FILES.iter() {
        for length in 0..bytes.len() {
            read(*format, &bytes[..length], None);
        }
    }
}

#[test]
fn bytes_of_every_other_format_are_read_or_refused() {
    use RecordingFormat::{Csv, Mat, Npy, Npz, Wav};
    for (_, bytes) in FILES.iter() {
        for format in [Csv, Mat, Npy, Npz, Wav] {
            read(format, bytes, Some("DE_time"));
        }
    }
}
