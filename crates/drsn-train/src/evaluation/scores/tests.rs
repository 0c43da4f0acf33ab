//! Scores against those of scikit-learn 1.9 and `scipy.stats`, and invariants for any predictions.

use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("class {i}")).collect()
}

/// Probabilities, `[inputs, classes]`.
fn matrix(values: Vec<f32>, classes: usize) -> Array2<f32> {
    Array2::from_shape_vec((values.len() / classes, classes), values).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// Forty inputs of four classes, by a formula that is reproducible in Python: `raw / raw.sum(1)` as
/// float32.
fn formula() -> Predictions {
    let labels: Vec<usize> =
        (0..40).map(|i| if i % 11 == 0 { 3 } else { (i * 7 + i / 5) % 3 }).collect();
    let row = |(i, &label): (usize, &usize)| {
        let bonus = |k| if k == label && i % 3 != 0 { 25 } else { 0 };
        let raw: Vec<usize> = (0..4).map(|k| (i * 37 + k * 53) % 29 + 1 + bonus(k)).collect();
        let sum: usize = raw.iter().sum();
        raw.into_iter().map(|x| (x as f64 / sum as f64) as f32).collect::<Vec<_>>()
    };
    let probabilities = labels.iter().enumerate().flat_map(row).collect();
    Predictions::new(labels, matrix(probabilities, 4)).unwrap()
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let scores = Scores::new(&formula(), &names(4)).unwrap();
    // confusion_matrix, accuracy_score, f1_score(average="macro"), precision_recall_fscore_support.
    assert_eq!(scores.confusion, array![[12, 1, 1, 0], [5, 9, 0, 1], [0, 0, 6, 1], [0, 2, 0, 2]]);
    assert!(close(scores.accuracy, 0.725));
    assert!(close(scores.macro_f1, 0.699_500_768_049_155_2));
    let expected = [
        (14, 0.705_882_35, 0.857_142_86, 0.774_193_55),
        (15, 0.75, 0.6, 0.666_666_67),
        (7, 0.857_142_86, 0.857_142_86, 0.857_142_86),
        (4, 0.5, 0.5, 0.5),
    ];
    for (class, (support, precision, recall, f1)) in scores.classes.iter().zip(expected) {
        assert_eq!(class.support, support);
        assert!(close(class.precision.unwrap(), precision), "{class:?}");
        assert!(close(class.recall.unwrap(), recall), "{class:?}");
        assert!(close(class.f1.unwrap(), f1), "{class:?}");
    }
    // NumPy, by the definition, and scipy.stats.binomtest(29, 40).proportion_ci(method="wilson").
    assert!(close(scores.calibration_error, 0.263_588_659_465_312_96));
    assert!(close(scores.interval.unwrap()[0], 0.571_650_441_937_894_3));
    assert!(close(scores.interval.unwrap()[1], 0.838_919_837_523_326_7));
}

#[test]
fn macro_recall_and_the_majority_are_those_of_the_definition() {
    let scores = Scores::new(&formula(), &names(4)).unwrap();
    // recall_score(average="macro").
    assert!(close(scores.macro_recall.unwrap(), (0.857_142_86 * 2.0 + 0.6 + 0.5) / 4.0));
    let majority = scores.majority.unwrap();
    assert_eq!(majority.class, "class 1");
    assert!(close(majority.share, 15.0 / 40.0));
}

/// 500 windows of a file that are all right are one thing that is known, not 500.
#[test]
fn windows_of_few_files_have_a_wider_interval_and_those_of_one_have_none() {
    let wide = |of_input: Vec<usize>| {
        let labels = vec![0; 400];
        let right = |i: usize| if i % 100 < 95 + i / 100 { [0.9, 0.1] } else { [0.2, 0.8] };
        let values = (0..400).flat_map(right).collect();
        let predictions = Predictions::new(labels, matrix(values, 2)).unwrap();
        let units = Units { unit: IndependentUnit::Files, of_input, recordings: Vec::new() };
        let alone = Scores::new(&predictions, &names(2)).unwrap().interval.unwrap();
        (alone, Scores::over(&predictions, &names(2), &units).unwrap())
    };
    let (alone, files) = wide((0..400).map(|i| i / 100).collect());
    let [low, high] = files.interval.unwrap();
    assert!(high - low > 2.0 * (alone[1] - alone[0]), "{low} to {high}, {alone:?}");
    assert_eq!(files.independent.map(|of| of.unit.count(of.count)), Some("4 files".to_owned()));
    assert_eq!(wide(vec![0; 400]).1.interval, None);
}

/// `report.json` of version 0.1 had the interval always, and no macro recall.
#[test]
fn scores_of_older_versions_are_read() {
    let predictions = Predictions::new(vec![0, 1], array![[1.0, 0.0], [1.0, 0.0]]).unwrap();
    let mut json = serde_json::to_value(Scores::new(&predictions, &names(2)).unwrap()).unwrap();
    for field in ["independent", "macro_recall", "majority"] {
        json.as_object_mut().unwrap().remove(field).unwrap();
    }
    let scores: Scores = serde_json::from_value(json).unwrap();
    assert_eq!((scores.macro_recall, scores.majority), (None, None));
    assert!(scores.interval.is_some());
}

#[test]
fn a_class_without_inputs_has_no_recall_and_does_not_count_in_the_mean() {
    let probabilities = array![[0.8, 0.2, 0.0], [0.3, 0.7, 0.0]];
    let predictions = Predictions::new(vec![0, 0], probabilities).unwrap();
    let scores = Scores::new(&predictions, &names(3)).unwrap();
    assert_eq!(scores.classes[0].recall, Some(0.5));
    assert_eq!((scores.classes[1].recall, scores.classes[1].precision), (None, Some(0.0)));
    assert_eq!(
        (scores.classes[2].recall, scores.classes[2].precision, scores.classes[2].f1),
        (None, None, None)
    );
    // 2/3 for the first class, 0 for the second, which is predicted once; the third does not occur.
    assert!(close(scores.macro_f1, 1.0 / 3.0));
}

#[test]
fn perfect_confidence_that_is_right_is_calibrated() {
    let predictions = Predictions::new(vec![0, 1], array![[1.0, 0.0], [0.0, 1.0]]).unwrap();
    let scores = Scores::new(&predictions, &names(2)).unwrap();
    assert!(close(scores.calibration_error, 0.0));
    assert_eq!(scores.reliability[14].inputs, 2);
}

#[test]
fn non_finite_probabilities_do_not_stop_the_scoring() {
    let predictions = Predictions::new(vec![0, 1], Array2::from_elem((2, 2), f32::NAN)).unwrap();
    let scores = Scores::new(&predictions, &names(2)).unwrap();
    assert!(close(scores.accuracy, 0.5) && close(scores.calibration_error, 0.5));
}

#[test]
fn labels_of_another_number_of_classes_are_refused() {
    assert!(Scores::new(&formula(), &names(3)).is_err());
}

proptest! {
    #[test]
    fn scores_stay_within_their_bounds(
        rows in prop::collection::vec((0..5_usize, prop::array::uniform5(0.0_f32..1.0)), 1..60)
    ) {
        let labels: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let probabilities = rows
            .iter()
            .flat_map(|(_, row)| {
                let sum: f32 = row.iter().sum::<f32>().max(f32::MIN_POSITIVE);
                row.map(|x| x / sum)
            })
            .collect();
        let predictions = Predictions::new(labels, matrix(probabilities, 5)).unwrap();
        let scores = Scores::new(&predictions, &names(5)).unwrap();
        let unit = 0.0..=1.0;
        prop_assert!(unit.contains(&scores.macro_f1) && unit.contains(&scores.calibration_error));
        prop_assert_eq!(scores.interval.is_some(), rows.len() > 1);
        if let Some([low, high]) = scores.interval {
            prop_assert!((low..=high).contains(&scores.accuracy));
        }
        prop_assert!(scores.macro_recall.is_some_and(|recall| unit.contains(&recall)));
        prop_assert_eq!(scores.confusion.sum(), rows.len());
        prop_assert_eq!(scores.classes.iter().map(|c| c.support).sum::<usize>(), rows.len());
        prop_assert_eq!(scores.reliability.iter().map(|b| b.inputs).sum::<usize>(), rows.len());
        for class in &scores.classes {
            prop_assert!(class.f1.is_none_or(|f1| unit.contains(&f1)));
        }
    }
}

#[test]
fn the_confusion_matrix_is_a_list_of_rows_in_json() {
    let predictions = Predictions::new(vec![0, 1], array![[1.0, 0.0], [1.0, 0.0]]).unwrap();
    let scores = Scores::new(&predictions, &names(2)).unwrap();
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(json["confusion"], serde_json::json!([[1, 0], [1, 0]]));
    assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), scores);
}
