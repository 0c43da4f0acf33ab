//! Decoded samples, in memory or in a temporary file.

use std::{
    env,
    fs::File,
    io::{self, BufWriter, Write as _},
    os::unix::fs::FileExt as _,
};

use super::DatasetError;

/// Bytes of samples that are kept in memory; more are written to a temporary file.
pub(super) const MOST_IN_MEMORY: u64 = 256 << 20;

const SAMPLE: usize = size_of::<f32>();

/// Samples that are being gathered.
#[derive(Debug)]
pub(super) struct Spool {
    most_in_memory: u64,
    memory: Vec<f32>,
    /// Has no name any more, so that nothing is left of it when the program ends, however it ends.
    file: Option<BufWriter<File>>,
    count: u64,
}

/// Samples that are read at any place, from several threads.
#[derive(Debug)]
pub(super) enum Samples {
    Memory(Vec<f32>),
    File(File),
}

impl Spool {
    /// Gathers in memory up to so many bytes.
    pub(super) fn new(most_in_memory: u64) -> Self {
        Self { most_in_memory, memory: Vec::new(), file: None, count: 0 }
    }

    /// Adds samples and returns the place of the first.
    pub(super) fn push(&mut self, samples: &[f32]) -> Result<u64, DatasetError> {
        let place = self.count;
        self.count += samples.len() as u64;
        if self.file.is_none() && self.count * SAMPLE as u64 > self.most_in_memory {
            let mut file = BufWriter::new(tempfile::tempfile().map_err(spool_error)?);
            write(&mut file, &std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            None => self.memory.extend_from_slice(samples),
            Some(file) => write(file, samples)?,
        }
        Ok(place)
    }

    /// The samples, for reading.
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
    /// Reads samples from a place on.
    pub(super) fn read(&self, place: u64, into: &mut [f32]) -> Result<(), DatasetError> {
        match self {
            Self::Memory(samples) => {
                let begin = usize::try_from(place).unwrap_or(usize::MAX);
                let part = samples.get(begin..).and_then(|rest| rest.get(..into.len()));
                into.copy_from_slice(
                    part.ok_or_else(|| spool_error(io::ErrorKind::UnexpectedEof.into()))?,
                );
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

fn write(file: &mut BufWriter<File>, samples: &[f32]) -> Result<(), DatasetError> {
    samples.iter().try_for_each(|x| file.write_all(&x.to_le_bytes())).map_err(spool_error)
}

fn spool_error(source: io::Error) -> DatasetError {
    DatasetError::Spool { folder: env::temp_dir(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_the_same_from_memory_and_from_a_file() {
        for most_in_memory in [0, 20, 1000] {
            let mut spool = Spool::new(most_in_memory);
            assert_eq!(spool.push(&[1.0, 2.0, 3.0]).unwrap(), 0);
            assert_eq!(spool.push(&[4.0, 5.0, f32::MIN_POSITIVE]).unwrap(), 3);
            let samples = spool.finish().unwrap();
            assert_eq!(matches!(samples, Samples::File(_)), most_in_memory < 24);
            let mut read = [0.0; 4];
            samples.read(2, &mut read).unwrap();
            assert_eq!(read, [3.0, 4.0, 5.0, f32::MIN_POSITIVE]);
            assert!(samples.read(3, &mut read).is_err());
        }
    }
}
