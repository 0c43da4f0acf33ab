//! The named causes of alarms, on faults whose cause is known.

use std::{fs, path::Path};

use drsn_bundle::{
    Baseline, Manifest,
    baseline::{
        ALARM_LEVEL, Level, LevelBaseline, Quantity, ShiftLengths, ShiftReason, ShiftSample,
        ShiftVectors,
    },
};

use crate::source::{Source, levels, two_channels};

/// The bundled bearing model's baseline of the shift: 96 channels, strongly correlated.
fn bearing() -> Baseline {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/bearing/1/manifest.json");
    Manifest::from_json(&fs::read(path).unwrap()).unwrap().baseline.unwrap()
}

/// Two ways to name the channel that moved: what it adds to the distance, and its own deviation from
/// the mean. One channel of unchanged inputs is moved by a number of standard deviations.
#[test]
fn the_channel_that_adds_most_to_the_distance_is_the_one_that_moved() {
    let baseline = bearing();
    let distance = baseline.shift.as_ref().unwrap().distance.as_ref().unwrap();
    let (deviations, dimensions) = (distance.deviations(), distance.mean.len());
    let mut source = Source::new(20);
    for (move_by, least) in [(1.0, 0.45), (2.0, 0.8), (4.0, 0.97)] {
        let (mut trials, mut by_share, mut by_z) = (0, 0, 0);
        for moved in (0..dimensions).cycle().take(10 * dimensions) {
            let normal: Vec<f64> = (0..dimensions).map(|_| source.gaussian()).collect();
            let mut input = distance.mean.to_vec();
            let mut place = 0;
            for (j, amount) in normal.iter().enumerate() {
                for value in &mut input[j..] {
                    *value += (f64::from(distance.factor[place]) * amount) as f32;
                    place += 1;
                }
            }
            input[moved] += (move_by * deviations[moved]) as f32;
            let z = |i: usize| (f64::from(input[i] - distance.mean[i]) / deviations[i]).abs();
            let largest = (0..dimensions).max_by(|&a, &b| z(a).total_cmp(&z(b)));
            let causes = baseline.shift_causes(ShiftReason::Magnitudes, &input);
            trials += 1;
            by_z += usize::from(largest == Some(moved));
            by_share += usize::from(causes.first().is_some_and(|cause| cause.dimension == moved));
            let z = z(causes[0].dimension);
            assert!((causes[0].z.abs() - z).abs() < 0.02 * (1.0 + z), "{:?}, {z}", causes[0]);
        }
        let share = |count: usize| count as f64 / f64::from(trials);
        eprintln!(
            "moved by {move_by}: right by share {:.3}, by z {:.3}",
            share(by_share),
            share(by_z)
        );
        assert!(share(by_share) >= least && by_share > by_z, "{move_by}: {by_share}, {by_z}");
    }
}

#[test]
fn contributions_add_up_to_the_distance_and_name_no_channel_of_another_length() {
    let baseline = bearing();
    let distance = baseline.shift.as_ref().unwrap().distance.as_ref().unwrap();
    let mut input = distance.mean.to_vec();
    input[7] *= 3.0;
    let [cause] = baseline.shift_causes(ShiftReason::Magnitudes, &input)[..] else {
        panic!("one channel has moved")
    };
    assert!(cause.dimension == 7 && (cause.share - 1.0).abs() < 1e-6 && cause.z > 0.0, "{cause:?}");
    assert_eq!(baseline.shift_causes(ShiftReason::Magnitudes, &input[1..]), []);
}

/// Three classes that lie at (0, 0), (60, 0) and (0, 60), with the same spread.
fn three_classes(source: &mut Source) -> Baseline {
    let mut at = |class: usize| -> [f32; 3] {
        let mut place = [0.0, 0.0, 5.0].map(|mean: f32| mean + source.gaussian() as f32);
        if class > 0 {
            place[class - 1] += 60.0;
        }
        place
    };
    let lengths = ShiftLengths { features: 3, statistics: 3, bands: 3, channels: 0 };
    let mut sample = ShiftSample::new(lengths, 3);
    let inputs: Vec<_> = (0..3000).map(|n| (at(n % 3), n % 3)).collect();
    let vectors = |input| ShiftVectors { mean_abs: &[], features: input, input, spectrum: input };
    for (input, class) in &inputs[..2000] {
        sample.add(&vectors(input), *class).unwrap();
    }
    let distances = sample.distances().unwrap();
    let held_out = inputs[2000..].iter();
    let scores: Vec<f64> =
        held_out.map(|(input, _)| distances.score(&vectors(input)).unwrap()).collect();
    let shift = distances.baseline(&scores, ALARM_LEVEL).unwrap();
    let data = "three classes".to_owned();
    Baseline { data, alarm_level: ALARM_LEVEL, shift: Some(shift), level: None, thresholds: None }
}

