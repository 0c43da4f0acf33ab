//! Files of other tools, changed at random, cut, or read as another format.

use std::ops::Range;

use drsn_recording::{Recording, RecordingFormat, Selection};
use proptest::{prelude::*, sample::Index};

use super::{FILES, LIMITS, counting};

/// Samples twice, in the layout of the file and by channel, and 96 KiB for blocks and
/// decompression.
const MOST_MEMORY: usize = 2 * 4 * LIMITS.max_samples as usize + (96 << 10);
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
    let selection = Selection {
        variable: variable.map(str::to_owned),
        rate_variable: variable.filter(|name| *name == "gs").map(|_| "sr".to_owned()),
        ..Selection::default()
    };
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
        for variable in [None, Some("DE_time"), Some("x"), Some("gs"), Some("Y(7).Data")] {
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
    for (_, bytes) in FILES.iter() {
        for format in RecordingFormat::ALL {
            read(format, bytes, Some("DE_time"));
        }
    }
}
