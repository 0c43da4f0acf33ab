//! Files that were packed with gzip are read as what is in them; files of other kinds are refused by
//! their names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, io::Write as _, path::Path};

use drsn_recording::{Limits, Recording, RecordingError, RecordingFormat, Selection};
use flate2::{Compression, write::GzEncoder};

const LIMITS: Limits = Limits::new(1 << 20, 1 << 18);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn open(name: &str, bytes: &[u8]) -> Result<Recording, RecordingError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    Recording::open(&path, &Selection::default(), &LIMITS)
}

/// A file of each format, as other tools wrote it.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let names = ["rifx.wav", "16.aiff", "16.flac", "npy_le_f4.npy"];
    let read = |name: &str| (name.to_owned(), fs::read(folder.join(name)).unwrap());
    let mut files: Vec<(String, Vec<u8>)> = names.into_iter().map(read).collect();
    files.push(("a.csv".to_owned(), b"x,y\n1.5,2\n3,4.5\n".to_vec()));
    files.push(("a.txt".to_owned(), b"1.5\n2.5\n".to_vec()));
    files
}

/// Regression: `run.csv.gz`, as pandas writes it, was not recognised.
#[test]
fn a_packed_file_is_read_as_what_is_in_it() {
    for (name, bytes) in files() {
        let plain = open(&name, &bytes).unwrap();
        for packed_name in [format!("{name}.gz"), format!("{name}.GZ"), name.clone()] {
            let packed = open(&packed_name, &gzip(&bytes)).unwrap();
            assert_eq!(packed, plain, "{packed_name}");
        }
        // In two members, as after `cat a.gz b.gz`.
        let (one, two) = bytes.split_at(bytes.len() / 2);
        assert_eq!(open(&name, &[gzip(one), gzip(two)].concat()).unwrap(), plain);
        let format = RecordingFormat::from_path(Path::new(&name)).unwrap();
        let read = Recording::read(format, &gzip(&bytes), &Selection::default(), &LIMITS);
        assert_eq!(read.unwrap(), plain, "{name}");
    }
    // What is in it says its format, or the name does.
    let (_, wav) = &files()[0];
    assert!(open("a.gz", &gzip(wav)).is_ok());
    assert!(open("a.csv.gz", &gzip(wav)).is_ok());
    assert!(open("2003.10.22.12.06.24", &gzip(b"1.5\n2.5\n")).is_ok());
    let refused = open("a.gz", &gzip(b"\x01\x02"));
    assert!(matches!(refused, Err(RecordingError::UnknownFormat)), "{refused:?}");
}

#[test]
fn a_packed_file_is_bounded_as_what_it_becomes() {
    let bomb = gzip(&vec![b'1'; 64 << 20]);
    assert!((bomb.len() as u64) < LIMITS.max_bytes);
    let refused = open("a.csv.gz", &bomb);
    assert!(matches!(refused, Err(RecordingError::TooLarge { .. })), "{refused:?}");
    let packed = gzip(&b"1.5\n2.5\n".repeat(100));
    for cut in [5, 12, packed.len() - 4] {
        let message = open("a.csv.gz", &packed[..cut]).unwrap_err().to_string();
        assert!(message.contains("damaged or cut short"), "{cut}: {message}");
    }
    let late = LIMITS.with_deadline(std::time::Instant::now());
    let refused = Recording::read(RecordingFormat::Csv, &packed, &Selection::default(), &late);
    assert!(matches!(refused, Err(RecordingError::TimeUp)), "{refused:?}");
}

#[test]
fn a_file_of_another_kind_is_refused_by_its_name_whatever_it_is_called() {
    for (bytes, sentence) in [
        (&b"%PDF-1.7\n1 0 obj"[..], "it is a PDF document; use the recording"),
        (b"OggS\0\x02\0\0", "it is an Ogg file; convert it to WAV or FLAC"),
        (b"PAR1\x15\0\x15", "it is a Parquet file; save its signal as NPY"),
        (
            b"\x89HDF\r\n\x1a\n\0",
            "it is an HDF5 file; save its signal as NPY, or in MATLAB with -v7",
        ),
        (b"<html><body>404</body></html>", "it is a web page (HTML)"),
    ] {
        for name in ["a.csv", "a.wav", "a.npy", "a.mat", "a"] {
            let message = open(name, bytes).unwrap_err().to_string();
            assert!(message.starts_with(sentence), "{name}: {message}");
        }
        let packed = open("a.csv.gz", &gzip(bytes)).unwrap_err().to_string();
        assert!(packed.starts_with(sentence), "{packed}");
    }
    let twice = open("a.csv.gz.gz", &gzip(&gzip(b"1\n2\n"))).unwrap_err().to_string();
    assert!(twice.starts_with("it is gzip data; unpack it"), "{twice}");
}

