//! The input shift on data whose distribution is known.

use drsn_bundle::baseline::{
    ALARM_LEVEL, ShiftAccumulator, ShiftBaseline, ShiftLengths, ShiftSample, ShiftVectors,
};
use proptest::prelude::*;

use crate::source::{DIMENSIONS, Source, fit, magnitudes, vectors};

#[test]
fn unchanged_inputs_have_uniform_p_values_and_alarm_at_the_level() {
    let mut source = Source::new(1);
    let baseline = fit(&vectors(&mut source, 5000, 0.0), &vectors(&mut source, 4000, 0.0));
    let mut p_values: Vec<f64> = vectors(&mut source, 10_000, 0.0)
        .iter()
        .map(|v| baseline.p_value(baseline.score(&magnitudes(v)).unwrap()))
        .collect();
    p_values.sort_by(f64::total_cmp);
    // Kolmogorov and Smirnov: 1.63 · sqrt(1/4000 + 1/10000) is exceeded once in a hundred.
    let furthest = p_values
        .iter()
        .enumerate()
        .fold(0.0_f64, |furthest, (rank, p)| furthest.max((p - rank as f64 / 10_000.0).abs()));
    assert!(furthest < 0.0305, "{furthest}");
    let rate = p_values.iter().filter(|&&p| p < ALARM_LEVEL).count() as f64 / 10_000.0;
    // Three standard deviations, of the held-out sample and of this one.
    assert!((rate - ALARM_LEVEL).abs() < 0.006, "{rate}");
}

#[test]
fn shifted_inputs_are_nearly_always_farther_than_unchanged_ones() {
    let mut source = Source::new(2);
    let baseline = fit(&vectors(&mut source, 3000, 0.0), &vectors(&mut source, 1000, 0.0));
    let mut scores = |shift| -> Vec<f64> {
        vectors(&mut source, 1000, shift)
            .iter()
            .map(|v| baseline.score(&magnitudes(v)).unwrap())
            .collect()
    };
    let (same, shifted) = (scores(0.0), scores(4.0));
    let wins: usize =
        shifted.iter().map(|far| same.iter().filter(|&&near| near < *far).count()).sum();
    let auroc = wins as f64 / 1e6;
    assert!(auroc > 0.999, "{auroc}");
    let far = baseline.score(&magnitudes(&[1e4; DIMENSIONS])).unwrap();
    assert!((baseline.p_value(far) - 1.0 / 1001.0).abs() < 1e-12);
}

#[test]
fn a_constant_channel_may_change_a_little() {
    let mut source = Source::new(3);
    let baseline = fit(&vectors(&mut source, 3000, 0.0), &vectors(&mut source, 1000, 0.0));
    let mut vector = source.vector(0.0);
    let before = baseline.score(&magnitudes(&vector)).unwrap();
    vector[DIMENSIONS - 1] += 1e-3;
    assert!((baseline.score(&magnitudes(&vector)).unwrap() - before).abs() < 1.0);
}

#[test]
fn unsuitable_data_is_rejected_in_a_sentence() {
    assert!(ShiftAccumulator::new(0, 1).is_err());
    assert!(ShiftAccumulator::new(5000, 1).is_err());
    let mut sums = ShiftAccumulator::new(2, 1).unwrap();
    assert!(sums.distance().unwrap_err().to_string().contains("two training inputs"));
    for _ in 0..10 {
        sums.add(&[1.1, 2.3], 0).unwrap();
    }
    assert!(sums.distance().unwrap_err().to_string().contains("all alike"));
    let mut source = Source::new(4);
    for vector in vectors(&mut source, 50, 0.0) {
        sums.add(&vector[..2], 0).unwrap();
    }
    let distance = sums.distance().unwrap();
    assert!(distance.squared(&[1.0]).is_err());
    assert!(distance.squared(&[f32::NAN, 1.0]).is_err());
    let lengths = ShiftLengths { channels: 2, ..ShiftLengths::default() };
    let mut sample = ShiftSample::new(lengths, 1);
    for vector in vectors(&mut source, 50, 0.0) {
        sample.add(&magnitudes(&vector[..2]), 0).unwrap();
    }
    let distances = sample.distances().unwrap();
    let error = distances.baseline(&[1.0; 99], ALARM_LEVEL).unwrap_err().to_string();
    assert!(error.contains("at least 100 held-out inputs"), "{error}");
}

