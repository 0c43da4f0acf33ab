//! Kinds of files that are neither recordings nor pictures this project reads, recognised by their
//! first bytes. The refusal names the kind and says what to do: a PDF is not called a damaged WAV.
//!
//! Marks are long enough that raw numbers and tables do not begin with one by accident.

use std::fmt;

use crate::id3;

/// A kind of file that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, with its article, such as `a PDF document`.
    pub name: &'static str,
    /// What to do, as the end of a sentence: `send pictures as PNG, JPEG, WebP, BMP or GIF`.
    pub advice: &'static str,
}

impl Foreign {
    /// A sound that is not read, mostly behind a tag.
    pub(crate) const MP3: Self = Self { name: "an MP3 file", advice: SOUND };
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.name, self.advice)
    }
}

/// Bytes at a place in a file.
type Mark = (usize, &'static [u8]);

const PICTURE: &str = "save the picture as PNG, JPEG, WebP, BMP or GIF";
const SOUND: &str = "convert it to WAV or FLAC";
const SHEET: &str = "save its sheet as CSV";
const ARRAY: &str = "save its signal as NPY, MAT, WAV or CSV";
const ARCHIVE: &str = "unpack it and use the files in it";
const DOCUMENT: &str = "use the recording or the picture itself";

/// Every kind: what it is, what to do, and the marks that a file of it has all of.
const KINDS: &[(&str, &str, &[Mark])] = &[
    ("an Excel workbook (XLSX)", SHEET, &[(0, b"PK\x03\x04"), (30, b"[Content_Types].xml")]),
    ("an Excel workbook (XLSX)", SHEET, &[(0, b"PK\x03\x04"), (30, b"xl/")]),
    ("an Office document", SHEET, &[(0, b"PK\x03\x04"), (30, b"_rels/")]),
    ("an Office document", SHEET, &[(0, b"PK\x03\x04"), (30, b"docProps/")]),
    (
        "an OpenDocument file",
        SHEET,
        &[(0, b"PK\x03\x04"), (30, b"mimetypeapplication/vnd.oasis.opendocument")],
    ),
    ("an old Office document (such as XLS)", SHEET, &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")]),
    ("an HDF5 file", "save its signal as NPY, or in MATLAB with -v7", &[(0, b"\x89HDF\r\n\x1a\n")]),
    ("a Parquet file", ARRAY, &[(0, b"PAR1\x15")]),
    ("an Arrow file", ARRAY, &[(0, b"ARROW1\0\0")]),
    ("an Avro file", ARRAY, &[(0, b"Obj\x01")]),
    ("a NetCDF file", ARRAY, &[(0, b"CDF\x01")]),
    ("a NetCDF file", ARRAY, &[(0, b"CDF\x02")]),
    ("a NetCDF file", ARRAY, &[(0, b"CDF\x05")]),
    ("a TDMS file", ARRAY, &[(0, b"TDSm"), (5, b"\0\0\0")]),
    ("the index of a TDMS file", ARRAY, &[(0, b"TDSh"), (5, b"\0\0\0")]),
    ("a Feather file", ARRAY, &[(0, b"FEA1")]),
    ("an EDF file", ARRAY, &[(0, b"0       "), (170, b"."), (173, b"."), (178, b"."), (181, b".")]),
    ("a BDF file", ARRAY, &[(0, b"\xffBIOSEMI")]),
    ("a BrainVision header", ARRAY, &[(0, b"Brain Vision Data Exchange")]),
    ("a waveform of a Tektronix scope (WFM)", ARRAY, &[(2, b":WFM#")]),
    ("a waveform of a Tektronix scope (ISF)", ARRAY, &[(0, b":WFMP")]),
    ("a waveform of a LeCroy scope", ARRAY, &[(0, b"#9"), (11, b"WAVEDESC\0")]),
    ("a universal file (UFF)", ARRAY, &[(0, b"    -1\n    58")]),
    ("a universal file (UFF)", ARRAY, &[(0, b"    -1\r\n    58")]),
    ("a pickle of Python", ARRAY, &[(0, b"\x80\x04\x95"), (7, b"\0\0\0\0")]),
    ("a pickle of Python", ARRAY, &[(0, b"\x80\x05\x95"), (7, b"\0\0\0\0")]),
    ("a text in UTF-32", "save it in UTF-8", &[(0, b"\xff\xfe\0\0")]),
    ("an MDF measurement", ARRAY, &[(0, b"MDF     ")]),
    ("an SQLite database", ARRAY, &[(0, b"SQLite format 3\0")]),
    ("an Ogg file", SOUND, &[(0, b"OggS\0")]),
    ("an MP3 file", SOUND, &[(0, b"ID3\x02")]),
    ("an MP3 file", SOUND, &[(0, b"ID3\x03")]),
    ("an MP3 file", SOUND, &[(0, b"ID3\x04")]),
    ("an M4A file", SOUND, &[(4, b"ftypM4A")]),
    ("a WMA or WMV file", SOUND, &[(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")]),
    ("an AMR file", SOUND, &[(0, b"#!AMR")]),
    ("a Core Audio file", SOUND, &[(0, b"caff\0\x01\0\0")]),
    ("a SPHERE file", SOUND, &[(0, b"NIST_1A\n")]),
    ("a Sun audio file", SOUND, &[(0, b".snd\0\0")]),
    ("a MIDI file", SOUND, &[(0, b"MThd\0\0\0\x06")]),
    ("a HEIC picture", PICTURE, &[(4, b"ftyphei")]),
    ("a HEIC picture", PICTURE, &[(4, b"ftyphev")]),
    ("a HEIC picture", PICTURE, &[(4, b"ftypmif1")]),
    ("an AVIF picture", PICTURE, &[(4, b"ftypavi")]),
    ("a TIFF picture", PICTURE, &[(0, b"II*\0")]),
    ("a TIFF picture", PICTURE, &[(0, b"MM\0*")]),
    ("a TIFF picture", PICTURE, &[(0, b"II+\0\x08\0")]),
    ("a TIFF picture", PICTURE, &[(0, b"MM\0+\0\x08")]),
    ("a JPEG XL picture", PICTURE, &[(0, b"\0\0\0\x0cJXL \r\n\x87\n")]),
    ("a JPEG 2000 picture", PICTURE, &[(0, b"\0\0\0\x0cjP  \r\n\x87\n")]),
    ("a Photoshop picture", PICTURE, &[(0, b"8BPS\0\x01")]),
    ("an OpenEXR picture", PICTURE, &[(0, b"\x76\x2f\x31\x01")]),
    ("a Radiance picture", PICTURE, &[(0, b"#?RADIANCE")]),
    ("a DICOM file", PICTURE, &[(0, b"\0\0\0\0"), (128, b"DICM")]),
    ("a FITS file", PICTURE, &[(0, b"SIMPLE  =")]),
    ("a film (MP4 or MOV)", DOCUMENT, &[(4, b"ftyp")]),
    ("a film (AVI)", DOCUMENT, &[(0, b"RIFF"), (8, b"AVI ")]),
    ("a film (Matroska or WebM)", DOCUMENT, &[(0, b"\x1a\x45\xdf\xa3")]),
    ("a PDF document", DOCUMENT, &[(0, b"%PDF-")]),
    ("a PostScript document", DOCUMENT, &[(0, b"%!PS")]),
    ("an RTF document", DOCUMENT, &[(0, b"{\\rtf")]),
    (
        "a pointer of Git LFS",
        "get the file itself by `git lfs pull`",
        &[(0, b"version https://git-lfs.github.com/")],
    ),
    ("what macOS keeps beside a file (AppleDouble)", DOCUMENT, &[(0, b"\0\x05\x16\x07\0\x02\0\0")]),
    ("a program", DOCUMENT, &[(0, b"\x7fELF")]),
    ("a TAR archive", ARCHIVE, &[(257, b"ustar")]),
    ("a 7z archive", ARCHIVE, &[(0, b"7z\xbc\xaf\x27\x1c")]),
    ("a RAR archive", ARCHIVE, &[(0, b"Rar!\x1a\x07")]),
    ("gzip data", ARCHIVE, &[(0, b"\x1f\x8b\x08")]),
    ("bzip2 data", ARCHIVE, &[(0, b"BZh"), (4, b"1AY&SY")]),
    ("xz data", ARCHIVE, &[(0, b"\xfd7zXZ\0")]),
    ("Zstandard data", ARCHIVE, &[(0, b"\x28\xb5\x2f\xfd")]),
    ("LZ4 data", ARCHIVE, &[(0, b"\x04\x22\x4d\x18")]),
];

/// A record of `PhysioNet`: this text, and the file that it names.
const WFDB: Foreign = Foreign {
    name: "the header of a WFDB record",
    advice: "save the record as NPY or CSV, with the wfdb package of Python or rdsamp",
};

/// Texts that are no tables, by how they begin, in lower case.
const MARKUP: &[(&str, &str, &str)] = &[
    ("<!doctype html", "a web page (HTML)", DOCUMENT),
    ("<html", "a web page (HTML)", DOCUMENT),
    ("<svg", "an SVG drawing", PICTURE),
    ("<?xml", "an XML file", DOCUMENT),
    ("<table", "a web page (HTML)", DOCUMENT),
    ("{\"", "a JSON file", ARRAY),
    ("[{\"", "a JSON file", ARRAY),
];

/// The kind of a file that is not read, by its first bytes (520 are enough); `None` if it is of a
/// kind that is read, or of none that is known, or behind a tag ([`id3`]) that is longer.
pub fn foreign_kind(bytes: &[u8]) -> Option<Foreign> {
    if id3::is_tagged(bytes) {
        return id3::content(bytes).filter(|rest| id3::sound(rest).is_none()).map(|_| Foreign::MP3);
    }
    let has = |&(at, mark): &Mark| bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let marked = KINDS.iter().find(|(_, _, marks)| marks.iter().all(has));
    let marked = marked.map(|&(name, advice, _)| Foreign { name, advice });
    marked
        .or_else(|| markup(bytes))
        .or_else(|| is_wfdb_header(bytes).then_some(WFDB))
        .or_else(|| is_mpeg_audio(bytes).then_some(Foreign::MP3))
}

/// Whether a text is the header of a record of `PhysioNet`, as header(5) of WFDB describes it: the line
/// of the record (`100 2 360 650000`), and then one that names a file and its format (`100.dat 212 …`).
fn is_wfdb_header(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes.get(..520).unwrap_or(bytes)) else { return false };
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let (Some(record), Some(signal)) = (lines.next(), lines.next()) else { return false };
    let signals = record.split(' ').nth(1).is_some_and(|count| count.parse::<u16>().is_ok());
    let mut signal = signal.split(' ');
    let ending = signal.next().and_then(|file| file.rsplit_once('.')).map(|(_, ending)| ending);
    let file = matches!(ending, Some("dat" | "mat"));
    let format =
        signal.next().is_some_and(|format| format.starts_with(|c: char| c.is_ascii_digit()));
    signals && file && format
}

fn markup(bytes: &[u8]) -> Option<Foreign> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |start: &str| {
        text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    // Raw numbers may begin so, and do not go on as a text.
    let is_text = |&byte: &u8| byte >= b' ' || byte.is_ascii_whitespace();
    let found = MARKUP.iter().find(|(start, _, _)| begins(start));
    let found = found.filter(|_| text.iter().take(64).all(is_text));
    found.map(|&(_, name, advice)| Foreign { name, advice })
}

/// Whether two frames of MPEG audio, layer 3, follow each other: one mark alone has too few bits.
fn is_mpeg_audio(bytes: &[u8]) -> bool {
    let next = |at: usize| bytes.get(at..).and_then(frame_bytes).map(|length| at + length);
    next(0).and_then(next).is_some()
}

/// The length of the frame of layer 3 that begins here.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    /// In kilobits a second, of MPEG 1 and of MPEG 2.
    const BIT_RATES: [[usize; 14]; 2] = [
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    const SAMPLE_RATES: [[usize; 3]; 2] = [[44_100, 48_000, 32_000], [22_050, 24_000, 16_000]];
    let &[0xff, version, rates, _] = bytes.first_chunk()? else { return None };
    let generation = match version & 0xfe {
        0xfa => 0,
        0xf2 => 1,
        _ => return None,
    };
    let bit_rate = BIT_RATES.get(generation)?.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let sample_rate = SAMPLE_RATES.get(generation)?.get(usize::from(rates >> 2 & 3))?;
    let padding = usize::from(rates >> 1 & 1);
    let eighths = if generation == 0 { 144_000 } else { 72_000 };
    Some(eighths * bit_rate / sample_rate + padding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordingFormat;

    /// A file that has these marks, and zeros between them.
    fn file(marks: &[Mark]) -> Vec<u8> {
        let mut file = vec![0; 520];
        for (at, mark) in marks {
            file[*at..at + mark.len()].copy_from_slice(mark);
        }
        file
    }

    #[test]
    fn every_kind_is_found_by_its_marks_and_tells_what_to_do() {
        for (name, advice, marks) in KINDS {
            assert_eq!(foreign_kind(&file(marks)), Some(Foreign { name, advice }), "{name}");
            // One byte less is not enough.
            let (at, mark) = marks.last().unwrap();
            let mut other = file(marks);
            other[at + mark.len() - 1] ^= 0xff;
            assert_ne!(foreign_kind(&other).map(|kind| kind.name), Some(*name), "{name}");
        }
        for (start, name, _) in MARKUP {
            let text = format!("\u{feff}\n{}>", start.to_uppercase());
            assert_eq!(foreign_kind(text.as_bytes()).map(|kind| kind.name), Some(*name));
        }
    }

    #[test]
    fn what_is_read_is_not_foreign() {
        let starts: [&[u8]; 9] = [
            b"\x93NUMPY\x01\0",
            b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0arr_0.npy",
            b"PK\x05\x06",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"RIFF\0\0\0\0WEBPVP8 ",
            b"FORM\0\0\0\0AIFF",
            b"fLaC\0\0\0\x22",
            b"MATLAB 5.0 MAT-file",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
        ];
        for start in starts {
            let mut file = start.to_vec();
            file.resize(520, 0);
            assert_eq!(foreign_kind(&file), None, "{start:?}");
        }
        let tables = [
            "PAR1,PAR2\n1,2\n",
            "ID3,x\n1,2\n",
            "OggS;a\n",
            "MM,II\n",
            "Obj,CDF\n",
            "TDSm\n1\n",
            "# ustar\n1\n",
            "<1>,<2>\n",
            "ftyp\n1\n",
        ];
        for table in tables {
            assert_eq!(foreign_kind(table.as_bytes()), None, "{table}");
            assert_eq!(RecordingFormat::sniff(table.as_bytes()), None, "{table}");
        }
    }

    #[test]
    fn a_record_of_physionet_is_known_by_its_header() {
        let header = b"# a record\n100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n";
        assert_eq!(foreign_kind(header), Some(WFDB));
        for table in ["100 2 360\n100 212 200\n", "x y\n100.dat 212\n", "100 2\n"] {
            assert_eq!(foreign_kind(table.as_bytes()), None, "{table}");
        }
    }

    #[test]
    fn raw_numbers_are_not_foreign() {
        for start in 0..20_000_u16 {
            let numbers: Vec<u8> = (0..130_u16)
                .flat_map(|n| (f32::from(start) * 0.37 + f32::from(n)).sin().to_le_bytes())
                .collect();
            assert_eq!(foreign_kind(&numbers), None, "{start}");
        }
        // Numbers that begin as a frame of MPEG audio does.
        assert_eq!(foreign_kind(&[0xff, 0xfb, 0x90, 0x00, 1, 2, 3, 4]), None);
    }

    #[test]
    fn two_frames_of_mpeg_audio_are_an_mp3_file() {
        // MPEG 1 at 128 kbit/s and 44.1 kHz, and MPEG 2 at 64 kbit/s and 24 kHz.
        for (header, length) in [([0xff, 0xfb, 0x90, 0x64], 417), ([0xff, 0xf3, 0x84, 0xc4], 192)] {
            let mut file = vec![0; 520];
            file[..4].copy_from_slice(&header);
            assert_eq!(foreign_kind(&file), None);
            file[length..length + 4].copy_from_slice(&header);
            assert_eq!(foreign_kind(&file).map(|kind| kind.name), Some("an MP3 file"));
        }
    }
}
