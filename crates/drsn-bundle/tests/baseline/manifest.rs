//! Baselines in a manifest.

use drsn_bundle::{
    Baseline, Manifest,
    baseline::{
        ALARM_LEVEL, Distance, LevelBaseline, ShiftBaseline, ThresholdSample, UsualThresholds,
    },
};

use crate::{
    source::{Source, fit, levels, vectors},
    tiny,
};

fn manifest() -> Manifest {
    let mut source = Source::new(9);
    let two = |vectors: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
        vectors.into_iter().map(|v| v[..2].to_vec()).collect()
    };
    let shift = fit(&two(vectors(&mut source, 300, 0.0)), &two(vectors(&mut source, 120, 0.0)));
    let (training, held) = (levels(&mut source, 100, 1.0), levels(&mut source, 120, 1.0));
    let mut manifest = tiny::manifest("tiny", "1", tiny::signal_input(2));
    manifest.baseline = Some(Baseline {
        data: "Gaussian".to_owned(),
        alarm_level: ALARM_LEVEL,
        shift: Some(shift),
        level: Some(LevelBaseline::new(&training, &held, 2, ALARM_LEVEL).unwrap()),
        thresholds: Some(thresholds(&manifest)),
    });
    manifest
}

fn thresholds(manifest: &Manifest) -> UsualThresholds {
    let mut sample = ThresholdSample::new(&manifest.blocks, 2).unwrap();
    for (class, tau) in [(0, 0.1), (1, 0.2), (1, 0.4)] {
        sample.add(&[tau; 2], &[1.0; 2], class).unwrap();
    }
    sample.usual()
}

#[test]
fn a_baseline_survives_json_and_an_old_manifest_has_none() {
    let manifest = manifest();
    let json = manifest.to_json().unwrap();
    assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    let mut old: serde_json::Value = serde_json::from_slice(&json).unwrap();
    old.as_object_mut().unwrap().remove("baseline");
    assert_eq!(Manifest::from_json(old.to_string().as_bytes()).unwrap().baseline, None);
}

#[test]
fn a_hostile_baseline_is_rejected() {
    let sound = manifest();
    let refuse = |change: &dyn Fn(&mut Baseline), reason: &str| {
        let mut manifest = sound.clone();
        change(manifest.baseline.as_mut().unwrap());
        let json = manifest.to_json().unwrap();
        let error = Manifest::from_json(&json).map_err(|e| e.to_string()).unwrap_err();
        assert!(error.contains("its baseline") && error.contains(reason), "{reason}: {error}");
    };
    let shift = |change: &dyn Fn(&mut ShiftBaseline), reason: &str| {
        refuse(&|b| change(b.shift.as_mut().unwrap()), reason);
    };
    for alarm_level in [0.0, 1.0, -0.5, 7.0] {
        refuse(&|b| b.alarm_level = alarm_level, "between 0 and 1");
    }
    refuse(&|b| b.alarm_level = 0.001, "at least 1000 held-out inputs");
    refuse(&|b| (b.shift, b.level) = (None, None), "neither");
    let distance = |change: &dyn Fn(&mut Distance), reason: &str| {
        shift(&|s| change(s.distance.as_mut().unwrap()), reason);
    };
    distance(&|d| d.mean = vec![0.0; 3].into(), "the mean has 3 values");
    distance(&|d| d.mean = vec![0.0, f32::NAN].into(), "finite");
    distance(&|d| d.factor = vec![1.0; 2].into(), "must have 3 values");
    distance(&|d| d.factor = vec![1.0, 0.0, 0.0].into(), "diagonal");
    distance(&|d| d.factor = vec![1.0, f32::INFINITY, 1.0].into(), "finite");
    distance(&|d| d.shrinkage = 1.5, "shrinkage");
    distance(&|d| d.centres = vec![vec![0.0; 3].into()], "a centre must have 2 values");
    distance(&|d| d.centres = vec![vec![0.0, f32::NAN].into()], "finite");
    distance(&|d| d.limit = 0.0, "limit must be above 0");
    shift(&|s| s.features.clone_from(&s.distance), "features, which the model does not give");
    shift(&|s| s.input.clone_from(&s.distance), "the statistics of an input are 14");
    shift(&|s| s.distance = None, "no distance");
    shift(&|s| s.held_out.count = 121, "121 held-out inputs have 120 values");
    shift(&|s| s.held_out.count = u64::MAX, "held-out inputs have 120 values");
    let values = |first: f32| -> Vec<f32> { std::iter::once(first).chain([5.0; 119]).collect() };
    shift(&|s| s.held_out.values = values(6.0).into(), "ascending");
    shift(&|s| s.held_out.values = values(f32::NAN).into(), "finite");
    shift(&|s| s.held_out.values = values(-1.0).into(), "negative");
    refuse(&|b| b.level.as_mut().unwrap().classes.truncate(1), "limits of 1 classes");
    refuse(&|b| b.level.as_mut().unwrap().classes[1].truncate(1), "limits of 1 channels");
    refuse(
        &|b| {
            let limits = &mut b.level.as_mut().unwrap().classes[1][0].offset;
            limits.low = limits.high;
        },
        "low < middle < high",
    );
    let usual = |change: &dyn Fn(&mut UsualThresholds), reason: &str| {
        refuse(&|b| change(b.thresholds.as_mut().unwrap()), reason);
    };
    usual(&|t| t.classes.truncate(1), "it has 1 classes, and the model has 2");
    usual(&|t| t.classes[1].scale.mean = vec![0.5; 3].into(), "it has 3 channels");
    usual(&|t| t.classes[0].threshold.mean = vec![f32::NAN; 2].into(), "finite");
    usual(&|t| t.classes[0].threshold.deviation = vec![-1.0; 2].into(), "not negative");
}

