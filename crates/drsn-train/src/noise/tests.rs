//! Noise of every kind against its definition.

use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

use super::*;
use crate::random::{Purpose, stream};

const KINDS: [NoiseKind; 4] =
    [NoiseKind::Uniform, NoiseKind::Gaussian, NoiseKind::Laplacian, NoiseKind::Pink];

/// What `noise` adds to `signal`, `[channels, samples]`.
fn added(noise: &Noise, signal: &Array2<f32>, seed: u64) -> Array2<f32> {
    let mut values = signal.clone();
    add(noise, values.view_mut(), &mut stream(seed, Purpose::Evaluation, 0, 0));
    values - signal
}

fn sine(length: usize, amplitude: f32) -> Array2<f32> {
    Array2::from_shape_fn((1, length), |(_, t)| 7.0 + amplitude * (t as f32 * 0.37).sin())
}

#[test]
fn noise_lies_within_its_amplitude_and_has_its_mean() {
    let mut values = Array1::zeros(10_000);
    add_uniform(values.view_mut(), 0.5, &mut stream(1, Purpose::Evaluation, 0, 0));
    assert!(values.iter().all(|v| (0.0..0.5).contains(v)));
    let mean = values.sum() / 10_000.0;
    assert!((mean - 0.25).abs() < 0.01, "{mean}");
}

#[test]
fn uniform_noise_of_an_amplitude_draws_what_it_always_drew() {
    let noise = Noise { kind: NoiseKind::Uniform, strength: NoiseStrength::Amplitude(0.5) };
    let mut values = Array1::from_elem(64, 0.25);
    add_uniform(values.view_mut(), 0.5, &mut stream(4, Purpose::Evaluation, 0, 9));
    let mut others = Array2::from_elem((2, 32), 0.25);
    add(&noise, others.view_mut(), &mut stream(4, Purpose::Evaluation, 0, 9));
    assert!(values.iter().eq(&others));
}

#[test]
fn the_measured_ratio_is_the_one_that_was_asked_for() {
    let signal = sine(200_000, 3.0);
    for kind in KINDS {
        for decibels in [-10.0, 0.0, 20.0] {
            let noise = Noise { kind, strength: NoiseStrength::SnrDb(decibels) };
            let added = added(&noise, &signal, 3);
            let measured = 10.0 * (variance(&signal.row(0)) / variance(&added.row(0))).log10();
            assert!((measured - decibels).abs() < 0.1, "{noise}: {measured}");
        }
    }
}

#[test]
fn each_channel_is_measured_by_itself() {
    let mut signal = sine(50_000, 1.0);
    signal.append(Axis(0), sine(50_000, 100.0).view()).unwrap();
    for kind in KINDS {
        let noise = Noise { kind, strength: NoiseStrength::SnrDb(0.0) };
        let added = added(&noise, &signal, 3);
        let ratio = (variance(&added.row(1)) / variance(&added.row(0))).log10();
        assert!((ratio - 4.0).abs() < 0.05, "{kind}: {ratio}");
    }
}

#[test]
fn an_amplitude_is_the_deviation_and_the_mean_is_zero() {
    for kind in [NoiseKind::Gaussian, NoiseKind::Laplacian, NoiseKind::Pink] {
        let noise = Noise { kind, strength: NoiseStrength::Amplitude(2.0) };
        let added = added(&noise, &Array2::zeros((1, 200_000)), 5);
        let mean = added.sum() / 200_000.0;
        assert!(mean.abs() < 0.02, "{kind}: {mean}");
        assert!((variance(&added.row(0)).sqrt() - 2.0).abs() < 0.02, "{kind}");
    }
}

#[test]
fn the_kurtosis_tells_the_distributions_apart() {
    let expected =
        [(NoiseKind::Uniform, 1.8), (NoiseKind::Gaussian, 3.0), (NoiseKind::Laplacian, 6.0)];
    for (kind, kurtosis) in expected {
        let noise = Noise { kind, strength: NoiseStrength::Amplitude(1.0) };
        let added = added(&noise, &Array2::zeros((1, 400_000)), 6);
        let mean = added.iter().map(|&x| f64::from(x)).sum::<f64>() / 400_000.0;
        let fourth = added.iter().map(|&x| (f64::from(x) - mean).powi(4)).sum::<f64>() / 400_000.0;
        let measured = fourth / variance(&added.row(0)).powi(2);
        assert!((measured / kurtosis - 1.0).abs() < 0.05, "{kind}: {measured}");
    }
}

#[test]
fn a_dead_channel_stays_dead_and_an_empty_input_empty() {
    for kind in KINDS {
        let noise = Noise { kind, strength: NoiseStrength::SnrDb(-5.0) };
        assert_eq!(
            added(&noise, &Array2::from_elem((1, 100), 3.0), 1),
            Array2::<f32>::zeros((1, 100))
        );
        assert!(added(&noise, &Array2::zeros((1, 0)), 1).is_empty());
    }
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_noise(
        seed: u64, decibels in -30.0..30.0_f64, kind in 0..4_usize
    ) {
        let noise = Noise { kind: KINDS[kind], strength: NoiseStrength::SnrDb(decibels) };
        let signal = sine(64, 1.0);
        let first = added(&noise, &signal, seed);
        prop_assert!(first.iter().all(|x| x.is_finite()));
        prop_assert_eq!(&first, &added(&noise, &signal, seed));
        prop_assert_ne!(&first, &added(&noise, &signal, seed.wrapping_add(1)));
    }
}
