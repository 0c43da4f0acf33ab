//! The named causes of alarms, on faults whose cause is known.

use std::{fs, path::Path};

use drsn_bundle::{
    Baseline, Manifest,
    baseline::{ALARM_LEVEL, Level, LevelBaseline, Quantity},
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
            let causes = baseline.shift_causes(&input);
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
    let [cause] = baseline.shift_causes(&input)[..] else { panic!("one channel has moved") };
    assert!(cause.dimension == 7 && (cause.share - 1.0).abs() < 1e-6 && cause.z > 0.0, "{cause:?}");
    assert_eq!(baseline.shift_causes(&input[1..]), []);
}

/// A change of a raw signal.
type Fault = fn(&mut [f32]);

#[test]
fn the_cause_of_an_unusual_level_is_named_in_the_channel_that_has_it() {
    let mut source = Source::new(21);
    let (training, held) = (levels(&mut source, 1000, 1.0), levels(&mut source, 500, 1.0));
    let level = LevelBaseline::new(&training, &held, 1, ALARM_LEVEL).unwrap();
    let data = "Gaussian".to_owned();
    let baseline = Baseline { data, alarm_level: ALARM_LEVEL, shift: None, level: Some(level) };
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
