//! NumPy's arrays, as NEP 1 describes their files (versions 1 to 3): a header that is a dictionary in Python's notation,
//! then the numbers.
//!
//! The reader is our own: memory is taken only after the header has been held against the limits, and grows with what
//! comes, and every real type of number becomes the same 32-bit float. The crate ndarray-npy asks for the type in advance,
//! and takes memory for a header as long as the file says.

mod header;

use std::io::{self, Read};

pub(super) use self::header::Header;
use super::{Limits, Recording, RecordingError, RecordingFormat, Selection, select::Layout};

/// An array of numbers, such as `[N, C, L]`: N inputs of C channels and L samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its name in an archive.
    pub name: Option<String>,
    /// Sizes of its axes, the slowest first; a size can be 0.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, rounded to 32 bits; they need not be finite.
    pub data: Vec<f32>,
}

impl Array {
    /// Reads an NPY file.
    ///
    /// # Errors
    /// [`RecordingError`] where it is none, holds no real numbers, or exceeds the limits.
    pub fn read_npy(bytes: &[u8], limits: &Limits) -> Result<Self, RecordingError> {
        limits.check_bytes(bytes.len() as u64)?;
        Self::read_from(bytes, None, limits)
    }

    pub(super) fn read_from(
        mut reader: impl Read,
        name: Option<String>,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let header = Header::read(&mut reader)?;
        let kind = header.kind.ok_or_else(|| {
            RecordingError::Unsupported(format!(
                "its numbers have NumPy's type {}, which is not read: convert it to float32",
                header.type_name
            ))
        })?;
        let count = limits.check_shape(header.shape.iter().copied())?;
        let mut data =
            kind.read(header.order, count, &mut reader).map_err(|error| cut(error, count))?;
        if reader.read(&mut [0])? > 0 {
            return Err(malformed(format!("more follows after its {count} numbers")));
        }
        // A size can only be above this machine's where another is 0.
        let shape: Vec<usize> =
            header.shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
        if header.fortran && count > 0 {
            data = to_row_major(&data, &shape);
        }
        Ok(Self { name, shape, data })
    }

    /// Takes it for one recording, `[L]` or `[C, L]`.
    ///
    /// # Errors
    /// [`RecordingError`] where it has another shape, no samples or one that is not finite, or a selected channel is not
    /// there.
    pub fn into_recording(self, selection: &Selection) -> Result<Recording, RecordingError> {
        let channels = match self.shape[..] {
            [_] => 1,
            [channels, _] => channels,
            _ => {
                return Err(RecordingError::Unsupported(format!(
                    "it has the shape {:?}, and a recording is [samples] or [channels, samples]",
                    self.shape
                )));
            }
        };
        let channels = selection.take(self.data, channels, Layout::Planar, self.name)?;
        Ok(Recording { channels, sample_rate_hz: None })
    }
}

/// Reorders numbers whose first axis is the fastest, so that the last is.
fn to_row_major(numbers: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut steps = Vec::with_capacity(shape.len());
    let mut step = 1;
    for &size in shape {
        steps.push(step);
        step *= size;
    }
    let mut place = vec![0; shape.len()];
    let mut offset = 0;
    let mut ordered = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        ordered.extend(numbers.get(offset));
        for ((place, &size), &step) in place.iter_mut().zip(shape).zip(&steps).rev() {
            *place += 1;
            offset += step;
            if *place < size {
                break;
            }
            offset -= *place * step;
            *place = 0;
        }
    }
    ordered
}

fn cut(error: io::Error, count: usize) -> RecordingError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return malformed(format!(
            "it ends before the {count} numbers that it declares: it was cut short"
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

    const LIMITS: Limits = Limits { max_bytes: 100_000, max_samples: 10_000 };

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
    fn headers_that_lie_are_refused() {
        for (header, message) in [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
                "it is not a valid NPY file: it ends before the 3 numbers that it declares: it was cut short",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
                "it is not a valid NPY file: more follows after its 1 numbers",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999999), }",
                "it holds 18446744073709551615 samples, and 10000 are the limit: split it into shorter recordings",
            ),
            (
                "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
                "its numbers have NumPy's type |O, which is not read: convert it to float32",
            ),
        ] {
            let error =
                Array::read_npy(&file(header, &[1.0, 2.0]), &LIMITS).map_err(|e| e.to_string());
            assert_eq!(error, Err(message.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn either_order_of_axes_gives_the_same_array(
            shape in prop::collection::vec(1_usize..5, 1..5), seed in any::<u32>()
        ) {
            let count = shape.iter().product::<usize>();
            let data: Vec<f32> = (0..count).map(|i| (i as u32 ^ seed) as f32).collect();
            // Column-major numbers of the array whose row-major numbers are `data`.
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
                prop_assert_eq!((&array.shape, &array.data), (&shape, &data));
                list = list.replace(' ', "");
            }
        }
    }
}
