//! The memory to decode a picture is known before it is decoded.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../drsn-recording/tests/support/counting.rs"]
mod counting;
#[path = "support/pictures.rs"]
#[expect(dead_code, reason = "the hostile pictures are those of image_time.rs")]
mod pictures;

use drsn_bundle::{Filter, Geometry, ImageError, ImageSpec, input::ImageFile};
use pictures::File;

/// Above it, memory must not be reserved that is not needed.
const LARGE: usize = 3 << 20;

fn spec(size: usize, geometry: Geometry) -> ImageSpec {
    ImageSpec {
        channels: 3,
        height: size,
        width: size,
        geometry,
        filter: Filter::Triangle,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    }
}

/// Compares the estimate with the peak of memory, which is that of opening if it is larger.
fn check(file: &File, spec: &ImageSpec) {
    let mut reserved = 0;
    let ((), peak) = counting::peak(|| {
        let opened = ImageFile::open(&file.bytes, 50_000_000).unwrap();
        reserved = opened.decoded_bytes(spec) as usize;
        let decoded = opened.pixels(spec, None);
        assert!(
            matches!(decoded, Ok(_) | Err(ImageError::NoContent)),
            "{}: {decoded:?}",
            file.name
        );
    });
    let name = &file.name;
    assert!(peak <= reserved, "{name} to {}: {peak} bytes, and {reserved} reserved", spec.width);
    let is_close = (reserved as f64) < 1.7 * peak as f64;
    assert!(peak < LARGE || is_close, "{name} to {}: {peak} of {reserved}", spec.width);
}

/// A JPEG of three components needed three times the memory that was reserved for it.
#[test]
fn the_estimate_bounds_the_memory_of_every_kind_of_picture() {
    for (width, height) in [(3, 200), (200, 3), (64, 64), (333, 257), (900, 700)] {
        for file in pictures::all(width, height) {
            for (size, geometry) in
                [(8, Geometry::Stretch), (64, Geometry::CenterCrop), (300, Geometry::Stretch)]
            {
                check(&file, &spec(size, geometry));
            }
        }
    }
}

/// The tables of 65,536 groups of codes needed 1.3 GB, from a file of 4 MB with 256 pixels.
#[test]
fn the_estimate_bounds_the_memory_of_tables() {
    for groups in [1, 2, 100, 256, 257, 1000, 5000, 65_536] {
        check(&pictures::webp_of_many_codes(groups), &spec(8, Geometry::Stretch));
    }
}
