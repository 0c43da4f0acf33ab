//! Images of equal size stored consecutively in a few files, as bytes.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use ndarray::ArrayViewMutD;

use super::{DatasetError, DatasetSource};

/// Bytes with random access: in a file, or in memory if the file is compressed.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    /// An open file, which may be moved or deleted in the meantime.
    File(File),
}

impl Bytes {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(into, offset),
            Self::Memory(bytes) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes.get(begin..).and_then(|rest| rest.get(..into.len()));
                into.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// A file of images.
#[derive(Debug)]
pub(super) struct PackedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: Bytes,
    /// Offset of the first image in bytes.
    pub(super) begin: u64,
    /// Bytes from the start of one image to the start of the next.
    pub(super) stride: usize,
    /// Labels of the images.
    pub(super) labels: Vec<u8>,
}

/// The images of several files, in the order of the files.
#[derive(Debug)]
pub(super) struct PackedImages {
    pub(super) files: Vec<PackedFile>,
}

impl PackedImages {
    /// Finds the file that contains an input, and the input's index in it.
    fn find(&self, index: usize) -> Option<(&PackedFile, usize)> {
        let mut index = index;
        for file in &self.files {
            match index.checked_sub(file.labels.len()) {
                None => return Some((file, index)),
                Some(rest) => index = rest,
            }
        }
        None
    }
}

impl DatasetSource for PackedImages {
    fn len(&self) -> usize {
        self.files.iter().map(|file| file.labels.len()).sum()
    }

    fn label(&self, index: usize) -> usize {
        self.find(index).map_or(0, |(file, index)| usize::from(file.labels[index]))
    }

    fn name(&self, index: usize) -> String {
        self.find(index).map_or_else(String::new, |(file, index)| {
            let name = file.path.file_name().unwrap_or_default();
            format!("{}, image {index}", Path::new(name).display())
        })
    }

    fn read(
        &self,
        index: usize,
        _shift: isize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        let Some((file, index)) = self.find(index) else { return Ok(()) };
        let mut pixels = vec![0; values.len()];
        let offset = file.begin + index as u64 * file.stride as u64;
        file.bytes
            .read_at(offset, &mut pixels)
            .map_err(|source| DatasetError::Unreadable { path: file.path.clone(), source })?;
        // The same pixel values as when serving: see `ImageFile::pixels` in drsn-bundle.
        for (value, &pixel) in values.iter_mut().zip(&pixels) {
            *value = f32::from(pixel) / 255.0;
        }
        Ok(())
    }
}
