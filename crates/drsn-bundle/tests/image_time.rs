//! The time to decode a picture is known before it is decoded, and bounded.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/pictures.rs"]
mod pictures;

use std::time::{Duration, Instant};

use drsn_bundle::{Filter, Geometry, ImageError, ImageSpec, input::ImageFile};
use pictures::{Coding, File, Jpeg};

const MOST_PIXELS: u64 = 50_000_000;

fn spec(size: usize) -> ImageSpec {
    ImageSpec {
        channels: 3,
        height: size,
        width: size,
        geometry: Geometry::Stretch,
        filter: Filter::CatmullRom,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    }
}

/// The estimate and the time that opening and decoding took.
fn timed(file: &File, spec: &ImageSpec) -> (Result<(), ImageError>, Duration, Duration) {
    let begun = Instant::now();
    let mut work = Duration::ZERO;
    let result = ImageFile::open(&file.bytes, MOST_PIXELS).and_then(|opened| {
        work = opened.work(spec);
        opened.pixels(spec, None).map(|_| ())
    });
    (result, work, begun.elapsed())
}

/// The time may be twice the estimate on a slow or busy machine, and small pictures are not worth
/// an estimate.
fn is_bound(work: Duration, took: Duration) -> bool {
    took < 2 * work + Duration::from_millis(30)
}

#[test]
fn the_estimate_bounds_the_time_of_every_kind_of_picture() {
    for file in pictures::all(1000, 750) {
        for filter in [Filter::Nearest, Filter::CatmullRom] {
            let spec = ImageSpec { filter, ..spec(200) };
            let tries = || timed(&file, &spec);
            let is_within = (0..3).any(|_| {
                let (result, work, took) = tries();
                assert_eq!(result, Ok(()), "{}", file.name);
                is_bound(work, took)
            });
            assert!(is_within, "{}, {filter:?}: {:?}", file.name, tries());
        }
    }
}

/// A file of 2 KB that declares 49 megapixels and 97 scans without content took 8.5 seconds; one of
/// 66 bytes took 1.2 seconds.
#[test]
fn scans_and_runs_without_content_are_damage() {
    let mut files = vec![
        pictures::run_length_bmp(7000, 7000, &[0, 1]),
        pictures::run_length_bmp(7000, 7000, &[0, 2, 255, 255, 0, 2, 255, 255, 0, 1]),
    ];
    for scans in [1, 2, 5, 20, 97] {
        for sampling in [&[0x11][..], &[0x11; 3], &[0x22, 0x11, 0x11]] {
            let coding = Coding::EmptyScans(scans);
            files.push(Jpeg { width: 7000, height: 7000, sampling, coding }.file());
        }
    }
    for file in &mut files[2..] {
        // The scan of means has no content either.
        let at = file.bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        let end = at + 2 + usize::from(file.bytes[at + 3]);
        let next = file.bytes[end..].windows(2).position(|p| p[0] == 0xff && p[1] > 0).unwrap();
        let mut emptied = file.bytes.clone();
        emptied.drain(end..end + next);
        file.bytes = emptied;
    }
    for file in &files {
        let begun = Instant::now();
        let (result, ..) = timed(file, &spec(64));
        assert!(matches!(result, Err(ImageError::Damaged { .. })), "{}: {result:?}", file.name);
        assert!(begun.elapsed() < Duration::from_millis(200), "{}", file.name);
        assert!(file.bytes.len() < 5000);
    }
}

#[test]
fn a_picture_that_costs_too_much_is_rejected_by_its_header() {
    for (scans, is_accepted) in [(6, true), (40, true), (97, false)] {
        for coding in [Coding::Progressive(scans), Coding::Refining(scans)] {
            let file = Jpeg { width: 7000, height: 7000, sampling: &[0x11; 3], coding }.file();
            let begun = Instant::now();
            let (result, work, took) = timed(&file, &spec(64));
            if is_accepted {
                assert_eq!(result, Ok(()));
                assert!(is_bound(work, took), "{scans}: {work:?} {took:?}");
            } else {
                assert!(matches!(result, Err(ImageError::TooCostly { .. })), "{result:?}");
                assert!(begun.elapsed() < Duration::from_millis(200), "{took:?}");
            }
        }
    }
    // A row of pixels that becomes a square.
    let row = pictures::png(10_000_000, 1, 0, 1, false);
    let (result, _, took) = timed(&row, &spec(800));
    assert!(matches!(result, Err(ImageError::TooCostly { .. })), "{result:?}");
    assert!(took < Duration::from_millis(100), "{took:?}");
}

/// The decoder sorts the parts of an extended XMP document after every segment.
#[test]
fn a_header_of_many_segments_is_rejected_before_it_is_read() {
    let coding = Coding::Baseline;
    let file = Jpeg { width: 16, height: 16, sampling: &[0x11], coding }.file();
    for (count, is_accepted) in [(20, true), (300, true), (60_000, false)] {
        let part = |number: u32| {
            let name = b"http://ns.adobe.com/xmp/extension/\0";
            let content = [&name[..], &[7; 32], &[0xff; 4], &number.to_be_bytes(), &[1]].concat();
            pictures::jpeg::segment(0xe1, &content)
        };
        let mut bytes = file.bytes.clone();
        let parts: Vec<u8> = (0..count).flat_map(part).collect();
        bytes.splice(2..2, parts);
        let file = File { name: format!("{count} segments"), bytes };
        let (result, work, took) = timed(&file, &spec(4));
        assert_eq!(result.is_ok(), is_accepted, "{result:?}");
        assert!(is_bound(work, took), "{count}: {work:?} {took:?}");
    }
}

#[test]
fn the_estimate_bounds_the_time_of_tables() {
    for groups in [1, 1000, 20_000, 65_536] {
        let file = pictures::webp_of_many_codes(groups);
        let (result, work, took) = timed(&file, &spec(8));
        assert_eq!(result, Err(ImageError::NoContent), "{}", file.name);
        assert!(is_bound(work, took), "{}: {work:?} {took:?}", file.name);
    }
}

#[test]
fn decoding_ends_at_its_deadline() {
    for file in pictures::all(500, 400) {
        let opened = || ImageFile::open(&file.bytes, MOST_PIXELS).unwrap();
        let spec = spec(32);
        let work = opened().work(&spec);
        for deadline in [Instant::now(), Instant::now() + work / 2] {
            let late = opened().pixels(&spec, Some(deadline));
            assert_eq!(late, Err(ImageError::TimeUp), "{}", file.name);
        }
        let in_time = opened().pixels(&spec, Some(Instant::now() + 100 * work));
        assert!(in_time.is_ok(), "{}: {in_time:?}", file.name);
    }
}
