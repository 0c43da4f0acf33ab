//! The time and memory that a picture needs, known from its header before it is decoded.
//!
//! The times, in nanoseconds, are upper bounds for one core of a server processor of 2020: twice
//! what the slowest file of a kind needed there. `tests/image_time.rs` compares them with the clock.

use std::time::Duration;

use super::{
    super::{Filter, Geometry, ImageFormat, ImageSpec},
    MAX_DECODER_BYTES, bmp, jpeg, png, webp,
};

/// Red, green, blue and alpha as 32-bit floats, and as bytes.
const FLOATS_OF_A_PIXEL: u64 = 16;
const BYTES_OF_A_PIXEL: u64 = 4;
/// Memory of a decoder that does not grow with the picture: tables, windows, rows of a picture of
/// usual width.
const TABLES: u64 = 256 << 10;

/// Tables of a group of prefix codes of a lossless WebP picture, of which each may have a thousand
/// entries.
const BYTES_OF_CODES: u64 = 24 << 10;
/// Time that does not grow with the file.
const OVERHEAD: u64 = 200_000;

/// What a file's own structure says of the work to decode it.
#[derive(Debug)]
pub(super) enum Survey {
    Png(png::Survey),
    Jpeg(jpeg::Survey),
    WebP(webp::Survey),
    Bmp,
    Gif,
}

impl Survey {
    /// Reads the structure of a file; `None` if it is damaged or cut short, in so far as decoders
    /// do not check that themselves.
    pub(super) fn of(format: ImageFormat, bytes: &[u8], max_pixels: u64) -> Option<Self> {
        match format {
            ImageFormat::Png => png::survey(bytes).map(Self::Png),
            ImageFormat::Jpeg => jpeg::survey(bytes).map(Self::Jpeg),
            ImageFormat::WebP => webp::survey(bytes, max_pixels).map(Self::WebP),
            ImageFormat::Bmp => bmp::is_whole(bytes).then_some(Self::Bmp),
            ImageFormat::Gif => Some(Self::Gif),
        }
    }

    /// Time to read the header, with the tables and the metadata that precede the pixels.
    pub(super) fn header_time(&self) -> Duration {
        Duration::from_nanos(match self {
            // The first profile is decompressed.
            Self::Png(png) => png.metadata_bytes * 40,
            // Each segment may make the decoder sort those before it.
            Self::Jpeg(jpeg) => jpeg.segments * 20_000 + jpeg.segments * jpeg.segments * 10,
            Self::WebP(_) | Self::Bmp | Self::Gif => 0,
        })
    }
}

/// A file's picture as it will be decoded.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) survey: Survey,
    pub(super) file_bytes: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    /// Size of the decoded picture, in bytes.
    pub(super) decoded_bytes: u64,
    /// Whether it has more than 8 bits per channel, and becomes floats.
    pub(super) is_deep: bool,
    /// Whether its rows become columns after it is decoded.
    pub(super) is_turned: bool,
}

impl Picture {
    fn pixels(&self) -> u64 {
        self.width * self.height
    }

