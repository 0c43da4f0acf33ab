//! Summaries of small data sets.

use std::sync::Arc;

use drsn_bundle::{InputSpec, Normalization, SignalSpec};
use ndarray::ArrayViewMutD;

use super::*;
use crate::{
    dataset::{DatasetError, DatasetSource, Origin, Part},
    recipe::preset,
};

/// Inputs with a class, a file and a group each.
#[derive(Debug)]
struct Inputs(Vec<(usize, &'static str, Option<&'static str>)>);

impl DatasetSource for Inputs {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn label(&self, index: usize) -> usize {
        self.0[index].0
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn origin(&self, index: usize) -> Origin<'_> {
        let (_, file, group) = self.0[index];
        Origin { file: Some(file), samples: Some(100 * file.len()), group, ..Origin::default() }
    }

    fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
        Ok(())
    }
}

/// Ten inputs to train on, of which nine are of one class; two held out; `test` inputs.
fn data(test: &[(usize, &'static str, Option<&'static str>)], rate: Option<f64>) -> Data {
    let mut inputs = vec![(0, "aa.wav", Some("one")); 9];
    inputs.push((1, "b.wav", Some("two")));
    inputs.extend([(0, "c.wav", Some("three")), (1, "c.wav", Some("three"))]);
    inputs.extend(test);
    let last = inputs.len();
    let source: Arc<dyn DatasetSource> = Arc::new(Inputs(inputs));
    let part = |range: std::ops::Range<usize>| Part {
        source: Arc::clone(&source),
        indices: range.collect(),
    };
    Data {
        input: InputSpec::Signal(SignalSpec {
            channels: 1,
            window: 50,
            sample_rate_hz: rate,
            normalization: Normalization::None,
            padding: None,
            source: None,
        }),
        classes: vec!["normal".to_owned(), "worn".to_owned()],
        description: String::new(),
        training: part(0..10),
        held_out: part(10..12),
        test: (last > 12).then(|| part(12..last)),
        test_name: String::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

fn lines(split: &str, data: &Data) -> String {
    let recipe = preset("signal").unwrap();
    let recipe = recipe.set(&[split, "class_weights=equal"]).unwrap();
    DataSummary::new(&recipe, data).lines().join("\n")
}

const BY_GROUP: &str = "data.split={by='group',test=['four'],held_out=['three']}";

#[test]
fn a_summary_counts_classes_files_and_groups_of_each_part() {
    let data = data(&[(0, "dd.wav", Some("four")), (1, "e.wav", Some("four"))], Some(100.0));
    let expected = "\
data: 14 inputs of 1 x 50, channels x samples, from 5 files of 500 to 600 samples, at 100 Hz \
(0.500 s an input), 2 classes
class       training  held-out  test
normal             9         1     1
worn               1         1     1
all inputs        10         2     2
files              2         1     2
groups             2         1     1
training groups: one, two
held-out groups: three
test groups: four
warning: the class normal has 90.0 % of the training inputs, so that accuracy hides the other \
classes: read the recall of each class, and train with --set class_weights=balanced
warning: only 2 inputs are held out, so that the model will have no baseline, by which a server \
notices unusual inputs: it requires at least 100
warning: the test is on only 1 independent group, so that its figures may be far from those on \
others, however many inputs there are";
    assert_eq!(lines(BY_GROUP, &data), expected);
}

/// A data set of one file was said to be "from 1 files".
#[test]
fn one_file_is_not_in_the_plural_and_names_are_in_the_order_of_their_numbers() {
    assert_eq!((&*count(1, "file"), &*count(2, "file")), ("1 file", "2 files"));
    let names = ["p-10", "p-2", "p-1"].map(str::to_owned).into();
    assert_eq!(some_of(&names), "p-1, p-2, p-10");
}

#[test]
fn a_class_that_a_part_lacks_and_a_rate_that_nothing_tells_are_told() {
    let said = lines(BY_GROUP, &data(&[(0, "d.wav", Some("four"))], None));
    assert!(said.contains("warning: the test part has no input of worn"), "{said}");
    assert!(said.contains("at an unknown sample rate"), "{said}");
    let said = lines(BY_GROUP, &data(&[], None));
    assert!(said.contains("warning: there is no test data"), "{said}");
    assert!(!said.contains("the test part has no input"), "{said}");
}

#[test]
fn a_split_in_time_is_told_to_test_on_nothing_new() {
    let files = ["d.wav", "e.wav", "f.wav", "g.wav", "h.wav", "i.wav"];
    let test: Vec<_> = (0..6).map(|n| (n % 2, files[n], None)).collect();
    let split = "data.split={by='time',training=0.6,held_out=0.1}";
    let said = lines(split, &data(&test, None));
    assert!(said.contains("no recording that is new to the network"), "{said}");
    // Six files are more than a handful; groups that only some inputs have are not counted.
    let said = lines("data.split={by='list'}", &data(&test, None));
    assert!(!said.contains("independent"), "{said}");
    assert!(!said.contains("test groups"), "{said}");
}

#[test]
fn a_long_list_of_classes_is_cut_in_its_middle() {
    let row = |name: String| vec![name, "1".to_owned()];
    let rows: Vec<_> = (0..100).map(|n| row(format!("class {n}"))).collect();
    let lines = table(&rows);
    assert_eq!(lines.len(), 41);
    assert_eq!((&*lines[36], &*lines[40]), ("… 60 more classes", "class 99  1"));
}
