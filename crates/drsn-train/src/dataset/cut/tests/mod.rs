//! Windows in arrays and tables, valid and invalid.
#![expect(clippy::format_collect, reason = "the texts of tests are short")]

mod checks;
mod reading;

use std::fs;

use ndarray::Array2;

use super::*;
use crate::dataset::Part;

pub(super) fn config() -> WindowConfig {
    WindowConfig {
        window: 10,
        channels: None,
        axes: None,
        inputs: None,
        labels: None,
        groups: None,
        splits: None,
        skip_columns: Vec::new(),
        classes: Vec::new(),
        sample_rate_hz: Some(1000.0),
        normalization: NormalizationConfig::ZScore { epsilon: 1e-8 },
        limit: None,
        split: Split::Random { held_out: 0.1, test: 0.2 },
    }
}

const LIST: Split = Split::List { held_out_share: 0.0 };

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// An array in NumPy's format.
fn npy(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), bytes].concat()
}

fn floats(shape: &[usize], numbers: impl IntoIterator<Item = f32>) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    npy("<f4", shape, &bytes)
}

/// A sample that no other window has at this place.
fn sample(input: usize, channel: usize, sample: usize) -> f32 {
    (input * 1000 + channel * 100 + sample * sample) as f32
}

/// `[N, C, 10]`.
fn inputs(count: usize, channels: usize) -> Vec<u8> {
    let numbers = (0..count).flat_map(|input| {
        (0..channels).flat_map(move |channel| (0..10).map(move |at| sample(input, channel, at)))
    });
    floats(&[count, channels, 10], numbers)
}

fn labels(labels: &[i32]) -> Vec<u8> {
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    npy("<i4", &[labels.len()], &bytes)
}

fn texts(texts: &[&str]) -> Vec<u8> {
    let bytes: Vec<u8> =
        texts.iter().flat_map(|text| format!("{text:\0<8}").into_bytes()).collect();
    npy("|S8", &[texts.len()], &bytes)
}

/// A table of windows, each with the text after its samples.
fn table(header: &str, first: usize, ends: &[&str]) -> Vec<u8> {
    let row = |(input, end): (usize, &&str)| {
        let samples: String =
            (0..10).map(|at| format!("{},", sample(first + input, 0, at))).collect();
        format!("{samples}{end}\n")
    };
    let rows: String = ends.iter().enumerate().map(row).collect();
    format!("{header}{rows}").into_bytes()
}

fn open_folder(folder: &tempfile::TempDir, config: &WindowConfig) -> Result<Data, DatasetError> {
    open(1, config, folder.path(), false)
}

fn refuse(folder: &tempfile::TempDir, config: &WindowConfig) -> String {
    open_folder(folder, config).unwrap_err().to_string()
}

fn window(part: &Part, index: usize) -> Array2<f32> {
    let channels = 2;
    let mut values = Array2::zeros((channels, 10));
    part.source.read(index, 3, values.view_mut().into_dyn()).unwrap();
    values
}

/// Labels of the inputs of a part, with their names.
fn named(part: &Part) -> Vec<String> {
    let source = &part.source;
    let mut indices = part.indices.clone();
    indices.sort_unstable();
    indices.iter().map(|&i| format!("{}: {}", source.name(i), source.label(i))).collect()
}
