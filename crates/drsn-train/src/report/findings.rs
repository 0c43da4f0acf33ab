//! What a reader must know before believing the numbers, in plain sentences.

use drsn_bundle::{InputSpec, Manifest};

use super::{curve::noise_name, noise_scores::NoiseScores, text::percent};
use crate::evaluation::{IndependentUnit, Scores};

/// Below this share of alarms, most disturbed inputs pass without a word.
const OFTEN: f64 = 0.5;
/// Below this share, a model is blind to a disturbance.
const HARDLY: f64 = 0.2;

/// What is to be said of a model and its scores; the first scores are those of the headline.
pub(super) fn findings(manifest: &Manifest, results: &[NoiseScores]) -> Vec<String> {
    let Some((first, others)) = results.split_first() else { return Vec::new() };
    majority(&first.scores)
        .into_iter()
        .chain(independence(manifest, &first.scores))
        .chain(domain(manifest))
        .chain(unwatched(manifest))
        .chain(rate(manifest))
        .chain(others.iter().filter_map(|result| blindness(first, result)))
        .collect()
}

/// An accuracy that says nothing.
fn majority(scores: &Scores) -> Option<String> {
    let majority = scores.majority.as_ref().filter(|most| scores.accuracy <= most.share)?;
    Some(format!(
        "The accuracy of {} is not above {}, which always answering \"{}\" would have: judge this \
         model by its macro recall.",
        percent(scores.accuracy),
        percent(majority.share),
        majority.class
    ))
}

/// An interval that is missing, or may be too narrow.
fn independence(manifest: &Manifest, scores: &Scores) -> Option<String> {
    let of = scores.independent?;
    if scores.interval.is_none() {
        return Some(format!(
            "There are not enough independent recordings for an interval: the test data has {}.",
            of.unit.count(of.count)
        ));
    }
    let is_signal = matches!(manifest.input, InputSpec::Signal(_));
    (of.unit == IndependentUnit::Inputs && is_signal).then(|| {
        "The interval takes each window as independent, because the data does not say which belong \
         together: it is too narrow if they come from few recordings. Name the groups of the \
         windows in the data."
            .to_owned()
    })
}

/// Test windows of recordings that were trained on.
fn domain(manifest: &Manifest) -> Option<String> {
    let configuration = &manifest.training.as_ref()?.configuration;
    (configuration["data"]["split"]["by"] == "time").then(|| {
        "The test windows are later parts of the recordings that were trained on: on other \
         machines, sensors or days the accuracy can be much lower. A split by group measures that."
            .to_owned()
    })
}

/// A model whose inputs are not watched.
fn unwatched(manifest: &Manifest) -> Option<String> {
    let baseline = manifest.baseline.as_ref();
    if baseline.is_some_and(|baseline| baseline.shift.is_some()) {
        return None;
    }
    Some(
        "The model has no input shift baseline (its training held out too few inputs to measure \
         it): a server does not notice inputs that are unlike its training data."
            .to_owned(),
    )
}

/// A model that cannot tell signals of another rate.
fn rate(manifest: &Manifest) -> Option<String> {
    let InputSpec::Signal(signal) = &manifest.input else { return None };
    signal.sample_rate_hz.is_none().then(|| {
        "The model has no sample rate, so a server accepts signals of any rate, and answers wrongly \
         at another: train it with data.sample_rate_hz."
            .to_owned()
    })
}

