//! Recordings that are listed in an index.

use super::*;

#[test]
fn an_index_names_files_labels_groups_and_rates() {
    let table = |rate: u32| {
        format!(
            "file,label,group,sample_rate_hz\nx.wav,worn,0,8000\ny.wav,new,1,{rate}\n\
             z.wav,new,0,\nw.wav,worn,1,\n"
        )
    };
    let wavs = ["x.wav", "y.wav", "z.wav", "w.wav"].map(|name| (name, ramp(80)));
    let folder = folder(&wavs);
    let index = folder.path().join("index.csv");
    let split =
        Split::Group { test: vec!["0".to_owned()], held_out: Vec::new(), held_out_share: 0.5 };
    let config = SignalConfig { split, ..config() };
    let open = || open(1, &config, folder.path(), Some(&index), false);
    fs::write(&index, table(8000)).unwrap();
    let data = open().unwrap();
    assert_eq!(data.classes, ["worn", "new"]);
    assert_eq!((data.training.indices.len(), data.held_out.indices.len()), (14, 14));
    assert_eq!(data.test.unwrap().indices.len(), 16);
    fs::write(&index, table(9000)).unwrap();
    assert!(open().unwrap_err().to_string().contains("the index says 9000"));
    fs::write(&index, table(8000) + "gone.wav,new,1,\n").unwrap();
    assert!(open().unwrap_err().to_string().contains("gone.wav: it cannot be read"));
}

