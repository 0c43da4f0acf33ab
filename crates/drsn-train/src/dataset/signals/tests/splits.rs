//! Splits by lists, folders and groups.

use super::*;

#[test]
fn folders_named_after_the_subsets_split_by_list() {
    let folder = folder(&[
        ("training/a/x.wav", ramp(40)),
        ("training/b/x.wav", ramp(40)),
        ("held-out/b/x.wav", ramp(20)),
        ("test/a/x.wav", ramp(30)),
    ]);
    let data = open_folder(folder.path(), &SignalConfig { split: LIST, ..config() }).unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    let counts = [&data.training, &data.held_out, &data.test.unwrap()].map(|p| p.indices.len());
    assert_eq!(counts, [14, 3, 3]);
}

/// Folders of a split were trained as the classes train, val and test if a single one of them had
/// another name than `training`, `held-out` and `test`.
#[test]
fn usual_names_of_a_split_are_followed_or_refused_but_never_trained_as_classes() {
    let list = SignalConfig { split: LIST, ..config() };
    for names in [
        ["train", "val", "test"],
        ["Training_Set", "dev", "Testing"],
        ["seg_train/seg_train", "seg_valid/seg_valid", "seg_test/seg_test"],
    ] {
        let place = |side: usize, file: &str| format!("{}/{file}", names[side]);
        let files = [
            (place(0, "a/x.wav"), ramp(40)),
            (place(0, "b/y.wav"), ramp(41)),
            (place(1, "a/z.wav"), ramp(20)),
            (place(2, "b/w.wav"), ramp(30)),
        ];
        let files = files.each_ref().map(|(name, bytes)| (name.as_str(), bytes.clone()));
        let folder = folder(&files);
        let data = open_folder(folder.path(), &list).unwrap();
        assert_eq!(data.classes, ["a", "b"], "{names:?}");
        let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
        assert_eq!(parts.map(|part| part.indices.len()), [14, 3, 3]);
        let said = refuse(&folder, &config());
        assert!(
            said.contains(" data by the column split or the name") && said.contains("by=\"list\"}")
        );
    }
}

#[test]
fn names_of_a_split_that_cannot_be_followed_are_refused_by_name() {
    for (folders, reasons) in [
        (&["train", "normal", "worn"][..], ["\"train\" are parts", "\"normal\", \"worn\" beside"]),
        (&["normal", "Test-Data"], ["\"Test-Data\" are parts", "--index"]),
        (&["seg_train", "seg_test", "seg_pred"], ["\"seg_test\", \"seg_train\"", "\"seg_pred\""]),
        (&["val", "test"], ["\"test\", \"val\" look like parts of a split", "rename"]),
        (&["train/train", "train/test"], ["its only folder train", "pass"]),
        (&["train/a", "train/test", "val/a", "val/b"], ["\"test\" are parts", "\"a\", \"b\""]),
    ] {
        let files: Vec<(String, Vec<u8>)> = (30..)
            .zip(folders)
            .map(|(length, name)| (format!("{name}/x.wav"), ramp(length)))
            .collect();
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        for config in [config(), SignalConfig { split: LIST, ..config() }] {
            let said = refuse(&folder(&files), &config);
            assert!(reasons.iter().all(|reason| said.contains(reason)), "{folders:?}: {said}");
        }
    }
}

#[test]
fn a_split_below_the_classes_is_followed_or_refused() {
    let places = ["a/train/1.wav", "b/train/2.wav", "a/m1/Validation/3.wav", "b/test/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let folder = folder(&files);
    let list = SignalConfig { split: LIST, ..config() };
    let data = open_folder(folder.path(), &list).unwrap();
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    assert_eq!(parts.map(|part| part.indices.len()), [14, 7, 4]);
    let said = refuse(&folder, &config());
    assert!(said.contains("a/m1/Validation/3.wav is declared as held-out data"), "{said}");
    fs::create_dir_all(folder.path().join("a/train/test")).unwrap();
    fs::write(folder.path().join("a/train/test/5.wav"), ramp(44)).unwrap();
    let said = refuse(&folder, &list);
    assert!(said.contains("a/train/test is for test inputs, but a folder around it"), "{said}");
}

/// Series of measurements are called test1, test2, …
#[test]
fn groups_may_be_called_tests_if_the_recipe_splits_by_them() {
    let places = ["a/test1/1.wav", "a/test2/2.wav", "b/test1/3.wav", "b/test2/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let by = |test: &str| Split::Group {
        test: vec![test.to_owned()],
        held_out: Vec::new(),
        held_out_share: 0.25,
    };
    let open = |files: &[(&str, Vec<u8>)], split| {
        open_folder(folder(files).path(), &SignalConfig { split, ..config() })
    };
    assert!(open(&files, config().split).is_ok());
    assert_eq!(open(&files, by("test2")).unwrap().test.unwrap().indices.len(), 8);
    let places = ["a/train/1.wav", "a/test/2.wav", "b/train/3.wav", "b/test/4.wav"];
    let files: Vec<_> = (40..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    assert_eq!(open(&files, by("test")).unwrap().test.unwrap().indices.len(), 8);
    let said = open(&files, by("train")).unwrap_err().to_string();
    assert!(said.contains("is declared as"), "{said}");
}

#[test]
fn a_split_without_held_out_data_holds_out_a_share_of_the_training_data() {
    let places = ["train/a/1.wav", "train/b/2.wav", "test/a/3.wav", "test/b/4.wav"];
    let files: Vec<_> = (80..).zip(places).map(|(length, name)| (name, ramp(length))).collect();
    let folder = folder(&files);
    let recipe = |settings: &[&str]| {
        let window = ["data.window=10", "data.hop=5", "batch=2"];
        crate::recipe::preset("paper-1d").unwrap().set(&[&window, settings].concat()).unwrap()
    };
    let open = |settings: &[&str]| Data::open(&recipe(settings), folder.path(), None, false);
    let said = open(&[]).unwrap_err().to_string();
    let cure = "data.split={by=\"list\", held_out_share=0.1}";
    assert!(said.contains(cure), "{said}");
    let said = open(&["data.split={by=\"list\"}"]).unwrap_err().to_string();
    assert!(said.contains("0 inputs to hold out") && said.contains(cure), "{said}");
    let data = open(&["data.split={by=\"list\", held_out_share=0.25}"]).unwrap();
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    assert_eq!(parts.map(|part| part.indices.len()), [22, 6, 16]);
    fs::create_dir_all(folder.path().join("val/a")).unwrap();
    fs::write(folder.path().join("val/a/5.wav"), ramp(60)).unwrap();
    let said = open(&["data.split={by=\"list\", held_out_share=0.25}"]).unwrap_err().to_string();
    assert!(said.contains("must not have a held_out_share"), "{said}");
}
