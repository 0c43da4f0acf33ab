//! Signals, and the files of the formats that public data sets come in.

use std::{fmt::Write as _, fs, path::Path};

#[path = "../../../../drsn-recording/tests/support/mat.rs"]
mod mat;

pub(super) use mat::{file as mat_file, structure};

/// Samples of a class: a tone of its own in noise, in [−1, 1]. Other seeds give other noise.
pub(super) fn signal(class: usize, seed: usize, count: usize) -> Vec<f32> {
    let mut state = (1 + class + 1000 * seed) as u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let step = 0.15 + 0.25 * class as f32;
    (0..count).map(|n| 0.6 * (n as f32 * step).sin() + 0.4 * noise()).collect()
}

/// Writes a file, and the folders around it.
pub(super) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A column of 64-bit floats in a MAT file of version 5.
pub(super) fn doubles(name: &str, values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    mat::matrix(6, [values.len() as u32, 1], name, &mat::element(9, &bytes))
}

/// A line of text in a MAT file of version 5.
pub(super) fn text(name: &str, text: &str) -> Vec<u8> {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    mat::matrix(4, [1, text.len() as u32], name, &mat::element(4, &bytes))
}

/// A variable of a MAT file of version 4: a column of 64-bit floats.
pub(super) fn doubles_4(name: &str, values: &[f32]) -> Vec<u8> {
    let header = [0, values.len() as u32, 1, 0, name.len() as u32 + 1].map(u32::to_le_bytes);
    let values = values.iter().flat_map(|&x| f64::from(x).to_le_bytes());
    [&header.concat()[..], name.as_bytes(), &[0]].concat().into_iter().chain(values).collect()
}

/// A WAV file of 16 bits, one channel.
pub(super) fn wav(rate: u32, samples: &[f32]) -> Vec<u8> {
    let bytes = 2 * samples.len() as u32;
    let mut file =
        [b"RIFF", &(36 + bytes).to_le_bytes()[..], b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    file.extend([rate, 2 * rate].map(u32::to_le_bytes).concat());
    file.extend([&b"\x02\0\x10\0data"[..], &bytes.to_le_bytes()].concat());
    file.extend(samples.iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()));
    file
}

/// Rows of these columns, and what ends each.
pub(super) fn table(columns: &[Vec<f32>], separator: char, end: &str) -> String {
    let mut rows = String::new();
    for row in 0..columns[0].len() {
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                rows.push(separator);
            }
            write!(rows, "{:.4}", column[row]).unwrap();
        }
        rows.push_str(end);
    }
    rows
}
