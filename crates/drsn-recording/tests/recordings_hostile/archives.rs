//! Archives whose members overlap, or are many.

use drsn_recording::{Limits, Recording, RecordingFormat, Selection};

use super::{LIMITS, counting};

/// An archive of `count` members that all are `member`, under names of `length` bytes that are not
/// UTF-8. They share their bytes, or each has its own.
fn archive(count: u16, length: u16, member: &[u8], shared: bool) -> Vec<u8> {
    let size = (member.len() as u32).to_le_bytes();
    let name = |number: u16| {
        let mut name = vec![0xff; usize::from(length)];
        name.splice(..4, format!("{number:04x}").bytes());
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
    for (count, length) in [(2, 4), (3, 1000), (500, 1000), (9_999, 4), (9_999, 60), (9_999, 1000)]
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