/// Four vectors of two classes each: magnitudes, features, statistics of the input and spectrum.
fn in_classes(source: &mut Source, count: usize) -> Vec<([Vec<f32>; 4], usize)> {
    let one = |index: usize, source: &mut Source| {
        let class = index % 2;
        let mut vectors = [(); 4].map(|()| source.vector(0.0));
        for vector in &mut vectors[1..] {
            vector[0] += 3.0 * class as f32;
        }
        (vectors, class)
    };
    (0..count).map(|index| one(index, source)).collect()
}

fn all_of([mean_abs, features, input, spectrum]: &[Vec<f32>; 4]) -> ShiftVectors<'_> {
    ShiftVectors { mean_abs, features, input, spectrum }
}

fn fit_classes(source: &mut Source) -> ShiftBaseline {
    let [channels, features, statistics, bands] = [DIMENSIONS; 4];
    let lengths = ShiftLengths { channels, features, statistics, bands };
    let mut sample = ShiftSample::new(lengths, 2);
    for (vectors, class) in in_classes(source, 20_000) {
        sample.add(&all_of(&vectors), class).unwrap();
    }
    let distances = sample.distances().unwrap();
    let held_out = in_classes(source, 2_000);
    let scores: Vec<f64> =
        held_out.iter().map(|(vectors, _)| distances.score(&all_of(vectors)).unwrap()).collect();
    distances.baseline(&scores, ALARM_LEVEL).unwrap()
}

#[test]
fn the_largest_of_four_distances_alarms_at_the_level() {
    let mut source = Source::new(5);
    let baseline = fit_classes(&mut source);
    let new = in_classes(&mut source, 10_000);
    let alarms = new.iter().filter(|(vectors, _)| {
        baseline.p_value(baseline.score(&all_of(vectors)).unwrap()) < ALARM_LEVEL
    });
    let rate = alarms.count() as f64 / 10_000.0;
    // Three standard deviations, of the held-out sample and of this one.
    assert!((rate - ALARM_LEVEL).abs() < 0.0075, "{rate}");
}

#[test]
fn a_change_of_any_of_the_four_is_seen_though_the_others_are_usual() {
    let mut source = Source::new(6);
    let baseline = fit_classes(&mut source);
    for changed in 0..4 {
        let (mut vectors, _) = in_classes(&mut source, 1).remove(0);
        vectors[changed][1] *= 3.0;
        let score = baseline.score(&all_of(&vectors)).unwrap();
        assert!(baseline.p_value(score) < ALARM_LEVEL, "{changed}: {score}");
    }
}

/// Bundles of format 1 have the first distance only, without a scale.
#[test]
fn an_old_baseline_gives_the_squared_distance() {
    let mut source = Source::new(7);
    let mut baseline = fit(&vectors(&mut source, 500, 0.0), &vectors(&mut source, 200, 0.0));
    let distance = baseline.distance.as_mut().unwrap();
    distance.limit = 1.0;
    let mut json = serde_json::to_value(&baseline).unwrap();
    let fields = json["distance"].as_object_mut().unwrap();
    fields.remove("limit");
    let old: ShiftBaseline = serde_json::from_value(json).unwrap();
    assert_eq!(old, baseline);
    let vector = source.vector(0.0);
    let squared = old.distance.as_ref().unwrap().squared(&vector).unwrap();
    assert!((old.score(&magnitudes(&vector)).unwrap() - squared).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// With copies of a channel, or more channels than inputs, the covariance has no inverse.
    #[test]
    fn degenerate_data_gives_finite_distances(seed in 0_u64..1000, copies in 1_usize..20, count in 5_usize..40) {
        let mut source = Source::new(seed);
        let wide = |vector: &Vec<f32>| vector.iter().copied().cycle().take(copies * vector.len()).collect();
        let all: Vec<Vec<f32>> = vectors(&mut source, count + 100, 0.0).iter().map(wide).collect();
        let baseline = fit(&all[..count], &all[count..]);
        prop_assert!(baseline.held_out.values.iter().all(|d| d.is_finite() && *d >= 0.0));
    }

    /// Other units and offsets of the channels have no effect; mixing channels has little.
    #[test]
    fn the_distance_does_not_depend_on_units(
        seed in 0_u64..1000,
        gains in prop::collection::vec(0.3_f32..3.0, DIMENSIONS),
        offset in -10.0_f32..10.0,
    ) {
        let mut source = Source::new(seed);
        let (training, held_out) = (vectors(&mut source, 400, 0.0), vectors(&mut source, 100, 0.0));
        // The variance of the constant channel is the floor, which does not scale with it.
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
                let (a, b) = (plain.score(&magnitudes(vector)).unwrap(), other.score(&magnitudes(&of(vector))).unwrap());
                prop_assert!((a - b).abs() <= tolerance * (1.0 + a), "{a} {b}");
            }
        }
    }
}
