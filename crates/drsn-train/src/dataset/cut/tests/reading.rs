//! Arrays and tables that are read.

use super::*;

#[test]
fn arrays_become_windows_with_their_labels_wherever_they_are_stored() {
    let y: Vec<i32> = (0..40).map(|input| [7, -3][input % 2]).collect();
    let folder = folder(&[("X.npy", inputs(40, 2)), ("y.npy", labels(&y))]);
    for max_in_memory in [0, 1000, 1 << 20] {
        let data = open_within(1, &config(), folder.path(), false, max_in_memory).unwrap();
        assert_eq!(data.classes, ["-3", "7"]);
        let counts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
        assert_eq!(counts.map(|part| part.indices.len()), [28, 4, 8]);
        for index in [0, 17, 39] {
            let expected = Array2::from_shape_fn((2, 10), |(c, at)| sample(index, c, at));
            assert_eq!(window(&data.training, index), expected);
            assert_eq!(data.training.source.label(index), usize::from(index % 2 == 0));
        }
        assert_eq!(data.training.source.name(39), "X, input 39");
        assert!(data.notes.is_empty() && data.skipped.is_empty(), "{:?}", data.notes);
        assert_eq!(data.input.shape(), [2, 10]);
        assert!(data.description.contains("windows of 10 samples that were cut beforehand"));
    }
}

/// Arrays `[L, N, C]` and `[L, C, N]`, whose windows are scattered.
#[test]
fn windows_that_lie_between_others_are_turned() {
    let y: Vec<i32> = (0..40).map(|input| input % 2).collect();
    let indices =
        || (0..10).flat_map(|at| (0..40).flat_map(move |n| (0..2).map(move |c| (n, c, at))));
    let lnc = floats(&[10, 40, 2], indices().map(|(n, c, at)| sample(n, c, at)));
    let lcn = (0..10).flat_map(|at| (0..2).flat_map(move |c| (0..40).map(move |n| (n, c, at))));
    let lcn = floats(&[10, 2, 40], lcn.map(|(n, c, at)| sample(n, c, at)));
    for array in [lnc, lcn] {
        let folder = folder(&[("X.npy", array), ("y.npy", labels(&y))]);
        for max_in_memory in [0, 1 << 20] {
            let data = open_within(1, &config(), folder.path(), false, max_in_memory).unwrap();
            for index in [0, 17, 39] {
                let expected = Array2::from_shape_fn((2, 10), |(c, at)| sample(index, c, at));
                assert_eq!(window(&data.training, index), expected);
            }
        }
    }
}

#[test]
fn a_pair_of_tables_without_a_header_is_split_by_their_names() {
    // As Kaggle's heartbeats are kept.
    let ends = ["0.0", "1.000000000000000000e+00", "0", "1", "0.0", "1.0"];
    let folder = folder(&[
        ("mitbih_train.csv", table("", 0, &ends)),
        ("mitbih_test.csv", table("", 6, &ends[..4])),
        ("about.md", b"# Heartbeats".to_vec()),
    ]);
    let named_last = WindowConfig {
        labels: Some("last".to_owned()),
        split: Split::List { held_out_share: 0.34 },
        classes: vec!["normal".to_owned(), "other".to_owned()],
        sample_rate_hz: None,
        ..config()
    };
    let data = open_folder(&folder, &named_last).unwrap();
    assert_eq!(data.classes, ["normal", "other"]);
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (4, 2));
    assert_eq!(
        named(data.test.as_ref().unwrap()),
        [
            "mitbih_test.csv, line 1: 0",
            "mitbih_test.csv, line 2: 1",
            "mitbih_test.csv, line 3: 0",
            "mitbih_test.csv, line 4: 1"
        ]
    );
    let notes: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    assert!(notes[0].contains("not used: about.md"), "{notes:?}");
    assert!(notes[1].contains("the sample rate is unknown"), "{notes:?}");
    // The label is never guessed, and the names of the files are followed or refused.
    let error = refuse(&folder, &WindowConfig { labels: None, ..named_last.clone() });
    assert!(error.contains("set data.labels to \"last\", \"first\" or a number"), "{error}");
    let random = Split::Random { held_out: 0.2, test: 0.2 };
    let error = refuse(&folder, &WindowConfig { split: random, ..named_last.clone() });
    assert!(error.contains("line 1 is declared as test data"), "{error}");
    let error = refuse(&folder, &WindowConfig { window: 9, ..named_last });
    assert!(
        error.contains("10 samples beside the label, but the recipe's windows have 9"),
        "{error}"
    );
}

