//! Writing and opening bundles on a real file system.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/tiny.rs"]
mod tiny;

use std::{fs, path::Path};

use drsn_bundle::{Bundle, BundleError, InputSpec, Manifest, SignalSource};

fn write(repository: &Path, manifest: Manifest, replace: bool) -> Result<(), BundleError> {
    let (model, golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    drsn_bundle::write(repository, manifest, &model, &golden, replace).map(|_| ())
}

#[test]
fn the_tiny_network_zeroes_features_below_its_thresholds() {
    let input: Vec<f32> = vec![4.0, -4.0, 1.0, -1.0, 2.0, -2.0, 0.0, 0.0];
    assert!(tiny::answer(&input).zeroed.iter().all(|share| (share - 0.25).abs() < 1e-6));
}

fn tiny_image(version: &str) -> Manifest {
    tiny::manifest("tiny", version, tiny::image_input())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_bundle_is_opened_as_it_was_written() {
    let repository = tempfile::tempdir().unwrap();
    for input in [tiny::image_input(), tiny::signal_input(2)] {
        let manifest = tiny::manifest("tiny", "7", input);
        write(repository.path(), manifest.clone(), true).unwrap();
        let bundle = Bundle::open(&repository.path().join("tiny/7")).unwrap();
        assert_eq!(bundle.model, tiny::model(&manifest));
        assert_eq!(bundle.golden, tiny::golden(&manifest));
        assert_eq!(bundle.manifest.files.len(), 2);
        assert_eq!(Manifest { files: manifest.files.clone(), ..bundle.manifest }, manifest);
    }
    assert_eq!(names(&repository.path().join("tiny")), ["7"]);
}

#[test]
fn an_existing_bundle_is_replaced_only_on_request() {
    let repository = tempfile::tempdir().unwrap();
    write(repository.path(), tiny_image("1"), false).unwrap();
    let mut other = tiny_image("1");
    other.classes[0] = "other".to_owned();
    let refused = write(repository.path(), other.clone(), false);
    assert!(matches!(refused, Err(BundleError::Exists { .. })));
    let bundle = repository.path().join("tiny/1");
    assert_eq!(Bundle::open(&bundle).unwrap().manifest.classes[0], "plus");
    write(repository.path(), other, true).unwrap();
    assert_eq!(Bundle::open(&bundle).unwrap().manifest.classes[0], "other");
    assert_eq!(names(&repository.path().join("tiny")), ["1"]);
}

#[test]
fn parts_that_do_not_fit_leave_nothing_behind() {
    let repository = tempfile::tempdir().unwrap();
    let manifest = tiny_image("1");
    let (model, golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    let mut renamed = manifest.clone();
    renamed.classes[1] = "other".to_owned();
    let error = drsn_bundle::write(repository.path(), renamed, &model, &golden, false).unwrap_err();
    assert!(error.to_string().contains("its classes are"), "{error}");
    let mut short = golden.clone();
    short.outputs.remove("logits");
    let error =
        drsn_bundle::write(repository.path(), manifest.clone(), &model, &short, false).unwrap_err();
    assert!(error.to_string().contains("the output \"logits\" is missing"), "{error}");
    let error =
        drsn_bundle::write(repository.path(), manifest, b"no model", &golden, false).unwrap_err();
    assert!(error.to_string().contains("not an ONNX model"), "{error}");
    assert!(names(repository.path()).is_empty());
}

/// A named pipe in place of a file blocked the thread that opened the bundle.
#[test]
#[cfg(unix)]
fn a_bundle_with_anything_but_regular_files_is_rejected() {
    for name in ["manifest.json", "model.onnx", "golden.json"] {
        let repository = tempfile::tempdir().unwrap();
        write(repository.path(), tiny_image("1"), false).unwrap();
        let folder = repository.path().join("tiny/1");
        let path = folder.join(name);
        for (make, kind) in [("mkfifo", "a named pipe"), ("mkdir", "a folder")] {
            let _ = fs::remove_file(&path);
            assert!(std::process::Command::new(make).arg(&path).status().unwrap().success());
            let error = Bundle::open(&folder).unwrap_err().to_string();
            assert!(error.contains(&format!("{name}: it is {kind}")), "{error}");
        }
        fs::remove_dir(&path).unwrap();
        // Sparse, and above every limit.
        fs::File::create(&path).unwrap().set_len(3 << 30).unwrap();
        let error = Bundle::open(&folder).unwrap_err().to_string();
        assert!(error.contains("above the limit of"), "{error}");
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_rejected_with_a_reason() {
    let change = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = tiny_image("1");
        change(&mut manifest);
        let json = manifest.to_json().unwrap();
        Manifest::from_json(&json).unwrap_err().to_string()
    };
    assert!(change(&|m| m.classes[1] = "plus".to_owned()).contains("\"plus\" is named twice"));
    assert!(change(&|m| m.classes.truncate(1)).contains("at least two classes"));
    assert!(
        change(&|m| m.version = drsn_bundle::Name::new("01").unwrap()).contains("leading zeros")
    );
    assert!(change(&|m| m.blocks[0].channels = 0).contains("has no channels"));
    let unknown = br#"{"format": 1, "colour": "red"}"#;
    assert!(Manifest::from_json(unknown).unwrap_err().to_string().contains("colour"));
}

#[test]
fn what_was_taken_of_the_training_files_is_remembered_and_may_be_missing() {
    let mut manifest = tiny::manifest("tiny", "1", tiny::signal_input(2));
    let without = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    assert!(!without.contains("source"), "{without}");
    let mut take = |channels: &[&str]| {
        let InputSpec::Signal(signal) = &mut manifest.input else { panic!("no signal") };
        let channels = channels.iter().map(|&name| name.to_owned()).collect();
        signal.source = Some(SignalSource {
            variable: Some("DE_time".to_owned()),
            channels,
            rate_variable: Some("sr".to_owned()),
            skip_lines: 3,
        });
        (Manifest::from_json(&manifest.to_json().unwrap()), manifest.clone())
    };
    for channels in [&[][..], &["x", "y"]] {
        let (read, written) = take(channels);
        assert_eq!(read.unwrap(), written);
    }
    let refused = take(&["x"]).0.unwrap_err().to_string();
    assert!(refused.contains("has 2 channels, but source.channels names 1"), "{refused}");
}

/// Regression: of two programs that wrote one version at the same time, none to replace another, the
/// later one replaced what the other had reported as written.
#[test]
fn of_two_writers_of_one_version_one_is_refused_and_the_other_stays() {
    let folder = tempfile::tempdir().unwrap();
    for version in 1..=40 {
        let barrier = std::sync::Barrier::new(2);
        let attempt = |classes: [&str; 2]| {
            let mut manifest = tiny::manifest("tiny", &version.to_string(), tiny::signal_input(1));
            manifest.classes = classes.map(str::to_owned).to_vec();
            barrier.wait();
            write(folder.path(), manifest, false)
        };
        let outcomes = std::thread::scope(|scope| {
            let both = [["a", "b"], ["c", "d"]];
            both.map(|classes| scope.spawn(move || (classes, attempt(classes))))
                .map(|writer| writer.join().unwrap())
        });
        let (written, refused): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
        let [(classes, _)] = &written[..] else { panic!("{written:?}, {refused:?}") };
        assert!(matches!(refused[0].1, Err(BundleError::Exists { .. })), "{refused:?}");
        let bundle = Bundle::open(&folder.path().join(format!("tiny/{version}"))).unwrap();
        assert_eq!(bundle.manifest.classes, classes);
    }
}