/// A recording that was listed for training and for the test once made the test easy.
#[test]
fn a_file_listed_for_training_and_for_the_test_is_refused_by_name() {
    let folder = folder(&[("x.wav", ramp(80)), ("y.wav", ramp(80)), ("z.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    let list = SignalConfig { split: LIST, ..config() };
    let open = |lines: &str, config: &SignalConfig| {
        fs::write(&index, lines).unwrap();
        open(1, config, folder.path(), Some(&index), false)
    };
    let lines = "file,label,split\nx.wav,a,train\ny.wav,b,train\n./x.wav,a,test\nz.wav,b,val\n";
    let said = open(lines, &list).unwrap_err().to_string();
    assert!(said.contains("x.wav (a, training) and ./x.wav (a, test)"), "{said}");
    let said = open("file,label\nx.wav,a\ny.wav,b\nx.wav,b\n", &config()).unwrap_err();
    assert!(said.to_string().contains("x.wav (a, training) and x.wav (b, training)"), "{said}");
    let data = open("file,label\nx.wav,a\ny.wav,b\nx.wav,a\n", &config()).unwrap();
    let told = "1 file is there more than once, with the same label on one side";
    assert_eq!((data.notes.len(), &*data.notes[0].text), (1, told));
    assert!(data.description.ends_with(told), "{}", data.description);
}

/// A machine that was repaired during a recording: no window is of both conditions.
#[test]
fn an_index_may_list_parts_of_recordings_with_labels_of_their_own() {
    let folder = folder(&[("x.wav", ramp(80)), ("y.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    let open = |lines: &str, split: Split| {
        fs::write(&index, format!("file,label,start_s,stop_s,split\n{lines}")).unwrap();
        open(1, &SignalConfig { split, ..config() }, folder.path(), Some(&index), false)
    };
    // At 8000 Hz, 0.005 s are 40 samples.
    let lines = "x.wav,a,,0.005,train\nx.wav,b,0.005,,test\ny.wav,b,0,0.003,train\n";
    let data = open(lines, LIST).unwrap();
    let windows = |part: &Part| -> Vec<String> {
        part.indices.iter().map(|&index| part.source.name(index)).collect()
    };
    let training = windows(&data.training);
    assert_eq!(training.len(), 7 + 3);
    assert_eq!(training[6], "x.wav, samples 30 to 39");
    let test = data.test.unwrap();
    assert_eq!(
        windows(&test),
        [40, 50, 60, 70].map(|n| format!("x.wav, samples {n} to {}", n + 9))
    );
    let values = &read_all(&test)[0];
    assert_eq!((values.0, values.1[[0, 0]]), (1, values.1[[0, 9]] - 9.0 / 32768.0));
    assert!(data.notes[0].text.contains("on two sides of the split, in parts"));

    let refused = |lines: &str, reason: &str| {
        let said = open(lines, LIST).unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    };
    let pair = "x.wav, 0 s to 0.005 s (a, training) and x.wav, 0.004 s to its end (b, test)";
    refused("x.wav,a,,0.005,train\nx.wav,b,0.004,,test\ny.wav,b,,,train\n", pair);
    refused("x.wav,a,,0.02,train\ny.wav,b,,,train\n", "which lasts 0.01 s");
    refused("x.wav,a,0.01,,train\ny.wav,b,,,train\n", "not within the recording");
    refused("x.wav,a,,0.001,train\ny.wav,b,,,train\n", "8 samples are too few");
    let pair = "in parts that overlap, each of which is divided in time";
    let lines = "x.wav,a,,0.005,\nx.wav,a,0.003,0.008,\ny.wav,b,,,\n";
    assert!(open(lines, config().split).unwrap_err().to_string().contains(pair));
}

/// A file for the tests of the reader of MAT-files.
fn matlab(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../drsn-recording/tests/matlab");
    fs::read(folder.join(name)).unwrap()
}

/// The server had these options, and what needed them could not be trained on.
#[test]
fn the_rate_may_be_in_a_variable_and_lines_above_a_table_may_be_left_out() {
    let table = |first: usize| -> Vec<u8> {
        let row = |n: usize| format!("{}.5\n", (first + n * n) % 97);
        let rows: String = (0..300).map(row).collect();
        format!("-1.5\n-2.5\n{rows}").into_bytes()
    };
    let mats = [("a/1.mat", "bearing_plain.mat"), ("b/2.mat", "bearing_packed.mat")];
    let mats = mats.map(|(name, file)| (name, matlab(file)));
    let folder = folder(&[&mats[..], &[("3.csv", table(1)), ("4.csv", table(2))]].concat());
    let index = folder.path().join("index.csv");
    let open = |text: &str, config: &SignalConfig| {
        fs::write(&index, text).unwrap();
        open(1, config, folder.path(), Some(&index), false)
    };
    let spec = |data: &Data| match &data.input {
        InputSpec::Signal(spec) => (spec.sample_rate_hz, spec.source.clone().unwrap_or_default()),
        InputSpec::Image(_) => panic!("no signal"),
    };
    let of_recipe =
        SignalConfig { rate_variable: Some("sr".to_owned()), skip_lines: Some(2), ..config() };
    let by_recipe = open("file,label\na/1.mat,a\nb/2.mat,b\n", &of_recipe).unwrap();
    let lines = "file,label,rate_variable\na/1.mat,a,sr\nb/2.mat,b,bearing.sr\n";
    let by_index = open(lines, &config()).unwrap();
    assert_eq!((spec(&by_recipe).0, spec(&by_index).0), (Some(97_656.25), Some(97_656.25)));
    assert_eq!(spec(&by_recipe).1.rate_variable.as_deref(), Some("sr"));
    assert_eq!(spec(&by_index).1.rate_variable, None);
    assert_eq!((by_recipe.notes, by_index.notes), (vec![], vec![]));

    let lines = "file,label,skip_lines,sample_rate_hz\n3.csv,a,2,8000\n4.csv,b,2,8000\n";
    let by_index = open(lines, &config()).unwrap();
    let lines = "file,label,sample_rate_hz\n3.csv,a,8000\n4.csv,b,8000\n";
    let by_recipe = open(lines, &of_recipe).unwrap();
    assert_eq!(read_all(&by_index.training), read_all(&by_recipe.training));
    assert_eq!(read_all(&by_recipe.training)[0].1[[0, 0]], 1.5);
    assert_eq!((spec(&by_index).1.skip_lines, spec(&by_recipe).1.skip_lines), (2, 2));
    assert_eq!(read_all(&open(lines, &config()).unwrap().training)[0].1[[0, 0]], -1.5);
}

#[test]
fn a_variable_of_a_file_without_variables_and_a_wrong_number_of_lines_are_refused() {
    let folder = folder(&[("x.wav", ramp(80)), ("y.wav", ramp(80))]);
    let index = folder.path().join("index.csv");
    for (lines, reason) in [
        ("file,label,variable\nx.wav,a,DE\ny.wav,b,\n", "has \"DE\" as its variable, but only MAT"),
        ("file,label,rate_variable\nx.wav,a,\ny.wav,b,sr\n", "as its rate_variable, but only MAT"),
        ("file,label,skip_lines\nx.wav,a,-1\ny.wav,b,\n", "from 0 to 1000000, got \"-1\""),
        ("file,label,skip_lines\nx.wav,a,1000001\ny.wav,b,\n", "from 0 to 1000000, got"),
    ] {
        fs::write(&index, lines).unwrap();
        let said = open(1, &config(), folder.path(), Some(&index), false).unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    }
}
