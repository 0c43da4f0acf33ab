//! NumPy arrays, as NEP 1 describes their files (versions 1 to 3): a header that is a dictionary in
//! Python's notation, then the numbers.
//!
//! The reader is our own: it checks the header against the limits before it allocates memory,
//! memory grows with the bytes read, and every real type of number becomes the same 32-bit float.
//! The crate ndarray-npy needs to know the type in advance, and allocates whatever length a header
//! declares.

mod header;

use std::io::{self, Read};

use ndarray::{Array2, ArrayD, Axis, IxDyn, ShapeBuilder as _};

pub(crate) use self::header::{Header, Item};
use crate::{Limits, Recording, RecordingError, RecordingFormat, Selection, axes::Axes};

/// Most axes of an array that is read: above every real one. Each costs time for each number.
const MAX_AXES: usize = 8;

/// An array of numbers, such as `[N, C, L]`: N inputs of C channels and L samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its name in an archive.
    pub name: Option<String>,
    /// Its numbers in row-major order, rounded to 32 bits. They may be non-finite, and an axis may
    /// be empty.
    pub values: ArrayD<f32>,
    /// Samples per second, if another array of the archive states it and was asked for.
    pub sample_rate_hz: Option<f64>,
}

impl Array {
    /// Reads an NPY file.
    ///
    /// # Errors
    /// [`RecordingError`] if it is not one, its numbers are not real, or it exceeds the limits.
    pub fn read_npy(bytes: &[u8], limits: &Limits) -> Result<Self, RecordingError> {
        limits.check_bytes(bytes.len() as u64)?;
        Self::read_from(bytes, None, limits)
    }

    pub(crate) fn read_from(
        mut reader: impl Read,
        name: Option<String>,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let header = Header::read(&mut reader)?;
        let kind = header.kind.ok_or_else(|| {
            RecordingError::Unsupported(format!(
                "its numbers have NumPy's type {}, which is not supported: convert it to float32",
                header.type_name
            ))
        })?;
        if header.shape.len() > MAX_AXES {
            return Err(RecordingError::Unsupported(format!(
                "it has {} axes, above the limit of {MAX_AXES}",
                header.shape.len()
            )));
        }
        let count = limits.check_shape(header.shape.iter().copied())?;
        let broken = |error| cut(error, count);
        let numbers = kind.read(header.order, count, limits.deadline, &mut reader, broken)?;
        if reader.read(&mut [0])? > 0 {
            return Err(malformed(format!("there are more bytes after its {count} numbers")));
        }
        let values = header
            .sizes()
            .and_then(|sizes| {
                let shape = IxDyn(&sizes).set_f(header.fortran);
                ArrayD::from_shape_vec(shape, numbers).ok()
            })
            // Only a shape with an empty axis can have others that are too large for this machine.
            .ok_or(RecordingError::Empty)?;
        let values = if values.is_standard_layout() {
            values
        } else {
            values.as_standard_layout().into_owned()
        };
        Ok(Self { name, values, sample_rate_hz: None })
    }

    /// Converts it to one recording, if its shape is `[L]`, `[C, L]` or `[L, C]`.
    ///
    /// The longer of two axes is time, and the last of two equal ones. If the first is the longer
    /// one, the array has at most 64 channels, and unless it has only one, a notice tells it.
    ///
    /// # Errors
    /// [`RecordingError`] if it has another shape, no samples or one that is not finite, or a
    /// selected channel does not exist.
    pub fn into_recording(self, selection: &Selection) -> Result<Recording, RecordingError> {
        let Self { name, values, sample_rate_hz } = self;
        let shape = values.shape().to_vec();
        let values = if shape.len() == 1 { values.insert_axis(Axis(0)) } else { values };
        let values: Array2<f32> = values.into_dimensionality().map_err(|_| {
            RecordingError::Unsupported(format!(
                "it has the shape {shape:?}, and a recording has [samples] or [channels, samples]"
            ))
        })?;
        let (rows, columns) = values.dim();
        let (samples, notice) = match Axes::of([rows, columns], false)? {
            Axes::ChannelsFirst => (values, None),
            Axes::SamplesFirst(notice) => (values.reversed_axes(), notice),
        };
        let mut recording = Recording::from_array(samples, name, selection)?;
        recording.notices.extend(notice);
        Ok(Recording { sample_rate_hz, ..recording })
    }
}

