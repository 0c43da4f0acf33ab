//! The kind of a body or file: by its declared media type, its first bytes or its name.

use std::path::Path;

use drsn_bundle::input::ImageFormat;
use drsn_recording::{RecordingFormat, foreign_kind, gzip, id3};

use crate::error::{ApiError, ErrorKind, quoted};

/// The supported media types, for error messages.
const MEDIA_TYPES: &str = "application/json, image/png, image/jpeg, image/webp, image/bmp, image/gif, audio/wav, text/csv, \
     application/x-npy, application/x-matlab-data, multipart/form-data or application/octet-stream (32-bit floats)";

/// This many bytes from the start of a file are enough to identify its kind.
pub(crate) const MARK_BYTES: usize = 520;

/// A supported media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`.
    Json,
    /// `application/octet-stream`: little-endian 32-bit floats.
    Raw,
    /// An image or a recording; its first bytes override the declared kind.
    File(FileKind),
    /// `multipart/form-data`.
    Multipart,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Image(ImageFormat),
    Recording(RecordingFormat),
}

impl MediaType {
    /// Reads a `Content-Type` header.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedMediaType`] if the header is missing or names another type.
    pub(crate) fn of(content_type: Option<&[u8]>) -> Result<Self, ApiError> {
        let unsupported = |received: &str| {
            ErrorKind::UnsupportedMediaType
                .because(format!("the body's Content-Type is {received}; send {MEDIA_TYPES}"))
        };
        let Some(content_type) = content_type else {
            return Err(unsupported("missing"));
        };
        match &essence(content_type)[..] {
            b"application/json" => Ok(Self::Json),
            b"application/octet-stream" => Ok(Self::Raw),
            b"multipart/form-data" => Ok(Self::Multipart),
            // The default of curl and browsers.
            b"application/x-www-form-urlencoded" => Err(unsupported(
                "application/x-www-form-urlencoded (curl's default: add -H 'content-type: …')",
            )),
            _ => FileKind::of_media_type(content_type)
                .map(Self::File)
                .ok_or_else(|| unsupported(&quoted(&String::from_utf8_lossy(content_type)))),
        }
    }
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &[u8]) -> Vec<u8> {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().to_ascii_lowercase()
}

impl FileKind {
    /// The kind for a media type.
    pub(crate) fn of_media_type(media_type: &[u8]) -> Option<Self> {
        match &essence(media_type)[..] {
            b"image/png" => Some(Self::Image(ImageFormat::Png)),
            // image/jpg is not registered, but clients send it.
            b"image/jpeg" | b"image/jpg" => Some(Self::Image(ImageFormat::Jpeg)),
            b"image/webp" => Some(Self::Image(ImageFormat::WebP)),
            b"image/bmp" | b"image/x-ms-bmp" => Some(Self::Image(ImageFormat::Bmp)),
            b"image/gif" => Some(Self::Image(ImageFormat::Gif)),
            other => std::str::from_utf8(other)
                .ok()
                .and_then(RecordingFormat::from_media_type)
                .map(Self::Recording),
        }
    }

    /// The kind by a file's first bytes; [`MARK_BYTES`] are enough. CSV cannot be recognised.
    pub(crate) fn sniff(bytes: &[u8]) -> Option<Self> {
        ImageFormat::of(bytes)
            .map(Self::Image)
            .or_else(|| RecordingFormat::sniff(bytes).map(Self::Recording))
    }

    /// The kind of a file by its first bytes, its name or its declared type, in this order; or else a
    /// table, if it is a text with numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is of a kind that is not read, or if none of them
    /// identifies it: a file is never read as raw numbers.
    pub(crate) fn of(
        bytes: &[u8],
        name: Option<&str>,
        declared: Option<Self>,
    ) -> Result<Self, ApiError> {
        if let Some(kind) = foreign_kind(bytes) {
            return Err(ApiError::invalid(format!("the file is {kind}")));
        }
        let known = Self::sniff(bytes).or_else(|| {
            match name.and_then(Self::of_name).or(declared) {
                Some(Self::Recording(named)) => RecordingFormat::of_file(bytes, Some(named)),
                Some(image @ Self::Image(_)) => return Some(image),
                None => RecordingFormat::of_file(bytes, None),
            }
            .map(Self::Recording)
        });
        known.ok_or_else(|| {
            if id3::is_tagged(bytes) {
                return ApiError::invalid(format!("the file is {TAGGED}"));
            }
            ApiError::invalid(format!(
                "unknown file type: neither its first bytes, its name nor its declared type \
                 identifies it; send images as PNG, JPEG, WebP, BMP or GIF, and recordings as {}",
                RecordingFormat::list()
            ))
        })
    }