#[test]
fn columns_are_found_by_their_names() {
    let names: String = (0..10).map(|at| format!("s{at},")).collect();
    let header = format!("{names}Label,group,split\n");
    let ends =
        ["worn,a,train", "new,a,train", "worn,b,val", "new,b,val", "worn,c,test", "new,c,test"];
    let folder = folder(&[("set.csv", table(&header, 0, &ends))]);
    let list = WindowConfig { split: LIST, ..config() };
    let data = open_folder(&folder, &list).unwrap();
    assert_eq!(data.classes, ["new", "worn"]);
    assert_eq!(named(&data.training), ["set.csv, line 2: 1", "set.csv, line 3: 0"]);
    assert_eq!(named(data.test.as_ref().unwrap())[0], "set.csv, line 6: 1");
    for (config, expected) in [
        (
            WindowConfig { labels: Some("klasse".to_owned()), ..list.clone() },
            "no column \"klasse\"",
        ),
        (WindowConfig { skip_columns: vec!["id".to_owned()], ..list.clone() }, "no column \"id\""),
        (
            WindowConfig { groups: Some("Label".to_owned()), ..list.clone() },
            "cannot be two of label",
        ),
        (
            WindowConfig { channels: Some(2), ..list.clone() },
            "set data.window and data.channels, or leave out",
        ),
    ] {
        let error = refuse(&folder, &config);
        assert!(error.contains(expected), "{error}");
    }
    // The group decides only if nothing declares otherwise.
    let groups = Split::Group {
        test: vec!["c".to_owned()],
        held_out: vec!["b".to_owned()],
        held_out_share: 0.0,
    };
    let by_group = WindowConfig { split: groups, splits: None, ..config() };
    let error = refuse(&folder, &by_group);
    assert!(error.contains("is declared as training data by the column split"), "{error}");
}

#[test]
fn two_channels_in_a_row_follow_each_other_or_alternate() {
    let row = |input: usize, alternate: bool| {
        let place = |at: usize| if alternate { (at % 2, at / 2) } else { (at / 10, at % 10) };
        let cells: String =
            (0..20).map(|at| format!("{};", sample(input, place(at).0, place(at).1))).collect();
        format!("{}{cells}\n", ["a;", "b;"][input % 2])
    };
    for (axes, alternate) in [("ncl", false), ("nlc", true)] {
        let text: String = (0..6).map(|input| row(input, alternate)).collect();
        let folder = folder(&[("set.csv", text.into_bytes())]);
        let two = WindowConfig {
            channels: Some(2),
            axes: Some(axes.to_owned()),
            labels: Some("first".to_owned()),
            ..config()
        };
        let error = refuse(&folder, &WindowConfig { axes: None, ..two.clone() });
        assert!(error.contains("set data.axes to ncl if"), "{error}");
        let data = open_folder(&folder, &two).unwrap();
        let expected = Array2::from_shape_fn((2, 10), |(c, at)| sample(4, c, at));
        assert_eq!(window(&data.training, 4), expected);
    }
}

/// pandas writes row numbers without a name, and numbers as names.
#[test]
fn row_numbers_and_other_columns_are_left_out_with_a_word() {
    let row = |input: usize| {
        let cells: String = (0..10).map(|at| format!("{},", sample(input, 0, at))).collect();
        format!("{input},{}.5,{cells}{}\n", input + 60, input % 2)
    };
    let text: String = (0..4).map(row).collect();
    let folder = folder(&[("set.csv", format!(",age,0,1,2,3,4,5,6,7,8,9,y\n{text}").into_bytes())]);
    let error = refuse(&folder, &config());
    assert!(
        error.contains("its rows have 11 samples") && error.contains("data.skip_columns"),
        "{error}"
    );
    let skipping = WindowConfig { skip_columns: vec!["age".to_owned()], ..config() };
    let data = open_folder(&folder, &skipping).unwrap();
    assert_eq!(data.training.source.len(), 4);
    let note = data.notes[0].to_string();
    assert_eq!(note, "the first column has no name and was left out: set.csv");
}

#[test]
fn parts_in_the_names_of_arrays_are_followed() {
    let split = |count: usize, first: usize| -> Vec<u8> {
        let numbers = (0..count * 10).map(|at| sample(first + at / 10, 0, at % 10));
        floats(&[count, 10], numbers)
    };
    let folder = folder(&[
        ("x_train.npy", split(6, 0)),
        ("labels_train.npy", texts(&["a", "b", "a", "b", "a", "b"])),
        ("x_val.npy", split(2, 6)),
        ("labels_val.npy", texts(&["a", "b"])),
        ("x_test.npy", split(3, 8)),
        ("labels_test.npy", texts(&["a", "b", "b"])),
    ]);
    let data = open_folder(&folder, &WindowConfig { split: LIST, ..config() }).unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    assert_eq!(
        named(data.test.as_ref().unwrap()),
        ["x_test, input 0: 0", "x_test, input 1: 1", "x_test, input 2: 1"]
    );
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (6, 2));
}