    /// Width and height after it is turned.
    fn turned(&self) -> (u64, u64) {
        if self.is_turned { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Time to decode and turn it.
    pub(super) fn decoding_time(&self) -> Duration {
        let pixels = self.pixels();
        let decoding = match &self.survey {
            Survey::Png(png) => {
                self.decoded_bytes * 4 + pixels * if png.is_interlaced { 14 } else { 0 }
            }
            Survey::Jpeg(jpeg) => {
                let coded = if jpeg.keeps_coefficients { 70 } else { 30 };
                jpeg.blocks * 100 + jpeg.visits * 50 + jpeg.coded_bytes * coded + pixels * 4
            }
            Survey::WebP(webp) => {
                let canvas = if webp.is_animated { 10 } else { 0 };
                let alpha = if webp.has_alpha_plane { 40 } else { 0 };
                let (coded, picture) = if webp.has_lossless { (100, 40) } else { (180, 26) };
                pixels * (picture + alpha + canvas)
                    + self.file_bytes * coded
                    + webp.code_groups * 40_000
            }
            Survey::Bmp | Survey::Gif => pixels * 24,
        };
        // Laid over black; turned, with its rows and columns in different parts of memory; made
        // floats.
        let turning = if self.is_turned { 24 } else { 2 };
        let floats = if self.is_deep { 32 } else { 0 };
        let rest = pixels * (6 + turning + floats) + self.file_bytes * 2 + OVERHEAD;
        self.survey.header_time() + Duration::from_nanos(decoding + rest)
    }

    /// Time to resize it to the network's size: first its columns, then its rows.
    pub(super) fn resizing_time(&self, spec: &ImageSpec) -> Duration {
        /// Of each pixel under the filter.
        const TAP: f64 = 8.0;
        let Some([width, height]) = self.part(spec) else { return Duration::ZERO };
        let (to_width, to_height) = (spec.width as f64, spec.height as f64);
        let support = match spec.filter {
            Filter::Nearest => 0.0,
            Filter::Triangle => 1.0,
            Filter::CatmullRom => 2.0,
        };
        let taps = |from: f64, to: f64| to * (2.0 + 2.0 * support * (from / to).max(1.0));
        let taps = width * taps(height, to_height) + to_height * taps(width, to_width);
        Duration::from_secs_f64((taps * TAP / 1e9).min(1e6))
    }

    /// Width and height of the part that is resized; `None` if it has the network's size.
    fn part(&self, spec: &ImageSpec) -> Option<[f64; 2]> {
        let (width, height) = self.turned();
        let (to_width, to_height) = (spec.width as f64, spec.height as f64);
        let (mut part_width, mut part_height) = (width as f64, height as f64);
        if spec.geometry == Geometry::CenterCrop {
            let aspect = to_width / to_height;
            part_width = part_width.min((height as f64 * aspect).round().max(1.0));
            part_height = part_height.min((width as f64 / aspect).round().max(1.0));
        }
        let fits = part_width as usize == spec.width && part_height as usize == spec.height;
        (!fits).then_some([part_width, part_height])
    }

    /// Upper bound, in bytes, of the memory for decoding it and fitting it to the network: that of
    /// the step that needs the most.
    pub(super) fn peak_bytes(&self, spec: &ImageSpec) -> u64 {
        let decoding = self.decoded_bytes + self.decoder_bytes();
        let turning = if self.is_turned { 2 * self.decoded_bytes } else { 0 };
        let floats = if self.is_deep { FLOATS_OF_A_PIXEL * self.pixels() } else { 0 };
        let becoming_floats = if self.is_deep { self.decoded_bytes + floats } else { 0 };
        let picture = if self.is_deep { floats } else { self.decoded_bytes };
        // The columns are resized to floats; the second result and the planes are the network's.
        let between = match self.part(spec) {
            Some([width, _]) => width as u64 * spec.height as u64 * FLOATS_OF_A_PIXEL,
            None => 0,
        };
        let result = (spec.height * spec.width) as u64;
        let result = result * if self.is_deep { FLOATS_OF_A_PIXEL } else { BYTES_OF_A_PIXEL };
        let planes = (spec.channels * spec.height * spec.width * size_of::<f32>()) as u64;
        let fitting = picture + between.max(planes) + result;
        decoding.max(turning).max(becoming_floats).max(fitting) + TABLES
    }

    /// Memory of the decoder besides the decoded picture.
    fn decoder_bytes(&self) -> u64 {
        let pixels = self.pixels();
        match &self.survey {
            // A window and some rows, and metadata before and after it is decompressed.
            Survey::Png(png) => {
                let metadata = if png.metadata_bytes > 1024 { MAX_DECODER_BYTES } else { 0 };
                8 * 8 * self.width + metadata + TABLES
            }
            // The file is copied; a row of blocks as 16-bit numbers, before and after its colours
            // are enlarged to full size.
            Survey::Jpeg(jpeg) => {
                let coefficients = if jpeg.keeps_coefficients { 2 * 64 * jpeg.blocks } else { 0 };
                let rows = jpeg.components * self.width * 2 * 8 * 8;
                2 * self.file_bytes + coefficients + rows
            }
            // Transforms and codes, or planes of luma and chroma; the four bytes of each pixel that
            // a lossless picture is decoded to, if the result has three; alpha, coded as such a
            // picture; the frame and the canvas of an animation.
            Survey::WebP(webp) => {
                let has_four_bytes = self.decoded_bytes == BYTES_OF_A_PIXEL * pixels;
                let in_place = has_four_bytes || webp.is_animated || !webp.has_lossless;
                let alpha = if webp.has_alpha_plane { 6 * pixels } else { 0 };
                let canvas = if webp.is_animated { 2 * BYTES_OF_A_PIXEL * pixels } else { 0 };
                let picture = if in_place { 0 } else { BYTES_OF_A_PIXEL * pixels };
                let codes = (webp.code_groups * BYTES_OF_CODES).min(400 * self.file_bytes);
                2 * pixels + picture + alpha + canvas + codes + self.file_bytes
            }
            Survey::Bmp => 16 * self.width,
            // The first picture, before it is drawn on the canvas.
            Survey::Gif => (BYTES_OF_A_PIXEL * pixels).min(MAX_DECODER_BYTES),
        }
    }
}