    /// The kind by the extension of a file's name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let image = ImageFormat::from_extension(extension).map(Self::Image);
        // Also `run.csv.gz`.
        image.or_else(|| RecordingFormat::from_path(Path::new(name)).map(Self::Recording))
    }

    /// The media type under which to send such a file.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Image(format) => format.media_type(),
            Self::Recording(format) => format.media_types().first().copied().unwrap_or_default(),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Image(format) => format.name().to_owned(),
            Self::Recording(format) => format.to_string(),
        }
    }
}

/// A file whose beginning is a tag, and whose kind is not seen.
const TAGGED: &str = "a sound behind an ID3 tag; send it as audio/flac or audio/wav if it is one of them, or else \
                      convert it to WAV or FLAC";

/// Rejects a file that was declared as raw numbers.
pub(crate) fn refuse_files(body: &[u8]) -> Result<(), ApiError> {
    let file = if gzip::is_packed(body) {
        "gzip data; say so with the header Content-Encoding: gzip".to_owned()
    } else if let Some(kind) = foreign_kind(body) {
        kind.to_string()
    } else if let Some(kind) = FileKind::sniff(body) {
        format!("a {} file; send it as {}", kind.name(), kind.media_type())
    } else if id3::is_tagged(body) {
        TAGGED.to_owned()
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(format!("expected raw 32-bit floats, but the body is {file}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_read_without_its_parameters_and_in_any_case() {
        assert_eq!(MediaType::of(Some(b"Application/JSON; charset=utf-8")), Ok(MediaType::Json));
        let jpeg = MediaType::File(FileKind::Image(ImageFormat::Jpeg));
        assert_eq!(MediaType::of(Some(b"image/jpg")), Ok(jpeg));
        let form = MediaType::of(Some(b"multipart/form-data; boundary=x"));
        assert_eq!(form, Ok(MediaType::Multipart));
    }

    #[test]
    fn a_missing_or_unknown_media_type_is_answered_with_those_that_are_taken() {
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let error = MediaType::of(content_type.map(str::as_bytes)).err();
            assert_eq!(error.as_ref().map(|e| e.kind), Some(ErrorKind::UnsupportedMediaType));
            assert!(error.is_some_and(|e| e.detail.contains("application/json, image/png")));
        }
    }

    /// Regression: an Excel workbook was taken for an NPZ file, and other kinds for what they were
    /// called.
    #[test]
    fn a_file_of_another_kind_is_refused_by_its_name_whatever_it_is_called() {
        let csv = FileKind::Recording(RecordingFormat::Csv);
        for (start, sentence) in [
            (
                &b"PK\x03\x04....................\x13\0....[Content_Types].xml"[..],
                "an Excel workbook",
            ),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file; save its signal as NPY"),
            (b"....ftypheic", "a HEIC picture; save the picture as PNG"),
            (b"II*\0", "a TIFF picture"),
            (b"<!DOCTYPE html>", "a web page (HTML)"),
        ] {
            for name in [Some("a.csv"), Some("a.png"), None] {
                let detail = FileKind::of(start, name, Some(csv)).map_err(|e| e.detail);
                assert!(detail.as_ref().is_err_and(|d| d.contains(sentence)), "{detail:?}");
            }
        }
        assert_eq!(FileKind::of(b"1\n2\n", Some("a.tsv"), None), Ok(csv));
        assert!(FileKind::of(b"\x01\x02", Some("a"), None).is_err());
    }

    #[test]
    fn a_file_sent_as_raw_numbers_is_told_its_type() {
        for (body, sentence) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "a PNG file; send it as image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP file; send it as image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "a WAV file; send it as audio/wav"),
            (b"GIF89a", "a GIF file; send it as image/gif"),
            (b"\x93NUMPY\x01\0", "a NPY file; send it as application/x-npy"),
            (b"PK\x03\x04", "a NPZ file; send it as application/x-npz"),
            (b"\x1f\x8b\x08", "gzip data; say so with the header Content-Encoding: gzip"),
            (b"OggS\0", "an Ogg file; convert it to WAV or FLAC"),
            (b"%PDF-1.7", "a PDF document; use the recording or the picture itself"),
        ] {
            let detail = refuse_files(body).err().map(|e| e.detail).unwrap_or_default();
            assert_eq!(detail, format!("expected raw 32-bit floats, but the body is {sentence}"));
        }
        assert_eq!(refuse_files(b"BM are the first letters of two numbers"), Ok(()));
    }
}
