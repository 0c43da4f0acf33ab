//! What windows must keep to, and how they are divided.

use super::*;

#[test]
fn groups_go_whole_to_their_side_and_random_splits_tell_that_they_tear_them() {
    let y: Vec<i32> = (0..40).map(|input| input % 2).collect();
    let group: Vec<i32> = (0..40).map(|input| 100 + input / 10).collect();
    let folder =
        folder(&[("X.npy", inputs(40, 1)), ("y.npy", labels(&y)), ("group.npy", labels(&group))]);
    let groups =
        Split::Group { test: vec!["103".to_owned()], held_out: Vec::new(), held_out_share: 0.2 };
    let data = open_folder(&folder, &WindowConfig { split: groups.clone(), ..config() }).unwrap();
    let test = data.test.unwrap().indices;
    assert_eq!(test, (30..40).collect::<Vec<_>>());
    // The last of the others, class by class.
    let mut held_out = data.held_out.indices;
    held_out.sort_unstable();
    assert_eq!(held_out, [24, 25, 26, 27, 28, 29]);
    let data = open_folder(&folder, &config()).unwrap();
    assert!(data.notes[0].text.contains("split by group to test on other groups"));
    let none = super::tests::folder(&[("X.npy", inputs(40, 1)), ("y.npy", labels(&y))]);
    let error = refuse(&none, &WindowConfig { split: groups, ..config() });
    assert!(error.contains("X, input 0 has no group, but data.split is by group"), "{error}");
    let error = refuse(&none, &WindowConfig { split: LIST, ..config() });
    assert!(error.contains("input 0 is not declared as training, held-out or test"), "{error}");
    let wrong =
        Split::Group { test: vec!["7".to_owned()], held_out: Vec::new(), held_out_share: 0.2 };
    let error = refuse(&folder, &WindowConfig { split: wrong, ..config() });
    assert!(error.contains("the groups are 100, 101, 102, 103"), "{error}");
}

/// Each kind of bad window: refused by its name, or left out and counted.
#[test]
fn bad_windows_are_refused_or_left_out_and_counted() {
    let good = |input: usize| {
        let samples: String = (0..10).map(|at| format!("{},", sample(input, 0, at))).collect();
        format!("{samples}{}\n", input % 2)
    };
    let short = "1,2,3\n".to_owned();
    let missing = good(90).replace(",0\n", ",\n");
    let fraction = good(91).replace(",1\n", ",0.5\n");
    let nan = good(92).replacen(',', ",nan,", 1).replacen("92000,", "", 1);
    let text: String = (0..20).map(good).collect();
    let labels_last = WindowConfig { labels: Some("last".to_owned()), ..config() };
    for (bad, expected) in [
        (&short, "line 21: it has 3 columns, and 11 were expected"),
        (&missing, "line 21: its label is missing"),
        (&fraction, "line 21: its label is 0.5, and a class is a whole number or a text"),
        (&nan, "line 21: column 1: \"nan\" is not a finite number"),
    ] {
        let folder = folder(&[("set.csv", format!("{text}{bad}{}", good(21)).into_bytes())]);
        let error = refuse(&folder, &labels_last);
        assert!(error.contains(expected) && error.contains("--skip-bad"), "{error}");
        let data = open(1, &labels_last, folder.path(), true).unwrap();
        assert_eq!(data.training.source.len(), 21, "{expected}");
        assert_eq!(data.skipped.len(), 1);
        assert_eq!(data.training.source.name(20), "set.csv, line 22");
        assert_eq!(data.training.source.label(20), 1);
    }
    let many = short.repeat(30);
    let folder = folder(&[("set.csv", format!("{text}{many}").into_bytes())]);
    let data = open(1, &labels_last, folder.path(), true).unwrap();
    assert_eq!(data.skipped.len(), 21);
    assert_eq!(data.skipped[20], "10 more windows");
}

/// Regression: one constant window among thousands stopped the training.
#[test]
fn constant_windows_are_left_out_and_counted_unless_they_are_the_most_of_a_class() {
    let good = |input: usize| {
        let samples: String = (0..10).map(|at| format!("{},", sample(input, 0, at))).collect();
        format!("{samples}{}\n", input % 2)
    };
    let text: String = (0..20).map(good).collect();
    let set = |constant: usize| {
        let still = ("5,".repeat(10) + "1\n").repeat(constant);
        folder(&[("set.csv", format!("{text}{still}{}", good(21)).into_bytes())])
    };
    let labels_last = WindowConfig { labels: Some("last".to_owned()), ..config() };
    let data = open_folder(&set(2), &labels_last).unwrap();
    assert_eq!((data.training.source.len(), data.skipped.len()), (21, 0));
    assert_eq!(data.training.source.name(20), "set.csv, line 23");
    let told = "2 of 23 windows were left out because a channel is constant";
    assert!(data.description.contains(told), "{}", data.description);
    let places = format!("{told}: set.csv, line 21, set.csv, line 22");
    assert!(data.notes.iter().any(|note| note.to_string() == places), "{:?}", data.notes);
    let most = set(12);
    let error = refuse(&most, &labels_last);
    let expected = "in 12 of the 23 windows of the class \"1\"";
    assert!(error.contains(expected) && error.contains("--skip-bad"), "{error}");
    let data = open(1, &labels_last, most.path(), true).unwrap();
    assert_eq!(data.training.source.len(), 21);
    // A constant window is one only if it must be normalised.
    let raw = WindowConfig { normalization: NormalizationConfig::None, ..labels_last };
    assert_eq!(open_folder(&most, &raw).unwrap().training.source.len(), 33);
}

