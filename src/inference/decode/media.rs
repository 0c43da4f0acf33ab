//! The kind of a body or file: by its declared media type, its first bytes or its name.

use drsn_bundle::input::ImageFormat;
use drsn_recording::RecordingFormat;

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
            b"audio/wav" | b"audio/x-wav" | b"audio/wave" | b"audio/vnd.wave" => {
                Some(Self::Recording(RecordingFormat::Wav))
            }
            b"text/csv" | b"text/tab-separated-values" => {
                Some(Self::Recording(RecordingFormat::Csv))
            }
            b"application/x-npy" => Some(Self::Recording(RecordingFormat::Npy)),
            b"application/x-npz" => Some(Self::Recording(RecordingFormat::Npz)),
            b"application/x-matlab-data" => Some(Self::Recording(RecordingFormat::Mat)),
            _ => None,
        }
    }

    /// The kind by a file's first bytes; [`MARK_BYTES`] are enough. CSV cannot be recognised.
    pub(crate) fn sniff(bytes: &[u8]) -> Option<Self> {
        ImageFormat::of(bytes)
            .map(Self::Image)
            .or_else(|| RecordingFormat::sniff(bytes).map(Self::Recording))
    }

    /// The kind by the extension of a file's name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let image = match &extension.to_ascii_lowercase()[..] {
            "png" => Some(ImageFormat::Png),
            "jpg" | "jpeg" => Some(ImageFormat::Jpeg),
            "webp" => Some(ImageFormat::WebP),
            "bmp" => Some(ImageFormat::Bmp),
            "gif" => Some(ImageFormat::Gif),
            _ => None,
        };
        let recording = || RecordingFormat::from_extension(extension).map(Self::Recording);
        image.map(Self::Image).or_else(recording)
    }

    /// The media type under which to send such a file.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Image(format) => format.media_type(),
            Self::Recording(RecordingFormat::Wav) => "audio/wav",
            Self::Recording(RecordingFormat::Csv) => "text/csv",
            Self::Recording(RecordingFormat::Npy | RecordingFormat::Npz) => "application/x-npy",
            Self::Recording(RecordingFormat::Mat) => "application/x-matlab-data",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Image(format) => format.name().to_owned(),
            Self::Recording(format) => format.to_string(),
        }
    }
}

/// Rejects a file that was declared as raw numbers.
pub(crate) fn refuse_files(body: &[u8]) -> Result<(), ApiError> {
    let file = match FileKind::sniff(body) {
        Some(kind) => format!("a {} file; send it as {}", kind.name(), kind.media_type()),
        None if body.starts_with(b"\x1f\x8b\x08") => "gzip data; send it uncompressed".to_owned(),
        None => return Ok(()),
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

    #[test]
    fn a_file_sent_as_raw_numbers_is_told_its_type() {
        for (body, sentence) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "a PNG file; send it as image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP file; send it as image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "a WAV file; send it as audio/wav"),
            (b"GIF89a", "a GIF file; send it as image/gif"),
            (b"\x93NUMPY\x01\0", "a NPY file; send it as application/x-npy"),
            (b"PK\x03\x04", "a NPZ file; send it as application/x-npy"),
            (b"\x1f\x8b\x08", "gzip data; send it uncompressed"),
        ] {
            let detail = refuse_files(body).err().map(|e| e.detail).unwrap_or_default();
            assert_eq!(detail, format!("expected raw 32-bit floats, but the body is {sentence}"));
        }
        assert_eq!(refuse_files(b"BM are the first letters of two numbers"), Ok(()));
    }
}