/// A disturbance that raises few alarms.
fn blindness(clean: &NoiseScores, disturbed: &NoiseScores) -> Option<String> {
    let alarms = disturbed.watched.as_ref()?;
    let shift = alarms.shift_alarms?;
    let most = alarms.level_alarms.unwrap_or_default().max(shift);
    if most >= OFTEN {
        return None;
    }
    let noticed = if most < HARDLY { "is not noticed" } else { "is often not noticed" };
    let (before, after) = (clean.scores.accuracy, disturbed.scores.accuracy);
    let accuracy = if before - after > 0.01 {
        format!("while the accuracy falls from {} to {}", percent(before), percent(after))
    } else {
        format!("and the accuracy is {}", percent(after))
    };
    Some(format!(
        "Noise {} {noticed}: {:.0} % of inputs raise an alarm, {accuracy}.",
        noise_name(disturbed.noise.as_ref()),
        100.0 * most
    ))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::{super::fixtures, *};
    use crate::evaluation::{AlarmRates, Predictions, Units};

    /// A model with 85 % was praised where one class had 89 %.
    #[test]
    fn an_accuracy_below_the_share_of_the_largest_class_is_said_to_be_worth_nothing() {
        let labels: Vec<usize> = (0..100).map(|i| usize::from(i >= 89)).collect();
        let row = |i: usize| if (4..100).contains(&i) { [0.9, 0.1] } else { [0.1, 0.9] };
        let values: Vec<f32> = (0..100).flat_map(row).collect();
        let probabilities = Array2::from_shape_vec((100, 2), values).unwrap();
        let predictions = Predictions::new(labels, probabilities).unwrap();
        let names = ["normal".to_owned(), "ectopic".to_owned()];
        let scores = Scores::over(&predictions, &names, &Units::independent(100)).unwrap();
        let said = majority(&scores).unwrap();
        assert!(
            said.starts_with("The accuracy of 85.00 % is not above 89.00 %, which always"),
            "{said}"
        );
        assert_eq!(majority(&fixtures::scores(&["a", "b"], 0.9)), None);
    }

    #[test]
    fn one_group_is_too_few_for_an_interval() {
        let report = fixtures::recordings(1);
        let said = "There are not enough independent recordings for an interval: the test data \
                    has 1 group.";
        assert!(report.findings.iter().any(|finding| finding == said), "{:?}", report.findings);
        assert!(report.text().contains(said) && report.text().contains("too few groups"));
        let several = fixtures::recordings(4);
        assert!(!several.text().contains("too few groups"), "{}", several.text());
    }

    /// White noise into a gearbox model was "healthy 0.91" without any alarm, and nobody knew.
    #[test]
    fn a_noise_that_raises_few_alarms_is_named_with_what_it_does() {
        let result = |noise: &str, accuracy: f64, shift: f64, level: f64| NoiseScores {
            noise: noise.parse().ok(),
            scores: fixtures::scores(&["a", "b"], accuracy),
            uncalibrated: None,
            watched: Some(AlarmRates {
                shift_alarms: Some(shift),
                level_alarms: Some(level),
                auroc: Some(0.6),
                shift_scores: None,
            }),
            recordings: None,
        };
        let clean = result("", 0.99, 0.01, 0.01);
        let said = blindness(&clean, &result("gaussian@0dB", 0.7, 0.06, 0.02)).unwrap();
        assert!(
            said.starts_with(
                "Noise gaussian@0dB is not noticed: 6 % of inputs raise an alarm, while the \
                 accuracy falls from "
            ),
            "{said}"
        );
        let said = blindness(&clean, &result("drop:0.1", 0.99, 0.34, 0.0)).unwrap();
        assert!(said.contains("is often not noticed: 34 %") && said.contains("and the accuracy"));
        assert_eq!(blindness(&clean, &result("gain:4", 0.7, 0.1, 0.97)), None);
    }

    #[test]
    fn a_model_without_shift_or_rate_is_named() {
        let bytes = include_bytes!("../../../../models/bearing/1/manifest.json");
        let mut manifest = Manifest::from_json(bytes).unwrap();
        assert_eq!((unwatched(&manifest), rate(&manifest)), (None, None));
        if let InputSpec::Signal(signal) = &mut manifest.input {
            signal.sample_rate_hz = None;
        }
        manifest.baseline = None;
        let said = unwatched(&manifest).unwrap();
        assert!(said.contains("held out too few inputs"), "{said}");
        assert!(rate(&manifest).unwrap().contains("signals of any rate"));
        assert!(domain(&manifest).unwrap().contains("later parts of the recordings"));
    }
}
