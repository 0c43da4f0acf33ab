//! Compatible and incompatible models, with the manifests of the bundled ones.

use std::{fs, path::Path, sync::Arc};

use ndarray::ArrayViewMutD;

use super::*;
use crate::dataset::{DatasetError, DatasetSource, Part};

fn manifest(name: &str) -> Manifest {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let json = fs::read(models.join(name).join("1/manifest.json")).unwrap();
    Manifest::from_json(&json).unwrap()
}

/// The manifest of a model trained with other settings.
fn trained_with(name: &str, settings: &[&str]) -> Manifest {
    let mut manifest = manifest(name);
    let recipe = recipe_of(&manifest).unwrap().set(settings).unwrap();
    manifest.training.as_mut().unwrap().configuration = serde_json::json!(recipe);
    manifest
}

/// No inputs.
#[derive(Debug)]
struct Nothing;

impl DatasetSource for Nothing {
    fn len(&self) -> usize {
        0
    }

    fn label(&self, _: usize) -> usize {
        0
    }

    fn name(&self, _: usize) -> String {
        String::new()
    }

    fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
        Ok(())
    }
}

/// Data that matches a model.
fn data(manifest: &Manifest) -> Data {
    let part = Part { source: Arc::new(Nothing), indices: Vec::new() };
    Data {
        input: manifest.input.clone(),
        classes: manifest.classes.clone(),
        description: String::new(),
        training: part.clone(),
        held_out: part,
        test: None,
        test_name: String::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

fn at_rate(data: &Data, rate: Option<f64>) -> Data {
    let InputSpec::Signal(mut signal) = data.input.clone() else { panic!("no signal") };
    signal.sample_rate_hz = rate;
    Data { input: InputSpec::Signal(signal), ..data.clone() }
}

#[test]
fn data_of_other_classes_or_another_sample_rate_is_refused_by_what_differs() {
    let manifest = manifest("bearing");
    let own = data(&manifest);
    for fitting in [own.clone(), at_rate(&own, None), at_rate(&own, Some(48_000.0 + 1e-3))] {
        check_data(&manifest, &fitting, "cure").unwrap();
    }
    let refuse = |data: &Data| check_data(&manifest, data, "the cure").unwrap_err().to_string();
    let said = refuse(&at_rate(&own, Some(12_000.0)));
    assert!(said.contains("bearing expects signals at 48000 Hz"), "{said}");
    assert!(said.ends_with("the data has 12000 Hz: the cure"), "{said}");
    let said = refuse(&Data { classes: vec!["a".to_owned(), "b".to_owned()], ..own });
    assert!(said.contains("the 2 classes a, b: the cure"), "{said}");
}

/// The data is split by the first bundle's recipe, and later ones were once evaluated on inputs
/// that they had been trained on.
#[test]
fn a_model_whose_recipe_splits_differently_is_refused_beside_another_one() {
    let first = manifest("bearing");
    check_split(&first, &trained_with("bearing", &["seed=2", "data.hop=512"])).unwrap();
    // 0.65 and 0.05 in the first: the same end of each recording is the test.
    let shared = ["data.split.training=0.6", "data.split.held_out=0.1"];
    check_split(&first, &trained_with("bearing", &shared)).unwrap();
    let other = trained_with("bearing", &["data.split.training=0.8"]);
    let said = check_split(&first, &other).unwrap_err().to_string();
    assert!(said.contains("the first 80 % trained on") && said.contains("65 %"), "{said}");
    assert!(said.contains("model bearing 1") && said.ends_with("evaluate it separately"), "{said}");
    let set = "data={kind='idx',held_out=9}";
    assert!(check_split(&first, &trained_with("bearing", &[set])).is_err());
    let foreign = Manifest { training: None, ..first.clone() };
    check_split(&first, &foreign).unwrap();
}

#[test]
fn the_seed_counts_if_files_are_split_at_random_and_public_sets_have_their_own_test() {
    let split = |seed: &str| {
        let split = "split={by='random',held_out=0.1,test=0.2}";
        let size = "channels=1,height=28,width=28,geometry='stretch',filter='triangle'";
        let images = format!("data={{kind='images',{size},{split}}}");
        trained_with("mnist", &[&images, seed])
    };
    check_split(&split("seed=1"), &split("seed=1")).unwrap();
    let said = check_split(&split("seed=1"), &split("seed=2")).unwrap_err().to_string();
    assert!(said.contains("by seed 2") && said.contains("by seed 1"), "{said}");
    let public = trained_with("mnist", &["seed=2", "data.held_out=1000"]);
    check_split(&manifest("mnist"), &public).unwrap();
}