#[test]
fn bad_arrays_are_refused_by_their_names() {
    let y = [0, 1, 0, 1];
    let float_labels = |numbers: [f32; 4]| floats(&[4], numbers);
    let mut infinite: Vec<f32> = (0..40).map(|at| sample(at / 10, 0, at % 10)).collect();
    infinite[23] = f32::INFINITY;
    for (files, expected) in [
        (
            vec![("X", inputs(4, 1)), ("y", labels(&y[..3]))],
            "X: its shape is [4, 1, 10], and there are 3 labels",
        ),
        (vec![("X", inputs(4, 1))], "no array with one of the names label"),
        (vec![("X", inputs(4, 1)), ("y", floats(&[4, 2], [0.0; 8]))], "take argmax(axis=1)"),
        (
            vec![("X", inputs(4, 1)), ("y", float_labels([0.0, 1.0, 0.5, 1.0]))],
            "input 2: its label is 0.5",
        ),
        (
            vec![("X", inputs(4, 1)), ("y", float_labels([0.0, 1.0, f32::NAN, 1.0]))],
            "input 2: its label is missing",
        ),
        (
            vec![("X", floats(&[4, 10], infinite)), ("y", labels(&y))],
            "X, input 2: value 3 is not a finite 32-bit number",
        ),
        (vec![("X", inputs(4, 1)), ("y", labels(&[3; 4]))], "every label is 3, but at least two"),
        (
            vec![("X", inputs(4, 1)), ("y", texts(&["a", "b", "", "b"]))],
            "input 2: its label is missing",
        ),
        (
            vec![("X", inputs(4, 1)), ("y", labels(&y)), ("group", labels(&y[..2]))],
            "group: it has 2 values, and there are 4 labels",
        ),
        (
            vec![("X", inputs(4, 1)), ("y", labels(&y)), ("split", labels(&y))],
            "its split is a number, and training",
        ),
        (vec![("X", texts(&["a", "b", "a", "b"])), ("y", labels(&y))], "X: it holds no numbers"),
        (
            vec![("X", npy("<c8", &[4, 10], &[0; 320])), ("y", labels(&y))],
            "X: it is an array without real numbers",
        ),
        (
            vec![("X", inputs(4, 1)), ("y", npy("|O", &[4], &[0; 32]))],
            "y: it is an array of Python objects",
        ),
    ] {
        let files: Vec<(String, Vec<u8>)> =
            files.into_iter().map(|(name, bytes)| (format!("{name}.npy"), bytes)).collect();
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let error = refuse(&folder(&files), &config());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn names_of_classes_follow_the_order_of_the_labels_or_the_texts() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let open = |y: Vec<u8>, classes: &[&str]| {
        let folder = folder(&[("X.npy", inputs(4, 1)), ("y.npy", y)]);
        let config = WindowConfig { classes: names(classes), ..config() };
        open_folder(&folder, &config)
            .map(|data| {
                (data.classes.clone(), (0..4).map(|i| data.training.source.label(i)).collect())
            })
            .map_err(|error| error.to_string())
    };
    let numbers = || labels(&[10, 2, 10, 2]);
    assert_eq!(open(numbers(), &[]), Ok((names(&["2", "10"]), vec![1, 0, 1, 0])));
    assert_eq!(open(numbers(), &["b", "a"]), Ok((names(&["b", "a"]), vec![1, 0, 1, 0])));
    let texts = || texts(&["run 10", "run 2", "run 10", "run 2"]);
    assert_eq!(open(texts(), &[]), Ok((names(&["run 2", "run 10"]), vec![1, 0, 1, 0])));
    let swapped = ["run 10", "run 2"];
    assert_eq!(open(texts(), &swapped), Ok((names(&swapped), vec![0, 1, 0, 1])));
    let truths = || npy("|b1", &[4], &[1, 0, 1, 0]);
    assert_eq!(open(truths(), &[]), Ok((names(&["false", "true"]), vec![1, 0, 1, 0])));
    let error = open(numbers(), &["a", "b", "c"]).unwrap_err();
    assert!(
        error.contains("data.classes has 3 names, but there are 2 different labels: 2, 10"),
        "{error}"
    );
    let error = open(texts(), &["a", "b"]).unwrap_err();
    assert!(error.contains("the label \"run 2\" is not among data.classes: a, b"), "{error}");
}

/// The same window under two labels, or for training and the test, says nothing of a network.
#[test]
fn the_same_window_is_refused_under_two_labels_and_on_two_sides() {
    let rows = |ends: &[(usize, &str)]| -> Vec<u8> {
        let row = |&(input, end): &(usize, &str)| {
            let samples: String = (0..10).map(|at| format!("{},", sample(input, 0, at))).collect();
            format!("{samples}{end}\n")
        };
        ends.iter().map(row).collect::<String>().into_bytes()
    };
    let list = WindowConfig { labels: Some("last".to_owned()), split: LIST, ..config() };
    let train = [(0, "0"), (1, "1"), (2, "0"), (3, "1"), (2, "0")];
    let two_sides = folder(&[
        ("train.csv", rows(&train)),
        ("test.csv", rows(&[(10, "0"), (3, "1"), (11, "1")])),
    ]);
    let error = refuse(&two_sides, &list);
    assert!(
        error.contains(
            "the same window is on two sides of the split, so a test on it would say nothing: \
             test.csv, line 2 (test) and train.csv, line 4 (training): leave it on one"
        ),
        "{error}"
    );
    let data = open(1, &list, two_sides.path(), true).unwrap();
    assert_eq!(named(data.test.as_ref().unwrap()).len(), 3);
    assert_eq!(named(&data.training).len(), 4);
    assert_eq!(
        data.skipped,
        ["train.csv, line 4: the same window is on another side of the split as well"]
    );
    assert!(data.notes[0].text.starts_with("1 window is there more than once"), "{:?}", data.notes);
    let two_labels = folder(&[("set.csv", rows(&[&train[..], &[(3, "0"), (4, "1")]].concat()))]);
    let random = WindowConfig { split: config().split, ..list };
    let error = refuse(&two_labels, &random);
    assert!(
        error.contains("under two labels: set.csv, line 4 (1) and set.csv, line 6 (0): give each"),
        "{error}"
    );
    let data = open(1, &random, two_labels.path(), true).unwrap();
    assert_eq!((data.training.source.len(), data.skipped.len()), (5, 2));
}

/// Copies were once drawn for two sides.
#[test]
fn copies_stay_together_in_a_random_split() {
    let y: Vec<i32> = (0..60).map(|input| input % 2).collect();
    let numbers = (0..600).map(|at| sample(at / 10 % 20, 0, at % 10));
    let folder = folder(&[("X.npy", floats(&[60, 10], numbers)), ("y.npy", labels(&y))]);
    for seed in 0..5 {
        let data = open(seed, &config(), folder.path(), false).unwrap();
        assert!(data.notes[0].text.starts_with("40 windows are there more than once"));
        assert_eq!(data.training.source.len(), 60);
    }
}

#[test]
fn files_that_leave_a_doubt_are_refused() {
    let csv = || table("", 0, &["0", "1"]);
    for (names, expected) in [
        (&["a_train.csv", "a_test.csv", "normal.csv"][..], "and normal.csv are not"),
        (&["a.csv", "b.csv"], "several files, such as a.csv and b.csv, and their names do not say"),
        (&["a_test.csv", "b_test.csv"], "all of its files are test data"),
        (&["a.csv", "X.npy"], "files of different kinds, such as X.npy and a.csv"),
        (&["a.md"], "it has no NPZ, MAT, NPY or CSV file"),
    ] {
        let files: Vec<(&str, Vec<u8>)> = names
            .iter()
            .map(|name| (*name, if name.ends_with("npy") { inputs(2, 1) } else { csv() }))
            .collect();
        let error =
            refuse(&folder(&files), &WindowConfig { labels: Some("last".to_owned()), ..config() });
        assert!(error.contains(expected), "{error}");
    }
    let error = open(1, &config(), Path::new("/nowhere/set.npz"), false).unwrap_err().to_string();
    assert!(error.contains("cannot read /nowhere/set.npz"), "{error}");
}

/// The files that `SciPy` and NumPy wrote: `[3, 2, 4]`, with texts in a cell, and of MATLAB's order.
#[test]
fn archives_of_matlab_and_numpy_give_the_same_windows() {
    let four = |name: &str, labels: &str| {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../drsn-recording/tests/arrays").join(name);
        let config = WindowConfig {
            window: 4,
            labels: Some(labels.to_owned()),
            inputs: Some("X".to_owned()),
            ..config()
        };
        let data = open(1, &config, &path, false).unwrap();
        let mut values = Array2::zeros((2, 4));
        data.training.source.read(1, 0, values.view_mut().into_dyn()).unwrap();
        assert_eq!(values, Array2::from_shape_fn((2, 4), |(c, at)| (8 + c * 4 + at) as f32));
        (data.classes.join(","), data.training.source.name(1))
    };
    for (name, labels, classes) in [
        ("kinds.npz", "texts", "new,worn ß"),
        ("kinds.npz", "truths", "false,true"),
        ("packed.npz", "texts", "new,worn ß"),
        ("plain.mat", "cell", "new,worn ß"),
        ("plain.mat", "integers", "-3,7"),
        ("packed.mat", "texts", "new,worn ß"),
        ("packed.mat", "truths", "false,true"),
    ] {
        assert_eq!(four(name, labels), (classes.to_owned(), format!("{name}, input 1")));
    }
}