/// Regression: an input alarmed by its own statistics, and channels of blocks were named.
#[test]
fn a_statistic_that_left_its_class_is_named_and_not_what_tells_classes_apart() {
    let mut source = Source::new(31);
    let baseline = three_classes(&mut source);
    let (usual, moved) = ([60.0, 0.0, 5.0], [60.0, 0.0, 1e3]);
    let judge = |features, input| {
        let vectors = ShiftVectors { mean_abs: &[], features, input, spectrum: &usual };
        baseline.judge_shift(&vectors).unwrap().unwrap()
    };
    let found = judge(&usual, &moved);
    assert!(found.alarm && found.reason == Some(ShiftReason::Input), "{found:?}");
    let causes = baseline.shift_causes(ShiftReason::Input, &moved);
    assert_eq!(causes[0].dimension, 2);
    assert!((causes[0].share - 1.0).abs() < 0.05, "{causes:?}");
    assert!((causes[0].z / 995.0 - 1.0).abs() < 0.1, "{causes:?}");
    assert_eq!(judge(&usual, &usual).reason, None, "no alarm, no reason");
    assert_eq!(baseline.shift_causes(ShiftReason::Magnitudes, &moved), [], "no such distance");
}

/// Weak noise fills the bands that the signal leaves empty, and changes nothing else.
#[test]
fn a_spectrum_alone_is_a_reason_and_statistics_that_alarm_too_come_before_it() {
    let mut source = Source::new(33);
    let baseline = three_classes(&mut source);
    let usual = [60.0, 0.0, 5.0];
    let judge = |input, spectrum| {
        let vectors = ShiftVectors { mean_abs: &[], features: &usual, input, spectrum };
        baseline.judge_shift(&vectors).unwrap().unwrap().reason
    };
    assert_eq!(judge(&usual, &[60.0, 0.0, 50.0]), Some(ShiftReason::Spectrum));
    // What one share gains, the others lose: only the last one changed.
    let changes = baseline.band_changes(&[50.0, -10.0, 40.0]);
    assert!(changes[0].dimension == 2 && changes[0].decibels > 150.0, "{changes:?}");
    assert!(changes[1].decibels.abs() < 15.0, "{changes:?}");
    assert_eq!(judge(&[60.0, 0.0, 20.0], &[60.0, 0.0, 50.0]), Some(ShiftReason::Input));
    assert_eq!(judge(&usual, &usual), None);
}

#[test]
fn features_of_another_direction_name_the_nearest_class_and_how_far_it_is() {
    let mut source = Source::new(32);
    let baseline = three_classes(&mut source);
    let unusual = [70.0, 10.0, -40.0];
    let usual = [60.0, 0.0, 5.0];
    let vectors =
        ShiftVectors { mean_abs: &[], features: &unusual, input: &usual, spectrum: &usual };
    let found = baseline.judge_shift(&vectors).unwrap().unwrap();
    assert!(found.alarm && found.reason == Some(ShiftReason::Features), "{found:?}");
    let near = baseline.nearest_classes(&unusual, 3);
    assert!((near[0].distance.powi(2) / found.score - 1.0).abs() < 1e-6, "{near:?}, {found:?}");
    assert!(near.len() == 3 && near.is_sorted_by(|a, b| a.distance <= b.distance), "{near:?}");
    let usual = baseline.nearest_classes(&[0.0, 60.0, 5.0], 3);
    assert!(usual[0].class == 2 && usual[0].distance < 1.0, "{usual:?}");
    assert_eq!(baseline.nearest_classes(&unusual, 4), [], "a class that training did not have");
    assert_eq!(baseline.nearest_classes(&unusual[1..], 3), []);
}

/// A change of a raw signal.
type Fault = fn(&mut [f32]);

#[test]
fn the_cause_of_an_unusual_level_is_named_in_the_channel_that_has_it() {
    let mut source = Source::new(21);
    let (training, held) = (levels(&mut source, 1000, 1.0), levels(&mut source, 500, 1.0));
    let level = LevelBaseline::new(&training, &held, 1, ALARM_LEVEL).unwrap();
    let data = "Gaussian".to_owned();
    let baseline = Baseline {
        data,
        alarm_level: ALARM_LEVEL,
        shift: None,
        level: Some(level),
        thresholds: None,
    };
    let faults: [(Quantity, f64, Fault); 7] = [
        (Quantity::Rms, 1.0, |x| x.iter_mut().for_each(|x| *x *= 4.0)),
        (Quantity::Rms, -1.0, |x| x.iter_mut().for_each(|x| *x *= 1e-3)),
        (Quantity::Offset, -1.0, |x| x.iter_mut().for_each(|x| *x -= 9.0)),
        (Quantity::Clipped, 1.0, |x| x.iter_mut().for_each(|x| *x = x.clamp(-0.8, 0.8))),
        (Quantity::Stuck, 1.0, |x| x.iter_mut().step_by(4).for_each(|x| *x = 0.0)),
        (Quantity::Peak, 1.0, |x| x[9] = 60.0),
        (Quantity::Frequency, -1.0, |x| (1..x.len()).for_each(|i| x[i] += 0.7 * x[i - 1])),
    ];
    let (mut right, mut trials) = (0, 0);
    for _ in 0..50 {
        for (what, sign, fault) in &faults {
            for channel in [0, 1] {
                let mut channels = [source.window(1.0), source.window(3.0)];
                fault(&mut channels[channel]);
                let levels = Level::of_channels(&two_channels(&channels.concat()));
                assert!(baseline.judge_level(&levels, 0).unwrap().alarm, "{what:?}, {channel}");
                let first = baseline.level_causes(&levels, 0)[0];
                let is_right = (first.what, first.channel) == (*what, channel);
                right += usize::from(is_right && first.z * sign > 3.0);
                trials += 1;
            }
        }
    }
    assert!(right * 100 >= 97 * trials, "{right} of {trials}");
}
