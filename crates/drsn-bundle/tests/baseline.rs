//! Baselines on data whose distribution is known, and in a manifest.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/tiny.rs"]
#[expect(dead_code, reason = "other tests run the network, this one only needs its manifest")]
mod tiny;

use std::f64::consts::TAU;

use drsn_bundle::{
    Baseline, Manifest,
    baseline::{
        ALARM_LEVEL, BaselineError, ClassLevels, Level, LevelBaseline, ShiftAccumulator,
        ShiftBaseline,
    },
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

const DIMENSIONS: usize = 6;

/// Vectors of correlated Gaussian numbers of very different sizes; the last dimension never changes.
struct Source(StdRng);

impl Source {
    fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Box–Muller.
    fn gaussian(&mut self) -> f64 {
        let (a, b): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos()
    }

    fn vector(&mut self, shift: f64) -> Vec<f32> {
        let common = self.gaussian();
        let mut vector: Vec<f32> = (1..DIMENSIONS)
            .map(|i| {
                let size = 10_f64.powf((i as f64 - 3.0) / 2.0);
                (size * (5.0 + 0.8 * common + 0.6 * self.gaussian() + shift * (i % 2) as f64))
                    as f32
            })
            .collect();
        vector.push(0.25);
        vector
    }

    fn window(&mut self, gain: f64) -> Vec<f32> {
        let own = 1.0 + 0.1 * self.gaussian();
        (0..256).map(|_| (gain * own * self.gaussian()) as f32).collect()
    }
}

fn fit(training: &[Vec<f32>], held_out: &[Vec<f32>]) -> ShiftBaseline {
    let mut sums = ShiftAccumulator::new(training[0].len()).unwrap();
    for vector in training {
        sums.add(vector).unwrap();
    }
    let distance = sums.distance().unwrap();
    let scores: Vec<f64> = held_out.iter().map(|v| distance.score(v).unwrap()).collect();
    ShiftBaseline::new(distance, &scores, ALARM_LEVEL).unwrap()
}

fn vectors(source: &mut Source, count: usize, shift: f64) -> Vec<Vec<f32>> {
    (0..count).map(|_| source.vector(shift)).collect()
}

fn baseline_of(shift: ShiftBaseline) -> Baseline {
    Baseline {
        data: "Gaussian".to_owned(),
        alarm_level: ALARM_LEVEL,
        shift: Some(shift),
        level: None,
    }
}

#[test]
fn unchanged_inputs_have_uniform_p_values_and_alarm_at_the_level() {
    let mut source = Source::new(1);
    let baseline = fit(&vectors(&mut source, 5000, 0.0), &vectors(&mut source, 4000, 0.0));
    let mut p_values: Vec<f64> = vectors(&mut source, 10_000, 0.0)
        .iter()
        .map(|v| baseline.p_value(baseline.score(v).unwrap()))
        .collect();
    p_values.sort_by(f64::total_cmp);
    // Kolmogorov and Smirnov: 1.63 · sqrt(1/4000 + 1/10000) is exceeded once in a hundred.
    let furthest = p_values
        .iter()
        .enumerate()
        .fold(0.0_f64, |furthest, (rank, p)| furthest.max((p - rank as f64 / 10_000.0).abs()));
    assert!(furthest < 0.0305, "{furthest}");
    let rate = p_values.iter().filter(|&&p| p < ALARM_LEVEL).count() as f64 / 10_000.0;
    // Three deviations, of the held-out sample and of this one.
    assert!((rate - ALARM_LEVEL).abs() < 0.006, "{rate}");
}

#[test]
fn shifted_inputs_lie_farther_than_unchanged_ones_nearly_always() {
    let mut source = Source::new(2);
    let baseline = fit(&vectors(&mut source, 3000, 0.0), &vectors(&mut source, 1000, 0.0));
    let mut scores = |shift| -> Vec<f64> {
        vectors(&mut source, 1000, shift).iter().map(|v| baseline.score(v).unwrap()).collect()
    };
    let (same, shifted) = (scores(0.0), scores(4.0));
    let wins: usize =
        shifted.iter().map(|far| same.iter().filter(|&&near| near < *far).count()).sum();
    let auroc = wins as f64 / 1e6;
    assert!(auroc > 0.999, "{auroc}");
    let far = baseline.score(&[1e4; DIMENSIONS]).unwrap();
    assert!((baseline.p_value(far) - 1.0 / 1001.0).abs() < 1e-12);
}

#[test]
fn a_channel_that_never_changed_may_move_a_little() {
    let mut source = Source::new(3);
    let baseline = fit(&vectors(&mut source, 3000, 0.0), &vectors(&mut source, 1000, 0.0));
    let mut vector = source.vector(0.0);
    let before = baseline.score(&vector).unwrap();
    vector[DIMENSIONS - 1] += 1e-3;
    assert!((baseline.score(&vector).unwrap() - before).abs() < 1.0);
}

#[test]
fn what_cannot_be_a_baseline_is_refused_in_a_sentence() {
    assert!(ShiftAccumulator::new(0).is_err());
    assert!(ShiftAccumulator::new(5000).is_err());
    let mut sums = ShiftAccumulator::new(2).unwrap();
    assert!(sums.distance().unwrap_err().to_string().contains("two training inputs"));
    for _ in 0..10 {
        sums.add(&[1.1, 2.3]).unwrap();
    }
    assert!(sums.distance().unwrap_err().to_string().contains("all alike"));
    let mut source = Source::new(4);
    for vector in vectors(&mut source, 50, 0.0) {
        sums.add(&vector[..2]).unwrap();
    }
    let distance = sums.distance().unwrap();
    assert!(distance.score(&[1.0]).is_err());
    assert!(distance.score(&[f32::NAN, 1.0]).is_err());
    let error = ShiftBaseline::new(distance, &[1.0; 99], ALARM_LEVEL).unwrap_err().to_string();
    assert!(error.contains("at least 100 inputs"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Copies of a channel, and more channels than inputs, leave the covariance without an inverse.
    #[test]
    fn degenerate_data_gives_finite_distances(seed in 0_u64..1000, copies in 1_usize..20, count in 5_usize..40) {
        let mut source = Source::new(seed);
        let wide = |vector: &Vec<f32>| vector.iter().copied().cycle().take(copies * vector.len()).collect();
        let all: Vec<Vec<f32>> = vectors(&mut source, count + 100, 0.0).iter().map(wide).collect();
        let baseline = fit(&all[..count], &all[count..]);
        prop_assert!(baseline.held_out.values.iter().all(|d| d.is_finite() && *d >= 0.0));
    }

    /// Another unit and another zero for each channel change nothing; a mixture of channels little.
    #[test]
    fn the_distance_does_not_depend_on_units(
        seed in 0_u64..1000,
        gains in prop::collection::vec(0.3_f32..3.0, DIMENSIONS),
        offset in -10.0_f32..10.0,
    ) {
        let mut source = Source::new(seed);
        let (training, held_out) = (vectors(&mut source, 400, 0.0), vectors(&mut source, 100, 0.0));
        // The channel that never changes has the floor of the variance, which is not its own: it stays as it is.
        let units = |vector: &Vec<f32>| -> Vec<f32> {
            let last = vector.len() - 1;
            let scaled = vector[..last].iter().zip(&gains).map(|(x, gain)| (x + offset) * gain);
            scaled.chain([vector[last]]).collect()
        };
        let mixed = |vector: &Vec<f32>| -> Vec<f32> {
            let first = vector[0] * 10.0 + vector[1];
            std::iter::once(first).chain(vector[1..].iter().copied()).collect()
        };
        let plain = fit(&training, &held_out);
        let map = |of: &dyn Fn(&Vec<f32>) -> Vec<f32>, all: &[Vec<f32>]| all.iter().map(of).collect::<Vec<_>>();
        for (of, tolerance) in [(&units as &dyn Fn(&Vec<f32>) -> Vec<f32>, 0.01), (&mixed, 0.1)] {
            let other = fit(&map(of, &training), &map(of, &held_out));
            for vector in &held_out {
                let (a, b) = (plain.score(vector).unwrap(), other.score(&of(vector)).unwrap());
                prop_assert!((a - b).abs() <= tolerance * (1.0 + a), "{a} {b}");
            }
        }
    }
}

fn levels(source: &mut Source, count: usize, gain: f64) -> Vec<ClassLevels> {
    (0..count)
        .map(|_| {
            let mut window = source.window(gain);
            window.extend(source.window(3.0));
            ClassLevels { class: 0, channels: Level::of_channels(&window, 2) }
        })
        .collect()
}

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
        // The rate over held-out samples has a deviation of sqrt(0.01 / n) about.
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
    };
    let (usual, other) = (source.window(1.0), source.window(3.0));
    let judged = |change: &dyn Fn(f32) -> f32| {
        let changed: Vec<f32> = usual.iter().map(|&x| change(x)).chain(other.clone()).collect();
        baseline.judge_level(&Level::of_channels(&changed, 2), 0).unwrap()
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

/// A damaged bearing is louder than a sound one. Limits of all classes together let a doubled gain of the sound one
/// pass, as long as some class was as loud.
#[test]
fn a_level_is_judged_by_the_class_that_the_input_was_taken_for() {
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
    // The third class was in no training input: it has the limits of all, and there is no fourth.
    assert!(alarms(0, 2) + alarms(1, 2) < 24);
    assert_eq!(level.p_value(&fresh[0].channels, 3), None);
    let stranger = ClassLevels { class: 3, ..training[0].clone() };
    assert_eq!(
        LevelBaseline::new(&training, &[stranger], 3, ALARM_LEVEL),
        Err(BaselineError::Class { class: 3, classes: 3 })
    );
}

fn manifest() -> Manifest {
    let mut source = Source::new(9);
    let two = |vectors: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
        vectors.into_iter().map(|v| v[..2].to_vec()).collect()
    };
    let shift = fit(&two(vectors(&mut source, 300, 0.0)), &two(vectors(&mut source, 120, 0.0)));
    let (training, held) = (levels(&mut source, 100, 1.0), levels(&mut source, 120, 1.0));
    let mut baseline = baseline_of(shift);
    baseline.level = Some(LevelBaseline::new(&training, &held, 2, ALARM_LEVEL).unwrap());
    let mut manifest = tiny::manifest("tiny", "1", tiny::signal_input(2));
    manifest.baseline = Some(baseline);
    manifest
}

#[test]
fn a_baseline_comes_out_of_json_as_it_went_in_and_an_old_manifest_has_none() {
    let manifest = manifest();
    let json = manifest.to_json().unwrap();
    assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    let mut old: serde_json::Value = serde_json::from_slice(&json).unwrap();
    old.as_object_mut().unwrap().remove("baseline");
    assert_eq!(Manifest::from_json(old.to_string().as_bytes()).unwrap().baseline, None);
}

#[test]
fn a_hostile_baseline_is_refused() {
    let sound = manifest();
    let refuse = |change: &dyn Fn(&mut Baseline), reason: &str| {
        let mut manifest = sound.clone();
        change(manifest.baseline.as_mut().unwrap());
        let json = manifest.to_json().unwrap();
        let error = Manifest::from_json(&json).map_err(|e| e.to_string()).unwrap_err();
        assert!(error.contains("its baseline") && error.contains(reason), "{reason}: {error}");
    };
    let shift = |change: &dyn Fn(&mut ShiftBaseline), reason: &str| {
        refuse(&|b| change(b.shift.as_mut().unwrap()), reason);
    };
    for alarm_level in [0.0, 1.0, -0.5, 7.0] {
        refuse(&|b| b.alarm_level = alarm_level, "between 0 and 1");
    }
    refuse(&|b| b.alarm_level = 0.001, "at least 1000 inputs");
    refuse(&|b| (b.shift, b.level) = (None, None), "neither");
    shift(&|s| s.distance.mean = vec![0.0; 3].into(), "the mean has 3 numbers");
    shift(&|s| s.distance.mean = vec![0.0, f32::NAN].into(), "finite");
    shift(&|s| s.distance.factor = vec![1.0; 2].into(), "must have 3 numbers");
    shift(&|s| s.distance.factor = vec![1.0, 0.0, 0.0].into(), "diagonal");
    shift(&|s| s.distance.factor = vec![1.0, f32::INFINITY, 1.0].into(), "finite");
    shift(&|s| s.distance.shrinkage = 1.5, "shrinkage");
    shift(&|s| s.held_out.count = 121, "121 held-out inputs have 120 values");
    shift(&|s| s.held_out.count = u64::MAX, "held-out inputs have 120 values");
    let values = |first: f32| -> Vec<f32> { std::iter::once(first).chain([5.0; 119]).collect() };
    shift(&|s| s.held_out.values = values(6.0).into(), "ascending");
    shift(&|s| s.held_out.values = values(f32::NAN).into(), "finite");
    shift(&|s| s.held_out.values = values(-1.0).into(), "negative");
    refuse(&|b| b.level.as_mut().unwrap().classes.truncate(1), "limits of 1 classes");
    refuse(&|b| b.level.as_mut().unwrap().classes[1].truncate(1), "limits of 1 channels");
    refuse(
        &|b| {
            let limits = &mut b.level.as_mut().unwrap().classes[1][0].offset;
            limits.low = limits.high;
        },
        "low < middle < high",
    );
    let mut image = tiny::manifest("tiny", "1", tiny::image_input());
    image.baseline = sound.baseline;
    let error = Manifest::from_json(&image.to_json().unwrap()).unwrap_err().to_string();
    assert!(error.contains("an image has no signal level"), "{error}");
    for text in ["\"no base64!\"", "\"AAAA\"", "7"] {
        let json = String::from_utf8(manifest().to_json().unwrap()).unwrap();
        let (before, after) = json.split_once("\"mean\": ").unwrap();
        let (_, after) = after.split_once(',').unwrap();
        let changed = format!("{before}\"mean\": {text},{after}");
        assert!(Manifest::from_json(changed.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_baseline_is_added_to_a_bundle_in_one_step() {
    let repository = tempfile::tempdir().unwrap();
    let with = manifest();
    let without = Manifest { baseline: None, ..with.clone() };
    let (model, golden) = (tiny::model(&without), tiny::golden(&without));
    let folder = drsn_bundle::write(repository.path(), without, &model, &golden, false).unwrap();
    drsn_bundle::update_manifest(&folder, |m| m.baseline.clone_from(&with.baseline)).unwrap();
    let bundle = drsn_bundle::Bundle::open(&folder).unwrap();
    assert_eq!(bundle.manifest.baseline, with.baseline);
    assert_eq!(bundle.model, model);

    let error = drsn_bundle::update_manifest(&folder, |m| m.classes.clear()).unwrap_err();
    assert!(error.to_string().contains("two classes"), "{error}");
    assert!(drsn_bundle::update_manifest(&folder, |m| m.classes[0] = "x".to_owned()).is_err());
    assert_eq!(drsn_bundle::Bundle::open(&folder).unwrap().manifest, bundle.manifest);
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, 3);
}
