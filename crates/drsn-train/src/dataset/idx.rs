//! The IDX format of the MNIST family.
//!
//! ```text
//! 0x00 0x00 | type (0x08: unsigned bytes) | dimensions | sizes, 32 bits big-endian each | data
//! ```
//!
//! Source: the format's description at the end of the MNIST page of Y. Le Cun, C. Cortes and C.
//! Burges.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

use super::{DatasetError, packed::Bytes};

/// Names of the four files of the MNIST family: training images and labels, test images and labels.
pub const IDX_FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
/// Name of the optional file with the class names of an IDX set, one on each line in the order of
/// the labels.
pub(crate) const CLASSES_FILE: &str = "classes.txt";

/// Maximum size of a file in bytes after decompression; MNIST's largest has 47 MB.
const MAX_BYTES: u64 = 1 << 30;
/// Type code of unsigned bytes.
const UNSIGNED_BYTES: u8 = 0x08;

/// An array of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdxArray {
    /// Size of each dimension; the first counts the records.
    pub(super) shape: Vec<usize>,
    /// The elements in row-major order.
    pub(super) data: Vec<u8>,
}

/// Reads the array in `<folder>/<name>`, or in `<folder>/<name>.gz` if only that exists.
///
/// # Errors
/// [`DatasetError`] with the file, if it is missing or unreadable, or its array does not have
/// `dimensions` dimensions.
pub(super) fn read(folder: &Path, name: &str, dimensions: usize) -> Result<IdxArray, DatasetError> {
    let path = locate(folder, name)?;
    let bytes = contents(&path)
        .map_err(|source| DatasetError::Unreadable { path: path.clone(), source })?;
    parse(&bytes, dimensions).map_err(|reason| DatasetError::Malformed { path, reason })
}

/// An array of bytes whose elements are read on demand.
#[derive(Debug)]
pub(super) struct OpenIdx {
    pub(super) path: PathBuf,
    /// Size of each dimension.
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Bytes,
    /// Offset of the first element in bytes.
    pub(super) begin: u64,
}

/// Opens `<folder>/<name>`, or decompresses `<folder>/<name>.gz` into memory if only that exists.
pub(super) fn open(folder: &Path, name: &str, dimensions: usize) -> Result<OpenIdx, DatasetError> {
    let path = locate(folder, name)?;
    let begin = 4 + 4 * dimensions as u64;
    let unreadable = |source| DatasetError::Unreadable { path: path.clone(), source };
    let malformed = |reason| DatasetError::Malformed { path: path.clone(), reason };
    if path.extension().is_some_and(|extension| extension == "gz") {
        let bytes = contents(&path).map_err(unreadable)?;
        let shape = shape(&bytes, dimensions, bytes.len() as u64).map_err(malformed)?;
        return Ok(OpenIdx { path, shape, bytes: Bytes::Memory(bytes), begin });
    }
    let mut file = fs::File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut header = Vec::new();
    (&mut file).take(begin).read_to_end(&mut header).map_err(unreadable)?;
    let shape = shape(&header, dimensions, length).map_err(malformed)?;
    Ok(OpenIdx { path, shape, bytes: Bytes::File(file), begin })
}

/// Finds a file by its name or, as unpackers of archives write it, by `train-images.idx3-ubyte`.
fn locate(folder: &Path, name: &str) -> Result<PathBuf, DatasetError> {
    let with_dot = name.replace("-idx", ".idx");
    let names = [name.to_owned(), format!("{name}.gz"), with_dot.clone(), format!("{with_dot}.gz")];
    let candidates = names.map(|name| folder.join(name));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| DatasetError::Missing { folder: folder.to_owned(), name: name.to_owned() })
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).take(MAX_BYTES).read_to_end(&mut bytes)?;
    } else {
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Parses an IDX array of unsigned bytes with `dimensions` dimensions.
///
/// # Errors
/// A message with what was expected and what was found.
fn parse(bytes: &[u8], dimensions: usize) -> Result<IdxArray, String> {
    let shape = shape(bytes, dimensions, bytes.len() as u64)?;
    Ok(IdxArray { shape, data: bytes[4 + 4 * dimensions..].to_vec() })
}

/// Parses the header at the start of `bytes`, of a file of `length` bytes.
fn shape(bytes: &[u8], dimensions: usize, length: u64) -> Result<Vec<usize>, String> {
    let magic = [0, 0, UNSIGNED_BYTES, dimensions as u8];
    let Some((found, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(format!("its {} bytes are too few for a header", bytes.len()));
    };
    if *found != magic {
        return Err(format!(
            "expected {magic:02x?}, the magic number of unsigned bytes in {dimensions} dimensions, \
             found {found:02x?}"
        ));
    }
    let header = rest.get(..4 * dimensions).ok_or("its header is truncated")?;
    let elements = length.saturating_sub(4 + header.len() as u64);
    let shape: Vec<usize> = header
        .chunks_exact(4)
        .map(|size| size.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
        .collect();
    let expected = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64));
    if expected != Some(elements) {
        return Err(format!("its header declares {shape:?} elements, but {elements} bytes follow"));
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    const TWO_BY_TWO: [u8; 16] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4];

    #[test]
    fn sizes_and_data_are_read() {
        let array = parse(&TWO_BY_TWO, 2).unwrap();
        assert_eq!(array.shape, [2, 2]);
        assert_eq!(array.data, [1, 2, 3, 4]);
    }

    #[test]
    fn a_wrong_magic_number_and_a_wrong_length_are_named() {
        assert!(parse(&TWO_BY_TWO, 1).unwrap_err().contains("magic number"));
        assert!(parse(&TWO_BY_TWO[..15], 2).unwrap_err().contains("3 bytes follow"));
        assert!(parse(&TWO_BY_TWO[..6], 2).unwrap_err().contains("header is truncated"));
        assert!(parse(&[], 2).unwrap_err().contains("too few"));
    }

    #[test]
    fn a_compressed_file_is_read_like_a_plain_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = GzEncoder::new(
            fs::File::create(folder.path().join("labels.gz")).unwrap(),
            Compression::fast(),
        );
        file.write_all(&TWO_BY_TWO).unwrap();
        file.finish().unwrap();
        assert_eq!(read(folder.path(), "labels", 2).unwrap(), parse(&TWO_BY_TWO, 2).unwrap());
    }

    #[test]
    fn names_with_a_dot_are_found_as_well() {
        for name in ["train-labels.idx1-ubyte", "train-labels-idx1-ubyte"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), TWO_BY_TWO).unwrap();
            assert_eq!(read(folder.path(), IDX_FILES[1], 2).unwrap().shape, [2, 2]);
            assert_eq!(open(folder.path(), IDX_FILES[1], 2).unwrap().shape, [2, 2]);
            assert!(read(folder.path(), IDX_FILES[0], 2).is_err());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join("t10k-labels.idx1-ubyte.gz")).unwrap();
        let mut file = GzEncoder::new(file, Compression::fast());
        file.write_all(&TWO_BY_TWO).unwrap();
        file.finish().unwrap();
        assert_eq!(open(folder.path(), IDX_FILES[3], 2).unwrap().shape, [2, 2]);
    }

    #[test]
    fn a_missing_file_is_named_with_its_folder_and_the_cure() {
        let error = read(Path::new("/nowhere"), "labels", 1).unwrap_err().to_string();
        assert!(error.contains("/nowhere") && error.contains("drsn-train fetch"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_can_make_it_panic(bytes: Vec<u8>, dimensions in 1_usize..4) {
            let _ = parse(&bytes, dimensions);
        }
    }
}