#[test]
fn a_baseline_without_usual_thresholds_is_one_of_an_older_version() {
    let manifest = manifest();
    let mut old: serde_json::Value = serde_json::from_slice(&manifest.to_json().unwrap()).unwrap();
    old["baseline"].as_object_mut().unwrap().remove("thresholds");
    let old = Manifest::from_json(old.to_string().as_bytes()).unwrap();
    assert_eq!(old.baseline.unwrap().thresholds, None);
}

#[test]
fn a_baseline_that_does_not_fit_the_input_or_is_not_base64_is_rejected() {
    let mut image = tiny::manifest("tiny", "1", tiny::image_input());
    image.baseline = manifest().baseline;
    let error = Manifest::from_json(&image.to_json().unwrap()).unwrap_err().to_string();
    assert!(error.contains("an image has no signal level"), "{error}");
    for text in ["\"no base64!\"", "\"AAAA\"", "7"] {
        let json = String::from_utf8(manifest().to_json().unwrap()).unwrap();
        let (before, after) = json.split_once("\"mean\": ").unwrap();
        let (_, after) = after.split_once(',').unwrap();
        let changed = format!("{before}\"mean\": {text},{after}");
        assert!(Manifest::from_json(changed.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_baseline_is_added_to_a_bundle_atomically() {
    let repository = tempfile::tempdir().unwrap();
    let with = manifest();
    let without = Manifest { baseline: None, ..with.clone() };
    let (model, golden) = (tiny::model(&without), tiny::golden(&without));
    let folder = drsn_bundle::write(repository.path(), without, &model, &golden, false).unwrap();
    drsn_bundle::update_manifest(&folder, |m| m.baseline.clone_from(&with.baseline)).unwrap();
    let bundle = drsn_bundle::Bundle::open(&folder).unwrap();
    assert_eq!(bundle.manifest.baseline, with.baseline);
    assert_eq!(bundle.model, model);

    let error = drsn_bundle::update_manifest(&folder, |m| m.classes.clear()).unwrap_err();
    assert!(error.to_string().contains("two classes"), "{error}");
    assert!(drsn_bundle::update_manifest(&folder, |m| m.classes[0] = "x".to_owned()).is_err());
    assert_eq!(drsn_bundle::Bundle::open(&folder).unwrap().manifest, bundle.manifest);
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, 3);
}

#[test]
fn all_files_of_a_bundle_are_replaced_or_none() {
    let repository = tempfile::tempdir().unwrap();
    let before = tiny::manifest("tiny", "1", tiny::signal_input(2));
    let (model, golden) = (tiny::model(&before), tiny::golden(&before));
    let folder = drsn_bundle::write(repository.path(), before, &model, &golden, false).unwrap();
    let bundle = drsn_bundle::Bundle::open(&folder).unwrap();

    let mut last_layer = drsn_bundle::onnx::LastLayer::of(&model).unwrap();
    let mut after = bundle.manifest.clone();
    after.features = last_layer.give_features();
    let changed = last_layer.finish();
    let error = drsn_bundle::rewrite(&folder, after, &changed, &golden).unwrap_err().to_string();
    assert!(error.contains("features"), "the golden data does not have them: {error}");
    assert_eq!(drsn_bundle::Bundle::open(&folder).unwrap().model, model, "the old one stays");

    let renamed = Manifest { classes: vec!["a".to_owned(), "b".to_owned()], ..bundle.manifest };
    let renamed_model = tiny::model(&renamed);
    drsn_bundle::rewrite(&folder, renamed.clone(), &renamed_model, &golden).unwrap();
    let found = drsn_bundle::Bundle::open(&folder).unwrap();
    assert_eq!((found.manifest.classes, found.model), (renamed.classes, renamed_model));
    assert_eq!(std::fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
}
