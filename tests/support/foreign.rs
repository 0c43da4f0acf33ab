//! The DRSNs of other tools, of the test data (`foreign/`) and of the source, with what their
//! frameworks answered.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use drsn_recording::{ArrayFile, Limits, RecordingError};
use ndarray::ArrayD;

/// One of the models.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) folder: PathBuf,
    /// What an importer is expected to do: `accept`, `refuse`, …, or two of them where either is
    /// right.
    pub(crate) action: String,
    /// Number of thresholds.
    pub(crate) blocks: usize,
}

/// All models of the test data, sorted by name; `None` without test data.
pub(crate) fn all() -> Option<Vec<Foreign>> {
    let folder = PathBuf::from(env::var_os("DRSN_TEST_DATA")?).join("foreign");
    in_folder(&folder)
}

/// Those that belong to the source, `crates/drsn-import/tests/exported`.
pub(crate) fn committed() -> Vec<Foreign> {
    let of_package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["tests/exported", "crates/drsn-import/tests/exported"];
    places.iter().find_map(|place| in_folder(&of_package.join(place))).unwrap()
}

fn in_folder(folder: &Path) -> Option<Vec<Foreign>> {
    let entries = fs::read_dir(folder).ok()?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|path| path.join("notes.json").is_file());
    folders.sort();
    Some(folders.into_iter().map(Foreign::open).collect())
}

impl Foreign {
    fn open(folder: PathBuf) -> Self {
        let notes = fs::read(folder.join("notes.json")).unwrap();
        let notes: serde_json::Value = serde_json::from_slice(&notes).unwrap();
        let expect = &notes["expect"];
        Self {
            action: expect["action"].as_str().unwrap().to_owned(),
            blocks: expect["threshold_blocks"].as_u64().unwrap_or(0) as usize,
            folder,
        }
    }

    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join("model.onnx")
    }

    /// Whether it computes with 16-bit floats or quantised convolutions.
    pub(crate) fn is_rough(&self) -> bool {
        ["fp16", "qdq"].iter().any(|kind| self.name().contains(kind))
    }

    /// As many labels as the model has outputs.
    pub(crate) fn labels(&self) -> Vec<String> {
        let classes = self.expected().get("out0").map_or(4, |out| *out.shape().last().unwrap());
        (0..classes).map(|class| format!("class {class}")).collect()
    }

    /// What the framework answered, by name.
    pub(crate) fn expected(&self) -> BTreeMap<String, ArrayD<f32>> {
        let path = self.folder.join("expected.npz");
        if path.is_file() { arrays(&path) } else { BTreeMap::new() }
    }

    /// The inputs as a bundle of this shape takes them, `[N, channels, …]`.
    pub(crate) fn inputs(&self, shape: &[usize]) -> ArrayD<f32> {
        let inputs = arrays(&self.folder.join("input.npy")).remove("").unwrap();
        if inputs.shape()[1..] == *shape {
            return inputs;
        }
        let mut axes: Vec<usize> = (0..inputs.ndim()).collect();
        let last = axes.pop().unwrap();
        axes.insert(1, last);
        let inputs = inputs.permuted_axes(axes).as_standard_layout().into_owned();
        assert_eq!(inputs.shape()[1..], *shape, "{}", self.name());
        inputs
    }

    /// The framework's thresholds and mean magnitudes of a block.
    pub(crate) fn block(&self, block: usize) -> (ArrayD<f32>, ArrayD<f32>) {
        let mut expected = self.expected();
        let mut take = |name: &str| expected.remove(&format!("{name}{block}")).unwrap();
        (take("tau"), take("abs"))
    }
}

/// The arrays of numbers of an NPY or NPZ file, by name.
fn arrays(path: &Path) -> BTreeMap<String, ArrayD<f32>> {
    let file = ArrayFile::open(path, &Limits::new(1 << 26, 1 << 24)).unwrap();
    let mut arrays = BTreeMap::new();
    for (at, info) in file.arrays().iter().enumerate() {
        let mut values = Vec::new();
        let read = file.numbers::<RecordingError>(at, |part| {
            values.extend_from_slice(part);
            Ok(())
        });
        if read.is_ok() {
            let mut shape = info.shape.clone();
            if info.is_column_major {
                shape.reverse();
            }
            let mut array = ArrayD::from_shape_vec(shape, values).unwrap();
            if info.is_column_major {
                array = array.reversed_axes().as_standard_layout().into_owned();
            }
            arrays.insert(info.name.clone(), array);
        }
    }
    arrays
}

/// The largest of `|a − b| − (relative · |b| + absolute)`; nothing above 0 is allowed.
pub(crate) fn excess(
    found: &ArrayD<f32>,
    expected: &ArrayD<f32>,
    allowed: impl Fn(usize, f32) -> f32,
) -> f32 {
    assert_eq!(found.shape(), expected.shape());
    let pairs = found.iter().zip(expected).enumerate();
    pairs.fold(f32::MIN, |worst, (at, (a, b))| {
        let excess = (a - b).abs() - allowed(at, *b);
        if excess.is_nan() { f32::INFINITY } else { worst.max(excess) }
    })
}
