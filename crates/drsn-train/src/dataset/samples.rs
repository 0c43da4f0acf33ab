//! Decoded samples, in memory or in a temporary file.

use std::{
    env,
    fs::File,
    io::{self, BufWriter, Write as _},
    os::unix::fs::FileExt as _,
};

use ndarray::{ArrayRef1, ArrayViewMutD};

use super::DatasetError;

/// Maximum size of samples held in memory, in bytes; more are written to a temporary file.
pub(super) const MAX_IN_MEMORY: u64 = 256 << 20;

const SAMPLE: usize = size_of::<f32>();

/// Collects samples.
#[derive(Debug)]
pub(super) struct Spool {
    max_in_memory: u64,
    memory: Vec<f32>,
    /// Already unlinked, so nothing is left of it when the program ends, however it ends.
    file: Option<BufWriter<File>>,
    count: u64,
}

/// Samples with random access from several threads.
#[derive(Debug)]
pub(super) enum Samples {
    Memory(Vec<f32>),
    File(File),
}

impl Spool {
    /// Collects up to `max_in_memory` bytes in memory.
    pub(super) fn new(max_in_memory: u64) -> Self {
        Self { max_in_memory, memory: Vec::new(), file: None, count: 0 }
    }

    /// Position of the next sample.
    pub(super) fn position(&self) -> u64 {
        self.count
    }

    /// Appends samples.
    pub(super) fn push(&mut self, samples: &ArrayRef1<f32>) -> Result<(), DatasetError> {
        self.count += samples.len() as u64;
        if self.file.is_none() && self.count * SAMPLE as u64 > self.max_in_memory {
            let mut file = BufWriter::new(tempfile::tempfile().map_err(spool_error)?);
            write(&mut file, &std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            None => self.memory.extend(samples),
            Some(file) => write(file, samples)?,
        }
        Ok(())
    }

    /// Makes the samples readable.
    pub(super) fn finish(self) -> Result<Samples, DatasetError> {
        match self.file {
            None => Ok(Samples::Memory(self.memory)),
            Some(file) => Ok(Samples::File(
                file.into_inner().map_err(|error| spool_error(error.into_error()))?,
            )),
        }
    }
}

impl Samples {
    /// Reads `into.len()` samples from position `place`.
    pub(super) fn read(
        &self,
        place: u64,
        mut into: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        match self {
            Self::Memory(samples) => {
                let begin = usize::try_from(place).unwrap_or(usize::MAX);
                let part = samples.get(begin..).and_then(|rest| rest.get(..into.len()));
                let part = part.ok_or_else(|| spool_error(io::ErrorKind::UnexpectedEof.into()))?;
                into.iter_mut().zip(part).for_each(|(sample, &value)| *sample = value);
            }
            Self::File(file) => {
                let mut bytes = vec![0; into.len() * SAMPLE];
                file.read_exact_at(&mut bytes, place * SAMPLE as u64).map_err(spool_error)?;
                let (chunks, _) = bytes.as_chunks();
                for (sample, &chunk) in into.iter_mut().zip(chunks) {
                    *sample = f32::from_le_bytes(chunk);
                }
            }
        }
        Ok(())
    }
}

fn write<'a>(
    file: &mut BufWriter<File>,
    samples: impl IntoIterator<Item = &'a f32>,
) -> Result<(), DatasetError> {
    samples.into_iter().try_for_each(|x| file.write_all(&x.to_le_bytes())).map_err(spool_error)
}

fn spool_error(source: io::Error) -> DatasetError {
    DatasetError::Spool { folder: env::temp_dir(), source }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1};

    use super::*;

    #[test]
    fn samples_are_the_same_from_memory_and_from_a_file() {
        for max_in_memory in [0, 20, 1000] {
            let mut spool = Spool::new(max_in_memory);
            spool.push(&aview1(&[1.0, 2.0, 3.0])).unwrap();
            assert_eq!(spool.position(), 3);
            spool.push(&aview1(&[4.0, 5.0, f32::MIN_POSITIVE])).unwrap();
            let samples = spool.finish().unwrap();
            assert_eq!(matches!(samples, Samples::File(_)), max_in_memory < 24);
            let mut read = Array1::zeros(4);
            samples.read(2, read.view_mut().into_dyn()).unwrap();
            assert_eq!(read, array![3.0, 4.0, 5.0, f32::MIN_POSITIVE]);
            assert!(samples.read(3, read.view_mut().into_dyn()).is_err());
        }
    }
}