pub(crate) fn cut(error: io::Error, count: usize) -> RecordingError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return malformed(format!(
            "it ends before the {count} numbers that it declares: it was truncated"
        ));
    }
    error.into()
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Npy, reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NoticeCode;

    const LIMITS: Limits = Limits::new(100_000, 10_000);

    fn file(header: &str, numbers: &[f32]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        let numbers = numbers.iter().flat_map(|x| x.to_le_bytes());
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()]
            .concat()
            .into_iter()
            .chain(numbers)
            .collect()
    }

    #[test]
    fn false_headers_are_rejected() {
        for (header, message) in [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
                "it is not a valid NPY file: it ends before the 3 numbers that it declares: it was truncated",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
                "it is not a valid NPY file: there are more bytes after its 1 numbers",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999999), }",
                "it has 18446744073709551615 samples, above the limit of 10000: split it into shorter recordings",
            ),
            (
                "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
                "its numbers have NumPy's type |O, which is not supported: convert it to float32",
            ),
        ] {
            let error =
                Array::read_npy(&file(header, &[1.0, 2.0]), &LIMITS).map_err(|e| e.to_string());
            assert_eq!(error, Err(message.to_owned()));
        }
    }

    fn read(rows: usize, columns: usize) -> Result<Recording, String> {
        let values =
            Array2::from_shape_fn((rows, columns), |(row, column)| (row * columns + column) as f32);
        let array = Array { name: None, values: values.into_dyn(), sample_rate_hz: None };
        array.into_recording(&Selection::default()).map_err(|error| error.to_string())
    }

    /// A column of 2,048 samples was refused as 2,048 channels, and columns of 1,000 were read as
    /// 1,000 channels of one sample.
    #[test]
    fn the_longer_axis_is_time() {
        for (shape, channels, is_certain) in [
            ((1, 1), 1, true),
            ((1, 2), 1, true),
            ((2, 1), 1, true),
            ((2048, 1), 1, true),
            ((3, 3), 3, true),
            ((64, 65), 64, true),
            ((65, 64), 64, false),
            ((100, 100), 100, true),
            ((3, 2), 2, false),
            ((2048, 2), 2, false),
        ] {
            let recording = read(shape.0, shape.1).unwrap();
            assert_eq!(recording.channels(), channels, "{shape:?}");
            let codes: Vec<NoticeCode> = recording.notices.iter().map(|n| n.code).collect();
            let expected = if is_certain { vec![] } else { vec![NoticeCode::Transposed] };
            assert_eq!(codes, expected, "{shape:?}");
            // The second sample of the first channel follows in its column, or else in its row.
            if recording.len() > 1 {
                let next = if shape.0 > shape.1 { shape.1 } else { 1 };
                assert_eq!(recording.samples[(0, 1)] as usize, next, "{shape:?}");
            }
            assert!(recording.samples.is_standard_layout());
        }
        assert_eq!(
            read(2000, 65).unwrap_err(),
            "its shape is [2000, 65], and neither axis is clearly the channels: save it as \
             [channels, samples], with at most as many channels as samples"
        );
        assert!(read(3, 0).unwrap_err().starts_with("it is empty"));
    }

    proptest! {
        #[test]
        fn either_order_of_axes_gives_the_same_array(
            shape in prop::collection::vec(1_usize..5, 1..5), seed in any::<u32>()
        ) {
            let count = shape.iter().product::<usize>();
            let data: Vec<f32> = (0..count).map(|i| (i as u32 ^ seed) as f32).collect();
            // The column-major order of the array whose row-major order is `data`.
            let mut columns = vec![0.0; count];
            for (index, &number) in data.iter().enumerate() {
                let (mut rest, mut offset, mut step) = (index, 0, count);
                for &size in shape.iter().rev() {
                    step /= size;
                    offset += rest % size * step;
                    rest /= size;
                }
                columns[offset] = number;
            }
            let mut list = format!("{shape:?}").replace('[', "").replace(']', ",");
            for (fortran, numbers) in [("False", &data), ("True", &columns)] {
                let header = format!("{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': ({list}), }}\n");
                let array = Array::read_npy(&file(&header, numbers), &LIMITS).unwrap();
                prop_assert_eq!(array.values.shape(), &shape[..]);
                prop_assert_eq!(array.values.as_slice(), Some(&data[..]));
                list = list.replace(' ', "");
            }
        }
    }
}