/// An archive of one stored file.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let (length, name_length) = (content.len() as u32, name.len() as u16);
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
        &crc.sum().to_le_bytes(),
        &length.to_le_bytes(),
        &length.to_le_bytes(),
        &name_length.to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    let local = [&b"PK\x03\x04"[..], &common, name.as_bytes(), content].concat();
    let entry = [&b"PK\x01\x02\x14\0"[..], &common, &[0; 14], name.as_bytes()].concat();
    let (size, offset) = (entry.len() as u32, local.len() as u32);
    let end = [
        &b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..],
        &size.to_le_bytes(),
        &offset.to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [local, entry, end].concat()
}

/// Regression: an Excel workbook was said to have no numeric variable.
#[test]
fn an_archive_without_arrays_is_told_from_npz() {
    for (name, sentence) in [
        ("[Content_Types].xml", "it is an Excel workbook (XLSX); save its sheet as CSV"),
        ("xl/workbook.xml", "it is an Excel workbook (XLSX); save its sheet as CSV"),
        ("run.csv", "it is a ZIP archive without NumPy arrays; unpack it"),
    ] {
        for file in ["a.npz", "a.csv", "a.zip"] {
            let message = open(file, &zip(name, b"1\n2\n")).unwrap_err().to_string();
            assert!(message.starts_with(sentence), "{name}: {message}");
        }
    }
}

/// A tag of `ID3v2` with so many bytes of content, with a foot or not.
fn tag(bytes: usize, has_foot: bool) -> Vec<u8> {
    let size = [21, 14, 7, 0].map(|shift| (bytes >> shift & 127) as u8);
    let head = [&b"ID3\x04\0"[..], &[u8::from(has_foot) << 4], &size].concat();
    let foot = if has_foot { [b"3DI", &head[3..]].concat() } else { Vec::new() };
    [head, vec![0xaa; bytes], foot].concat()
}

/// Regression: a FLAC file behind a tag, as some programs write it, was called an MP3 file.
#[test]
fn a_sound_behind_tags_is_read_and_another_file_is_not() {
    let sounds: Vec<_> = files().into_iter().take(3).collect();
    let tags = [
        tag(0, false),
        tag(40, false),
        tag(505, true),
        tag(600, false),
        tag(300_000, true),
        [tag(100, false), tag(7000, false), tag(0, true)].concat(),
    ];
    for tag in &tags {
        for (name, bytes) in &sounds {
            let plain = open(name, bytes).unwrap();
            let tagged = [&tag[..], bytes].concat();
            for name in [name, "a", "a.mp3"] {
                assert_eq!(open(name, &tagged).unwrap(), plain, "{name}, {}", tag.len());
            }
            assert_eq!(open(&format!("{name}.gz"), &gzip(&tagged)).unwrap(), plain);
            let format = RecordingFormat::sniff(bytes);
            assert_eq!(RecordingFormat::sniff(&tagged), format, "{name}");
            let read = Recording::read(format.unwrap(), &tagged, &Selection::default(), &LIMITS);
            assert_eq!(read.unwrap(), plain);
            // Of the beginning alone nothing is said that may be wrong.
            let start = &tagged[..tagged.len().min(520)];
            assert_eq!(drsn_recording::foreign_kind(start), None);
        }
        let others = [vec![0xff; 4000], b"x,y\n1.5,2\n3,4.5\n".to_vec(), files()[3].1.clone()];
        for other in others {
            let refused = open("a.flac", &[&tag[..], &other].concat());
            let error = refused.unwrap_err().to_string();
            assert_eq!(error, "it is an MP3 file; convert it to WAV or FLAC", "{}", tag.len());
        }
    }
    assert!(open("a.flac", &tag(600, false)[..550]).is_err());
}
