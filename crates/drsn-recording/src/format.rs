//! The formats of recordings: what each is called, how files of it are named and sent, and how they
//! begin. Everything else that lists formats is derived from [`RecordingFormat::ALL`].

use std::{borrow::Cow, fmt, path::Path};

use crate::{aiff, flac, gzip, id3, mat, wav};

/// File formats of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordingFormat {
    /// One NumPy array.
    Npy,
    /// A ZIP archive of NumPy arrays.
    Npz,
    /// RIFF WAVE and its kinds for long files: RF64, BW64 and Sony Wave64.
    Wav,
    /// Audio Interchange File Format, also AIFF-C.
    Aiff,
    /// Free Lossless Audio Codec.
    Flac,
    /// MATLAB's MAT-file, versions 4 and 5 (`-v4`, `-v6`, `-v7`).
    Mat,
    /// A text table with a column for each channel.
    Csv,
}

/// What is known about a format.
struct Facts {
    name: &'static str,
    /// The usual one first.
    extensions: &'static [&'static str],
    /// The usual one first.
    media_types: &'static [&'static str],
    /// Whether a file that begins so is of this format.
    begins: fn(&[u8]) -> bool,
}

impl RecordingFormat {
    /// All formats. Those whose mark leaves the least doubt come first, and are looked for first.
    pub const ALL: [Self; 7] =
        [Self::Npy, Self::Npz, Self::Wav, Self::Aiff, Self::Flac, Self::Mat, Self::Csv];

    /// The one table of formats.
    const fn facts(self) -> Facts {
        match self {
            Self::Npy => Facts {
                name: "NPY",
                extensions: &["npy"],
                media_types: &["application/x-npy"],
                begins: |bytes| bytes.starts_with(b"\x93NUMPY"),
            },
            Self::Npz => Facts {
                name: "NPZ",
                extensions: &["npz"],
                media_types: &["application/x-npz"],
                begins: |bytes| {
                    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
                },
            },
            Self::Wav => Facts {
                name: "WAV",
                extensions: &["wav", "wave", "rf64", "bw64", "w64"],
                media_types: &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
                begins: wav::is_wav,
            },
            Self::Aiff => Facts {
                name: "AIFF",
                extensions: &["aiff", "aif", "aifc"],
                media_types: &["audio/aiff", "audio/x-aiff"],
                begins: aiff::is_aiff,
            },
            Self::Flac => Facts {
                name: "FLAC",
                extensions: &["flac"],
                media_types: &["audio/flac", "audio/x-flac"],
                begins: flac::is_flac,
            },
            Self::Mat => Facts {
                name: "MAT",
                extensions: &["mat"],
                media_types: &["application/x-matlab-data"],
                begins: mat::is_mat,
            },
            // Text has no mark.
            Self::Csv => Facts {
                name: "CSV",
                extensions: &["csv", "tsv", "txt", "lvm"],
                media_types: &["text/csv", "text/tab-separated-values"],
                begins: |_| false,
            },
        }
    }

