//! The bearing recordings of Case Western Reserve University, with the indexes in presets/.

use std::path::{Path, PathBuf};

use drsn_train::{
    dataset::{Data, Part},
    recipe::Recipe,
};

use ndarray::Array2;

use crate::skip;

/// Opens an index of the recordings, in windows of 2,048 samples.
fn open(index: &str, split: &str) -> Option<Data> {
    let data = std::env::var_os("DRSN_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("cwru");
    if !folder.is_dir() {
        skip::skip(&format!("requires the bearing recordings in {}", folder.display()));
        return None;
    }
    let recipe: Recipe = toml::from_str(&format!(
        r#"
        seed = 1
        epochs = 1
        batch = 64
        shards = 1
        data = {{ kind = "signals", window = 2048, hop = 512, test_hop = 2048, variable = "DE_time", normalization = {{ kind = "z-score", epsilon = 1e-8 }}, split = {split} }}
        optimizer = {{ kind = "sgd", learning_rate = 0.1 }}
        schedule = {{ kind = "constant" }}
        [network]
        unit = "cw"
        stem = {{ channels = 4, kernel = 3, stride = 1 }}
        stages = []
        norm_epsilon = 1e-5
        norm_momentum = 0.9
        "#
    ))
    .unwrap();
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets").join(index);
    Some(Data::open(&recipe, &folder, Some(&index), false).unwrap())
}

/// Windows of each class.
fn counts(part: &Part, classes: usize) -> Vec<usize> {
    let labels: Vec<usize> = part.indices.iter().map(|&index| part.source.label(index)).collect();
    (0..classes).map(|class| labels.iter().filter(|&&label| label == class).count()).collect()
}

fn table(data: &Data) -> [Vec<usize>; 3] {
    let test = data.test.as_ref().unwrap();
    let table = [&data.training, &data.held_out, test].map(|part| counts(part, data.classes.len()));
    eprintln!("{}\n{:?}\n{table:?}", data.description, data.classes);
    for part in [&data.training, test] {
        let mut window = Array2::zeros((1, 2048));
        part.source.read(part.indices[0], 0, window.view_mut().into_dyn()).unwrap();
        data.input.prepare(window.as_slice_mut().unwrap()).unwrap();
    }
    table
}

#[test]
fn ten_classes_at_load_0_are_split_in_time() {
    let split = "{ by = \"time\", training = 0.6, held_out = 0.1 }";
    let Some(data) = open("cwru-48k.csv", split) else { return };
    let [training, held_out, test] = table(&data);
    assert_eq!((data.classes.len(), data.classes[0].as_str()), (10, "normal"));
    assert_eq!(
        (training.iter().sum::<usize>(), held_out.iter().sum(), test.iter().sum()),
        (2622, 407, 326)
    );
}

#[test]
fn nine_faults_are_tested_at_another_load() {
    let split = "{ by = \"group\", test = [\"load 0\"], held_out_share = 0.1 }";
    let Some(data) = open("cwru-12k.csv", split) else { return };
    let [training, held_out, test] = table(&data);
    assert_eq!(data.classes.len(), 9);
    assert_eq!(
        (training.iter().sum::<usize>(), held_out.iter().sum(), test.iter().sum()),
        (5694, 541, 531)
    );
}
