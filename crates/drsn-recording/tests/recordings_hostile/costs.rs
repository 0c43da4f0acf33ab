//! What reading and resampling cost: known before, and bounded.

use std::time::{Duration, Instant};

use drsn_recording::{
    Limits, Recording, RecordingError, RecordingFormat, Resampler, Selection, resample,
};
use proptest::prelude::*;

use super::{FILES, LIMITS, Stopwatch, counting};

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
            let begun = Stopwatch::start();
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
            let begun = Stopwatch::start();
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