    /// Its name for people, such as `WAV`.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The extensions of its files, without a dot and in lower case; the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        self.facts().extensions
    }

    /// The media types under which it is sent, in lower case; the usual one first.
    pub const fn media_types(self) -> &'static [&'static str] {
        self.facts().media_types
    }

    /// Detects the format from the first bytes of a file: 520 are enough, and if it begins with a
    /// tag ([`id3`](crate::id3)), 520 behind it. Text tables have no mark.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if id3::is_tagged(bytes) {
            return id3::content(bytes).and_then(id3::sound);
        }
        Self::of_mark(bytes)
    }

    /// The format whose mark these bytes begin with.
    pub(crate) fn of_mark(bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|format| (format.facts().begins)(bytes))
    }

    /// A text table, if the first bytes of a file whose name tells nothing are text with numbers in
    /// it: loggers name their files by the time of measurement.
    pub fn of_text(bytes: &[u8]) -> Option<Self> {
        let start = &*narrowed(bytes.get(..520).unwrap_or(bytes));
        let is_text = |&byte: &u8| byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n');
        let is_table = start.iter().all(is_text) && start.iter().any(u8::is_ascii_digit);
        // A document of another kind of text begins with a mark of its own.
        // `% ` begins a comment of MATLAB.
        let is_other = match start.trim_ascii_start() {
            [b'{' | b'<', ..] => true,
            [b'%', next, ..] => !matches!(next, b' ' | b'%'),
            _ => false,
        };
        (is_table && !is_other).then_some(Self::Csv)
    }

    /// The format of a file: by its first bytes (520 are enough), or else by its name. A text with
    /// numbers in it is a table, whatever it is called: all other formats have marks.
    pub fn of_file(start: &[u8], named: Option<Self>) -> Option<Self> {
        Self::sniff(start).or_else(|| Self::of_text(start)).or(named)
    }

    /// The format of a file whose name tells nothing, if its first bytes (520 are enough) leave
    /// little doubt: an archive must begin with an array, because documents and programs are archives
    /// as well, and a table must have nothing but numbers.
    pub fn of_unnamed(start: &[u8]) -> Option<Self> {
        let is_of_numbers = |byte: &u8| byte.is_ascii_digit() || b"+-.,;eE \t\r\n".contains(byte);
        match Self::sniff(start) {
            Some(Self::Npz) => starts_with_an_array(start).then_some(Self::Npz),
            Some(format) => Some(format),
            None => Self::of_text(start).filter(|_| narrowed(start).iter().all(is_of_numbers)),
        }
    }

    /// Detects the format from a file name's extension, without its dot and in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::named(extension, Self::extensions)
    }

    /// Detects the format from the ending of a file's name; of `a.csv.gz` it is that of `a.csv`.
    pub fn from_path(path: &Path) -> Option<Self> {
        gzip::format_of(path)
    }

    /// Detects the format from a media type without its parameters, in any case.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        Self::named(media_type, Self::media_types)
    }

    fn named(name: &str, names: fn(Self) -> &'static [&'static str]) -> Option<Self> {
        let matches = |format: &Self| names(*format).iter().any(|n| n.eq_ignore_ascii_case(name));
        Self::ALL.into_iter().find(matches)
    }

    /// The usual extensions of all formats, for a sentence: `.npy, .npz or .wav`.
    pub fn list() -> String {
        let endings = Self::ALL.map(|f| format!(".{}", f.extensions().first().unwrap_or(&"")));
        match &endings[..] {
            [others @ .., last] => format!("{} or {last}", others.join(", ")),
            [] => String::new(),
        }
    }
}

impl fmt::Display for RecordingFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text without its mark of UTF-16 or UTF-8, a byte for each unit; those above are not told apart.
fn narrowed(text: &[u8]) -> Cow<'_, [u8]> {
    let narrow = |unit: u16| u8::try_from(unit).unwrap_or(u8::MAX);
    let units = |units: &[u8], read: fn([u8; 2]) -> u16| {
        units.as_chunks().0.iter().map(|&two| narrow(read(two))).collect()
    };
    match text {
        [0xff, 0xfe, text @ ..] => units(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => units(text, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] | text => Cow::Borrowed(text),
    }
}

/// Whether the first member of a ZIP archive is called like an array of `NumPy`.
fn starts_with_an_array(start: &[u8]) -> bool {
    let name = || {
        let &length = start.get(26..)?.first_chunk()?;
        start.get(30..)?.get(..usize::from(u16::from_le_bytes(length)))
    };
    name().is_some_and(|name| name.ends_with(b".npy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_names_and_no_name_has_two() {
        for format in RecordingFormat::ALL {
            for extension in format.extensions() {
                assert_eq!(RecordingFormat::from_extension(extension), Some(format));
                let upper = extension.to_uppercase();
                assert_eq!(RecordingFormat::from_extension(&upper), Some(format));
            }
            for media_type in format.media_types() {
                assert_eq!(RecordingFormat::from_media_type(media_type), Some(format));
            }
        }
        assert_eq!(RecordingFormat::from_extension("pdf"), None);
        assert_eq!(RecordingFormat::list(), ".npy, .npz, .wav, .aiff, .flac, .mat or .csv");
    }

    /// A logger's export in UTF-16 without a known ending was refused as no format at all.
    #[test]
    fn a_text_is_found_in_every_encoding_with_a_mark() {
        let table = "t;µ\n0,5;1\n";
        let wide = |to: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{table}").encode_utf16().flat_map(to).collect()
        };
        for text in [wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
            assert_eq!(RecordingFormat::of_text(&text), Some(RecordingFormat::Csv));
            assert_eq!(RecordingFormat::of_unnamed(&text), None, "it has letters");
        }
        assert_eq!(RecordingFormat::of_text(b"\xef\xbb\xbf{\"a\": 1}"), None, "it is JSON");
        assert_eq!(RecordingFormat::of_text(b"\xff\xfe\x01\x00\x31\x00"), None, "it is no text");
    }

    #[test]
    fn a_table_that_starts_like_a_sound_is_a_table() {
        for text in ["RIFF,FORM\n1,2\n", "FORM;AIFF\n", "fLa,C\n", "ID3,x\n1,2\n", "riff\n1\n"] {
            assert_eq!(RecordingFormat::sniff(text.as_bytes()), None, "{text}");
        }
    }
}
