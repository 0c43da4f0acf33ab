//! Damaged and hostile recordings: no panic, and no more memory than the limits allow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/counting.rs"]
mod counting;

use std::{
    fs,
    io::Write as _,
    ops::Range,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use drsn_recording::{
    Limits, Recording, RecordingError, RecordingFormat, Resampler, Selection, resample,
};
use flate2::{Compression, write::ZlibEncoder};
use proptest::{prelude::*, sample::Index};

const LIMITS: Limits = Limits::new(1 << 20, 4096);

/// Samples twice, in the layout of the file and by channel, and 96 KiB for blocks and
/// decompression.
const MOST_MEMORY: usize = 2 * 4 * LIMITS.max_samples as usize + (96 << 10);

/// The small files that other tools wrote; see `recordings.rs` and `matlab.rs`.
static FILES: LazyLock<Vec<(RecordingFormat, Vec<u8>)>> = LazyLock::new(|| {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = |folder| fs::read_dir(tests.join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = ["recordings", "matlab"]
        .into_iter()
        .flat_map(files)
        .map(|entry| entry.unwrap().path())
        .collect();
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

/// An archive of `count` members that all are `member`, under names of `length` bytes that are not
/// UTF-8. They share their bytes, or each has its own.
fn archive(count: u16, length: u16, member: &[u8], shared: bool) -> Vec<u8> {
    let size = (member.len() as u32).to_le_bytes();
    let name = |number: u16| {
        let mut name = vec![0xff; usize::from(length)];
        name.splice(..2, number.to_le_bytes());
        name.extend(b".npy");
        name
    };
    let length = (length + 4).to_le_bytes();
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for number in 0..count {
        let start = if shared { 0_u32 } else { file.len() as u32 };
        if !shared || number == 0 {
            file.extend([b"PK\x03\x04", &[0; 14][..], &size, &size, &length, &[0; 2]].concat());
            file.extend(name(number));
            file.extend(member);
        }
        let sizes = [&size[..], &size, &length, &[0; 12], &start.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02", &[0; 16][..], &sizes, &name(number)].concat());
    }
    let (start, count) = ((file.len() as u32).to_le_bytes(), count.to_le_bytes());
    file.extend(directory);
    file.extend([b"PK\x05\x06", &[0; 4][..], &count, &count, &[0; 4], &start, &[0; 2]].concat());
    file
}

const MEMBER: &[u8] =
    b"\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n";

#[test]
fn members_that_share_their_bytes_are_rejected() {
    let file = archive(9_999, 5, MEMBER, true);
    let read = Recording::read(RecordingFormat::Npz, &file, &Selection::default(), &LIMITS);
    assert!(read.unwrap_err().to_string().contains("its members overlap"));
}

#[test]
fn members_need_no_more_memory_than_a_few_times_their_names() {
    let limits = Limits::new(1 << 26, 4096);
    for (count, length) in [(2, 2), (3, 1000), (500, 1000), (9_999, 2), (9_999, 60), (9_999, 1000)]
    {
        let file = archive(count, length, MEMBER, false);
        let (error, memory) = counting::peak(|| {
            Recording::read(RecordingFormat::Npz, &file, &Selection::default(), &limits)
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("name one of"), "{error}");
        assert!(error.len() < 10_000, "{}", error.len());
        let allowed = 8 * file.len() + (64 << 10);
        assert!(memory < allowed, "{memory} for {count} members of {}", file.len());
    }
    let long = archive(2, 2000, MEMBER, false);
    let read = Recording::read(RecordingFormat::Npz, &long, &Selection::default(), &limits);
    assert!(read.unwrap_err().to_string().contains("longer than 1024 bytes"));
}

/// Each cell was looked for among all time columns.
#[test]
fn a_table_takes_time_by_its_cells_whatever_their_columns_are() {
    let limits = Limits::new(1 << 26, 1 << 26);
    let time = |times: usize, columns: usize| {
        let names = (0..columns).map(|i| if i < times { "time" } else { "x" });
        let header = names.collect::<Vec<_>>().join(",");
        let row = format!("\n{}", vec!["1"; columns].join(","));
        let table = header + &row.repeat(1_000_000 / columns);
        let read = || {
            let begun = Instant::now();
            let read = Recording::read(
                RecordingFormat::Csv,
                table.as_bytes(),
                &Selection::default(),
                &limits,
            );
            assert!(read.is_ok(), "{:?}", read.err());
            begun.elapsed()
        };
        (0..3).map(|_| read()).min().unwrap()
    };
    let usual = time(1, 2);
    for times in [1, 100, 1000, 1023] {
        let found = time(times, 1024);
        assert!(found < 3 * usual + Duration::from_millis(20), "{times}: {found:?}, {usual:?}");
    }
}

#[test]
fn arrays_of_many_axes_are_rejected_before_their_numbers_are_read() {
    for axes in [9, 20, 63, 64, 65, 500] {
        let shape = "2, ".repeat(axes.min(12)) + &"1, ".repeat(axes - axes.min(12));
        let header = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({shape}), }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let file = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &[0; 1 << 14]].concat();
        let (read, memory) = counting::peak(|| {
            Recording::read(RecordingFormat::Npy, &file, &Selection::default(), &LIMITS)
        });
        assert!(read.is_err());
        assert!(memory < 4 * header.len() + 4096, "{memory} for {axes} axes");
    }
}

#[test]
fn reading_ends_at_its_deadline() {
    let late = LIMITS.with_deadline(Instant::now());
    for (format, bytes) in FILES.iter() {
        for variable in [None, Some("DE_time".to_owned())] {
            let selection = Selection { variable, ..Selection::default() };
            let in_time = Recording::read(*format, bytes, &selection, &LIMITS);
            let read = Recording::read(*format, bytes, &selection, &late);
            if in_time.is_ok() {
                assert!(matches!(read, Err(RecordingError::TimeUp)), "{format}: {read:?}");
            } else {
                assert!(read.is_err());
            }
        }
    }
    let samples = ndarray::Array2::ones((2, 5000));
    let recording = Recording::new(samples, vec![None; 2], Some(48_000.0));
    let converted = resample(&recording, 12_000.0, &late);
    assert!(matches!(converted, Err(RecordingError::TimeUp)));
    let mut resampler =
        Resampler::new(48_000.0, 12_000.0, 2).unwrap().with_deadline(Instant::now());
    let pushed = resampler.push(recording.samples.rows());
    assert!(matches!(pushed, Err(RecordingError::TimeUp)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// 400 recordings of a few samples at 99,991 Hz took 140 ms each.
    #[test]
    fn the_cost_of_resampling_is_known_and_bounded(
        from in prop_oneof![
            1_u32..30_000, 1_000_u32..200_000, Just(44_100), Just(99_991), Just(24_989), Just(1)
        ],
        to in prop_oneof![1_u32..30_000, Just(48_000), Just(24_979), Just(128)],
        channels in 1_usize..6,
        length in 0_usize..3000,
    ) {
        let (from, to) = (f64::from(from), f64::from(to));
        let Ok(work) = Resampler::work(from, to, channels, length as u64) else {
            prop_assert!(Resampler::new(from, to, channels).is_err());
            return Ok(());
        };
        let limit = Resampler::bytes(from, to, channels).unwrap() as usize;
        // The longest work of a short recording.
        prop_assert!(work < Duration::from_millis(150 * channels as u64), "{:?}", work);
        let samples = ndarray::Array2::ones((channels, length));
        let convert = || {
            let begun = Instant::now();
            let ((), memory) = counting::peak(|| {
                let mut resampler = Resampler::new(from, to, channels).unwrap();
                drop(resampler.push(samples.rows()).unwrap());
                drop(resampler.finish());
            });
            (begun.elapsed(), memory)
        };
        let (mut took, memory) = convert();
        let samples = (length as f64 * (1.0 + to / from) * 8.0) as usize * channels;
        prop_assert!(memory <= limit + samples + 4096, "{} of {} + {}", memory, limit, samples);
        for _ in 0..3 {
            took = took.min(convert().0);
        }
        prop_assert!(took < 2 * work + Duration::from_millis(10), "{:?} of {:?}", took, work);
    }
}

/// The preparation was repeated for each of an archive's recordings.
#[test]
fn the_preparation_of_a_conversion_is_shared_by_recordings() {
    let samples = ndarray::Array2::ones((1, 100));
    let recording = Recording::new(samples, vec![None], Some(24_989.0));
    let convert = || {
        let begun = Instant::now();
        resample(&recording, 24_979.0, &LIMITS).unwrap();
        begun.elapsed()
    };
    let first = convert();
    let others = (0..5).map(|_| convert()).min().unwrap();
    assert!(others < first, "{others:?} after {first:?}");
}
