//! Contents of plots, and that any numbers can be drawn.

use drsn_bundle::Epoch;
use ndarray::Array2;
use proptest::prelude::*;

use super::{font::shorten, panel::ticks, *};
use crate::{
    evaluation::{Predictions, Scores},
    report::{
        curve::{CurvePoint, NoiseCurve},
        fixtures,
    },
};

#[test]
fn a_confusion_matrix_names_its_classes_and_shows_counts_and_shares() {
    let scores = fixtures::scores(&["ball & race", "inner <b>", "normal"], 0.9);
    let svg = confusion(&scores, "Confusion").svg();
    assert!(svg.contains("ball &amp; race") && svg.contains("inner &lt;b&gt;"), "{svg}");
    assert!(svg.contains(&scores.confusion[[0, 0]].to_string()) && svg.contains(" %"));
    assert!(!svg.contains("<b>"));
}

#[test]
fn a_curve_names_models_and_noises() {
    let svg = curves(&fixtures::curves(), "Noise", "bars").svg();
    for text in ["clean", "gaussian@-5dB", "bearing 1"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn a_name_that_is_too_long_ends_with_an_ellipsis() {
    let name = shorten(&"bearing ".repeat(30), 13.0, 100.0);
    assert!(name.ends_with('…') && name.len() < 40, "{name}");
    assert_eq!(shorten("ball", 13.0, 100.0), "ball");
}

#[test]
fn ticks_are_round_and_within_their_range() {
    assert_eq!(ticks(0.0, 10.0, 5.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert!(ticks(1.0, 1.0, 5.0).is_empty() && ticks(0.0, f64::NAN, 5.0).is_empty());
}

#[test]
fn empty_and_non_finite_data_can_be_drawn() {
    let epoch = Epoch {
        loss: f64::NAN,
        accuracy: 0.5,
        held_out_loss: f64::NAN,
        held_out_accuracy: 0.5,
        learning_rate: 0.0,
    };
    for epochs in [vec![], vec![epoch]] {
        assert!(history(&epochs, "Training").svg().starts_with("<svg"));
    }
    assert!(curves(&[], "Noise", "").svg().starts_with("<svg"));
    let point = CurvePoint { noise: None, accuracy: f64::NAN, macro_f1: None, bar: None };
    let curve = NoiseCurve { name: String::new(), points: vec![point] };
    assert!(curves(&[curve], "Noise", "").svg().starts_with("<svg"));
}

/// The title of an axis from 40 to 100 % stood half outside the picture.
#[test]
fn titles_of_axes_are_within_the_picture() {
    let scores = fixtures::scores(&["a", "b"], 0.99);
    let mut curves_above = fixtures::curves();
    for point in curves_above.iter_mut().flat_map(|curve| &mut curve.points) {
        point.accuracy = 0.99;
        point.bar = None;
    }
    for figure in [
        history(&fixtures::history(), "Training"),
        curves(&fixtures::curves(), "Noise", ""),
        curves(&curves_above, "Noise", ""),
        reliability(&scores, "Calibration"),
    ] {
        let titles = figure.marks.iter().filter_map(|mark| {
            let marks::Mark::Text(text) = mark else { return None };
            text.is_rotated.then_some(text)
        });
        let lefts: Vec<f64> = titles.map(|text| text.at.0 - text.size / 2.0).collect();
        assert!(
            !lefts.is_empty() && lefts.iter().all(|left| *left >= 2.0),
            "{}: {lefts:?}",
            figure.name
        );
    }
}

#[test]
fn a_png_is_twice_as_large_as_the_svg() {
    let bytes = reliability(&fixtures::scores(&["a", "b"], 0.8), "Reliability").png().unwrap();
    assert_eq!(&bytes[1..4], b"PNG");
    assert_eq!(bytes[16..24], [0, 0, 3, 112, 0, 0, 4, 96]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_predictions_can_be_drawn(
        classes in 1..70_usize,
        labels in prop::collection::vec(0..1_000_usize, 1..40)
    ) {
        let names: Vec<String> = (0..classes).map(|i| format!("klasse {i} ärgert")).collect();
        let count = labels.len();
        let labels = labels.into_iter().map(|label| label % classes).collect();
        let probabilities = Array2::from_elem((count, classes), 1.0 / classes as f32);
        let predictions = Predictions::new(labels, probabilities).unwrap();
        let scores = Scores::new(&predictions, &names).unwrap();
        let (first, second) = (confusion(&scores, "c"), reliability(&scores, "r"));
        for figure in [first, second] {
            prop_assert!(figure.svg().starts_with("<svg"));
        }
    }
}

/// `DRSN_PLOTS=folder cargo test -p drsn-train --lib plots_to_look_at` writes them for inspection.
#[test]
fn plots_to_look_at() {
    let Some(folder) = std::env::var_os("DRSN_PLOTS") else { return };
    let folder = std::path::Path::new(&folder);
    let digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let many: Vec<String> = (0..20).map(|i| format!("outer race fault {i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let crowd: Vec<String> = (0..100).map(|i| format!("class {i}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let mut figures = vec![
        curves(&fixtures::curves(), "Accuracy under noise", "bars: interval of 95 %"),
        history(&fixtures::history(), "Training of bearing 1"),
    ];
    for (name, classes) in [
        ("digits", &digits[..]),
        ("many", &many[..]),
        ("crowd", &crowd[..]),
        ("two", &["normal", "faulty"][..]),
    ] {
        let scores = fixtures::scores(classes, 0.93);
        for mut figure in
            [confusion(&scores, "Confusion matrix"), reliability(&scores, "Calibration")]
        {
            figure.name = format!("{}-{name}", figure.name);
            figures.push(figure);
        }
    }
    for figure in figures {
        std::fs::write(folder.join(format!("{}.png", figure.name)), figure.png().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{}.svg", figure.name)), figure.svg()).unwrap();
    }
}
