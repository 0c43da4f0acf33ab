//! What can be wrong with an image file, each in a sentence for the person who sent or stored it.

use std::time::Duration;

/// An image that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The bytes are not an image of a supported format.
    #[error(
        "a PNG, JPEG, WebP, BMP or GIF file was expected, and the first bytes match none of them"
    )]
    Unknown,
    /// The file is of a supported format but cannot be decoded.
    #[error("the {format} file cannot be decoded: it is damaged or cut short")]
    Damaged {
        /// `PNG`, `JPEG` and so on.
        format: &'static str,
    },
    /// A whole JPEG file of a rare kind.
    #[error(
        "the JPEG file has {what}, which is not supported: save it as a usual JPEG of 8 bits per \
         channel, or as PNG"
    )]
    Coding {
        /// What is rare about it.
        what: &'static str,
    },
    /// A GIF file whose first picture is smaller or larger than its canvas.
    #[error(
        "the first picture of the GIF file does not cover its canvas exactly, and programs differ in \
         what they show there: save it as PNG"
    )]
    Canvas,
    /// The file declares more pixels than allowed.
    #[error("the picture is {width} x {height} pixels, above the limit of {most} pixels")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        most: u64,
    },
    /// Decoding and resizing would take too long, by an estimate from the file's header.
    #[error(
        "the picture would take about {:.1} s to decode and resize, above the limit of {:.1} s: \
         send a smaller one, or one with fewer scans",
        estimate.as_secs_f64(),
        most.as_secs_f64()
    )]
    TooCostly {
        /// The estimate.
        estimate: Duration,
        /// The limit.
        most: Duration,
    },
    /// The deadline passed, or would pass before the picture is decoded.
    #[error("the time for the request was up before the picture was decoded")]
    TimeUp,
    /// Nothing to classify.
    #[error(
        "every pixel of the picture has the same value at the model's size: a picture without \
         content cannot be classified"
    )]
    NoContent,
    /// The model accepts one size only.
    #[error(
        "the picture is {width} x {height} pixels, and this model requires exactly \
         {expected_width} x {expected_height}"
    )]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Required columns.
        expected_width: usize,
        /// Required rows.
        expected_height: usize,
    },
}
