//! The input level on data whose distribution is known.

use drsn_bundle::{
    Baseline,
    baseline::{ALARM_LEVEL, BaselineError, ClassLevels, Level, LevelBaseline},
};

use crate::source::{Source, levels, two_channels};

#[test]
fn unchanged_levels_alarm_at_the_level_even_with_few_windows() {
    for (seed, held_out) in [(5, 150), (6, 500), (7, 2000)] {
        let mut source = Source::new(seed);
        let (training, held) = (levels(&mut source, 1000, 1.0), levels(&mut source, held_out, 1.0));
        let baseline = LevelBaseline::new(&training, &held, 1, ALARM_LEVEL).unwrap();
        let fresh = levels(&mut source, 3000, 1.0);
        let alarms = fresh
            .iter()
            .filter(|l| baseline.p_value(&l.channels, l.class).unwrap() < ALARM_LEVEL)
            .count();
        // The standard deviation of the rate over held-out samples is about sqrt(0.01 / n).
        let bound = ALARM_LEVEL + 3.0 * (ALARM_LEVEL / held_out as f64).sqrt() + 0.005;
        assert!((alarms as f64) < 3000.0 * bound, "{held_out}: {alarms}");
    }
}

#[test]
fn a_doubled_gain_a_dead_a_clipped_and_an_offset_sensor_alarm() {
    let mut source = Source::new(8);
    let (training, held) = (levels(&mut source, 1000, 1.0), levels(&mut source, 500, 1.0));
    let level = LevelBaseline::new(&training, &held, 1, ALARM_LEVEL).unwrap();
    let baseline = Baseline {
        data: "Gaussian".to_owned(),
        alarm_level: ALARM_LEVEL,
        shift: None,
        level: Some(level),
        thresholds: None,
    };
    let (usual, other) = (source.window(1.0), source.window(3.0));
    let judged = |change: &dyn Fn(f32) -> f32| {
        let changed: Vec<f32> = usual.iter().map(|&x| change(x)).chain(other.clone()).collect();
        baseline.judge_level(&Level::of_channels(&two_channels(&changed)), 0).unwrap()
    };
    assert!(!judged(&|x| x).alarm);
    assert!(judged(&|x| 2.0 * x).alarm);
    assert!(judged(&|x| 1e-4 * x).alarm);
    assert!(judged(&|x| x.clamp(-0.8, 0.8)).clipped > 0.05);
    assert!(judged(&|x| x.clamp(-0.8, 0.8)).alarm);
    assert!(judged(&|x| x + 1.0).alarm);
    assert!(judged(&|_| 0.0).alarm);
    // The RMS of both channels together, of 1 and 3.
    assert!((judged(&|x| x).rms - 5_f64.sqrt()).abs() < 0.7);
}

/// A damaged bearing is louder than a healthy one. Limits of all classes together would accept a
/// doubled gain of the healthy one, as long as some class is as loud.
#[test]
fn a_level_is_compared_with_the_predicted_class() {
    let mut source = Source::new(10);
    let mut of = |count: usize| {
        let quiet = levels(&mut source, count, 1.0);
        let mut loud = levels(&mut source, count, 2.0);
        for input in &mut loud {
            input.class = 1;
        }
        [quiet, loud].concat()
    };
    let (training, held_out, fresh) = (of(500), of(300), of(300));
    let level = LevelBaseline::new(&training, &held_out, 3, ALARM_LEVEL).unwrap();
    let alarms = |class: usize, taken_for: usize| {
        let of_class = fresh.iter().filter(|input| input.class == class);
        of_class
            .filter(|input| level.p_value(&input.channels, taken_for).unwrap() < ALARM_LEVEL)
            .count()
    };
    assert!(alarms(0, 0) < 12 && alarms(1, 1) < 12, "{} {}", alarms(0, 0), alarms(1, 1));
    assert!(alarms(1, 0) > 280 && alarms(0, 1) > 280, "{} {}", alarms(1, 0), alarms(0, 1));
    // No training input has the third class: it has the limits of all. There is no fourth.
    assert!(alarms(0, 2) + alarms(1, 2) < 24);
    assert_eq!(level.p_value(&fresh[0].channels, 3), None);
    let stranger = ClassLevels { class: 3, ..training[0].clone() };
    assert_eq!(
        LevelBaseline::new(&training, &[stranger], 3, ALARM_LEVEL),
        Err(BaselineError::Class { class: 3, classes: 3 })
    );
}
