//! How often intervals cover the truth, in simulated data sets of few files.

use rand::{RngExt as _, rngs::ChaCha8Rng};
use rand_distr::{Beta, Binomial, Distribution as _};

use super::*;
use crate::random::{Purpose, stream};

/// Data sets of a simulation.
const SETS: usize = 200;

/// How the accuracies of files are distributed.
#[derive(Debug, Clone, Copy)]
enum Files {
    /// Beta, with this mean and correlation.
    Beta(f64, f64),
    /// Uniform between 60 and 100 %.
    Uniform,
    /// Four of five are at 95 %, the others at 60 %.
    TwoKinds,
}

impl Files {
    fn truth(self) -> f64 {
        match self {
            Self::Beta(mean, _) => mean,
            Self::Uniform => 0.8,
            Self::TwoKinds => 0.8 * 0.95 + 0.2 * 0.6,
        }
    }

    /// Correct and all inputs of files with 40 to 400 windows each.
    fn draw(self, files: usize, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
        let file = |_| {
            let accuracy = match self {
                Self::Beta(mean, correlation) => {
                    let strength = 1.0 / correlation - 1.0;
                    Beta::new(mean * strength, (1.0 - mean) * strength).unwrap().sample(rng)
                }
                Self::Uniform => rng.random_range(0.6..1.0),
                Self::TwoKinds => [0.95, 0.6][usize::from(rng.random_bool(0.2))],
            };
            let inputs: u64 = rng.random_range(40..=400);
            let right = Binomial::new(inputs, accuracy).unwrap().sample(rng);
            (right as usize, inputs as usize)
        };
        (0..files).map(file).collect()
    }
}

/// Kinds of test sets, from files that are nearly alike to very different ones.
const KINDS: [Files; 8] = [
    Files::Beta(0.7, 0.1),
    Files::Beta(0.85, 0.05),
    Files::Beta(0.85, 0.2),
    Files::Beta(0.9, 0.1),
    Files::Beta(0.95, 0.05),
    Files::Beta(0.97, 0.02),
    Files::Uniform,
    Files::TwoKinds,
];

/// Share of data sets whose interval covers the truth.
fn coverage(
    kinds: &[Files],
    files: usize,
    interval: impl Fn(&[(usize, usize)]) -> [f64; 2],
) -> f64 {
    let mut rng = stream(4, Purpose::Evaluation, files as u64, 0);
    let covers = |set: usize| {
        let kind = kinds[set % kinds.len()];
        let [low, high] = interval(&kind.draw(files, &mut rng));
        (low..=high).contains(&kind.truth())
    };
    (0..SETS).map(covers).filter(|covers| *covers).count() as f64 / SETS as f64
}

/// 2.5 and 97.5 % quantiles of the accuracy of files drawn again and again, as is usual.
fn percentile_bootstrap(files: &[(usize, usize)]) -> [f64; 2] {
    let mut rng = stream(7, Purpose::Evaluation, 0, 0);
    let mut draw = |_| {
        let drawn = files.iter().map(|_| files[rng.random_range(0..files.len())]);
        let (right, inputs) = drawn.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        right as f64 / inputs as f64
    };
    let mut shares: Vec<f64> = (0..1_000).map(&mut draw).collect();
    shares.sort_by(f64::total_cmp);
    [shares[25], shares[974]]
}

fn by_files(files: &[(usize, usize)]) -> [f64; 2] {
    interval(IndependentUnit::Files, files).unwrap()
}

#[test]
fn the_interval_over_four_files_covers_the_truth_in_95_of_100_cases() {
    let covered = coverage(&KINDS, 4, by_files);
    eprintln!("four files, all kinds: {covered}");
    assert!((0.92..=0.98).contains(&covered), "{covered}");
    for kind in KINDS {
        let covered = coverage(&[kind], 4, by_files);
        eprintln!("four files, {kind:?}: {covered}");
        assert!(covered >= 0.89, "{kind:?}: {covered}");
    }
    // A kind of file that is rare may be missing among eight.
    for files in [2, 8] {
        let covered = coverage(&KINDS[..7], files, by_files);
        eprintln!("{files} files: {covered}");
        assert!((0.91..=0.99).contains(&covered), "{files} files: {covered}");
    }
}

/// Why it is neither resampled, nor Wilson's of all windows.
#[test]
fn the_usual_intervals_over_four_files_cover_the_truth_far_too_rarely() {
    let resampled = coverage(&KINDS, 4, percentile_bootstrap);
    let pooled = coverage(&KINDS, 4, |files| interval(IndependentUnit::Inputs, files).unwrap());
    eprintln!("percentile bootstrap: {resampled}; windows as independent: {pooled}");
    assert!(resampled < 0.85 && pooled < 0.6, "{resampled} {pooled}");
}

#[test]
fn one_file_or_group_has_no_interval() {
    for unit in [IndependentUnit::Files, IndependentUnit::Groups, IndependentUnit::Inputs] {
        assert_eq!(interval(unit, &[(9, 10)]), None);
        assert_eq!(interval(unit, &[]), None);
    }
}

#[test]
fn files_without_an_error_leave_doubt_and_many_alike_remove_it() {
    let [low, high] = by_files(&[(400, 400); 4]);
    assert!((0.7..0.97).contains(&low) && high == 1.0, "{low} {high}");
    let [low, high] = by_files(&[(95, 100); 200]);
    assert!(low > 0.93 && high < 0.97, "{low} {high}");
    // Files with one window each are inputs.
    let single: Vec<(usize, usize)> = (0..200).map(|i| (usize::from(i % 10 > 0), 1)).collect();
    let ([a, b], [c, d]) = (by_files(&single), wilson(180, 200));
    assert!((a - c).abs() < 0.01 && (b - d).abs() < 0.01, "{a} {b} {c} {d}");
}

#[test]
fn the_interval_of_wilson_stays_within_bounds_at_both_ends() {
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
    let [low, high] = wilson(0, 10);
    assert!(close(low, 0.0) && close(high, 0.277_532_799_862_889_26));
    assert!(close(wilson(0, 0)[0], 0.0) && close(wilson(0, 0)[1], 1.0));
    assert!(wilson(10_000, 10_000)[1] <= 1.0);
}
