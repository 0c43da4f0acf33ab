//! Inputs as files that every tool opens and `drsn-train` reads.

use drsn_bundle::{ImageSpec, InputSpec, SignalSpec};
use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};

/// A file's content, and the ending of its name.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) ending: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Encoded {
    /// An input as it was before its preparation: a signal as WAV with 32-bit floats, a picture as
    /// PNG. What those cannot hold exactly enough is an NPY file: a sample rate that is unknown or
    /// not whole, values outside [0, 1], other colours than grey and RGB.
    pub(super) fn of(input: &InputSpec, values: &[f32]) -> Self {
        let (ending, bytes) = match input {
            InputSpec::Signal(signal) => match whole_rate(signal) {
                Some(rate) => ("wav", wav(values, signal.channels, rate)),
                None => ("npy", npy(values, &[signal.channels, signal.window])),
            },
            InputSpec::Image(image) => match png(values, image) {
                Some(bytes) => ("png", bytes),
                None => ("npy", npy(values, &[image.channels, image.height, image.width])),
            },
        };
        Self { ending, bytes }
    }
}

fn whole_rate(signal: &SignalSpec) -> Option<u32> {
    let rate = signal.sample_rate_hz.filter(|rate| rate.fract() == 0.0)?;
    (rate <= f64::from(u32::MAX)).then_some(rate as u32)
}

/// A WAV file of 32-bit floats; `values` are channel after channel.
fn wav(values: &[f32], channels: usize, rate: u32) -> Vec<u8> {
    const FLOAT: u16 = 3;
    const HEADER: usize = 50;
    let (frames, data) = (values.len() / channels.max(1), size_of_val(values));
    let frame = channels * size_of::<f32>();
    let mut file = Vec::with_capacity(8 + HEADER + data);
    let size = |bytes: usize| (bytes as u32).to_le_bytes();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&size(HEADER + data));
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&size(18));
    file.extend_from_slice(&FLOAT.to_le_bytes());
    file.extend_from_slice(&(channels as u16).to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&rate.wrapping_mul(frame as u32).to_le_bytes());
    file.extend_from_slice(&(frame as u16).to_le_bytes());
    // 32 bits a sample, and no more fields.
    file.extend_from_slice(&[32, 0, 0, 0]);
    file.extend_from_slice(b"fact");
    file.extend_from_slice(&size(4));
    file.extend_from_slice(&size(frames));
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size(data));
    for frame in 0..frames {
        for channel in 0..channels {
            file.extend_from_slice(&values[channel * frames + frame].to_le_bytes());
        }
    }
    file
}

/// An NPY file, version 1.0.
fn npy(values: &[f32], shape: &[usize]) -> Vec<u8> {
    const BEGINNING: usize = 10;
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape.join(", "));
    let padding = 63 - (BEGINNING + header.len()) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut file = Vec::with_capacity(BEGINNING + header.len() + size_of_val(values));
    file.extend_from_slice(b"\x93NUMPY\x01\x00");
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

/// A PNG file: of 8 bits if the pixels came from such a picture, otherwise of 16. None if they do
/// not fit.
fn png(values: &[f32], image: &ImageSpec) -> Option<Vec<u8>> {
    let (byte, word) = match image.channels {
        1 => (ExtendedColorType::L8, ExtendedColorType::L16),
        3 => (ExtendedColorType::Rgb8, ExtendedColorType::Rgb16),
        _ => return None,
    };
    if !values.iter().all(|value| (0.0..=1.0).contains(value)) {
        return None;
    }
    let eight = |value: f32| (value * 255.0).round() as u8;
    let is_byte =
        values.iter().all(|&value| (f32::from(eight(value)) / 255.0).to_bits() == value.to_bits());
    let area = image.height * image.width;
    let pixels = (0..area).flat_map(|at| (0..image.channels).map(move |c| values[c * area + at]));
    let (colour, bytes): (_, Vec<u8>) = if is_byte {
        (byte, pixels.map(eight).collect())
    } else {
        let word_of = |value: f32| ((value * 65_535.0).round() as u16).to_ne_bytes();
        (word, pixels.flat_map(word_of).collect())
    };
    let mut file = Vec::new();
    let (width, height) = (image.width as u32, image.height as u32);
    PngEncoder::new(&mut file).write_image(&bytes, width, height, colour).ok()?;
    Some(file)
}
