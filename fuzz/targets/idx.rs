//! A data set in IDX files: the names of its classes, its labels, and its images, with `--` and the
//! end of a line between them. The training and the test set are the same.
#![no_main]

use std::{fs, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use ndarray::ArrayD;
use tempfile::TempDir;
use trainer::{
    dataset::{Data, IDX_FILES},
    recipe::{Recipe, preset},
};

/// Most images that are read.
const READ: usize = 64;
/// Most pixels of an image that is read.
const PIXELS: usize = 1 << 16;

/// In memory, where the system has a place for that.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder can be made")
});

static RECIPE: LazyLock<Recipe> = LazyLock::new(|| {
    preset("mnist")
        .and_then(|recipe| recipe.set(&["batch=2", "shards=1", "data.held_out=2"]))
        .expect("the preset can be changed")
});

fuzz_target!(|bytes: &[u8]| {
    let (names, rest) = section(bytes);
    let (labels, images) = section(rest);
    let folder = FOLDER.path();
    let labels = labels.unwrap_or_default();
    for (name, contents) in IDX_FILES.iter().zip([images, labels, images, labels]) {
        fs::write(folder.join(name), contents).expect("a file can be written");
    }
    // Names are missing if there is nothing before the first `--`.
    let file = folder.join("classes.txt");
    match names {
        Some(names) => fs::write(file, names).expect("a file can be written"),
        None => drop(fs::remove_file(file)),
    }
    let Ok(data) = Data::open(&RECIPE, folder, None, false) else { return };
    let shape = data.input.shape();
    assert_eq!(
        data.training.indices.len() + data.held_out.indices.len(),
        data.training.source.len()
    );
    if shape.iter().product::<usize>() > PIXELS {
        return;
    }
    let mut values = ArrayD::zeros(shape);
    for index in (0..data.training.source.len()).take(READ) {
        assert!(data.training.source.label(index) < data.classes.len());
        data.training.source.read(index, 0, values.view_mut()).expect("an image is all there");
        assert!(values.iter().all(|value: &f32| (0.0..=1.0).contains(value)));
    }
});

fn section(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match bytes.windows(3).position(|mark| mark == b"--\n") {
        Some(end) => (Some(&bytes[..end]).filter(|section| !section.is_empty()), &bytes[end + 3..]),
        None => (None, bytes),
    }
}
