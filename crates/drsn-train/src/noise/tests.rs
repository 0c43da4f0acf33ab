//! Noise of every kind against its definition.

use proptest::prelude::*;

use super::*;
use crate::random::{Purpose, stream};

const KINDS: [NoiseKind; 4] =
    [NoiseKind::Uniform, NoiseKind::Gaussian, NoiseKind::Laplacian, NoiseKind::Pink];

/// What `noise` adds to `signal`.
fn added(noise: &Noise, signal: &[f32], channels: usize, seed: u64) -> Vec<f32> {
    let mut values = signal.to_vec();
    add(noise, &mut values, channels, &mut stream(seed, Purpose::Evaluation, 0, 0));
    values.iter().zip(signal).map(|(a, b)| a - b).collect()
}

fn sine(length: usize, amplitude: f32) -> Vec<f32> {
    (0..length).map(|t| 7.0 + amplitude * (t as f32 * 0.37).sin()).collect()
}

#[test]
fn noise_lies_within_its_amplitude_and_has_its_mean() {
    let mut values = vec![0.0; 10_000];
    add_uniform(&mut values, 0.5, &mut stream(1, Purpose::Evaluation, 0, 0));
    assert!(values.iter().all(|v| (0.0..0.5).contains(v)));
    let mean = values.iter().sum::<f32>() / 10_000.0;
    assert!((mean - 0.25).abs() < 0.01, "{mean}");
}

#[test]
fn uniform_noise_of_an_amplitude_draws_what_it_always_drew() {
    let noise = Noise { kind: NoiseKind::Uniform, strength: NoiseStrength::Amplitude(0.5) };
    let mut values = vec![0.25; 64];
    add_uniform(&mut values, 0.5, &mut stream(4, Purpose::Evaluation, 0, 9));
    let mut others = vec![0.25; 64];
    add(&noise, &mut others, 2, &mut stream(4, Purpose::Evaluation, 0, 9));
    assert_eq!(values, others);
}

#[test]
fn the_measured_ratio_is_the_one_that_was_asked_for() {
    let signal = sine(200_000, 3.0);
    for kind in KINDS {
        for decibels in [-10.0, 0.0, 20.0] {
            let noise = Noise { kind, strength: NoiseStrength::SnrDb(decibels) };
            let measured =
                10.0 * (variance(&signal) / variance(&added(&noise, &signal, 1, 3))).log10();
            assert!((measured - decibels).abs() < 0.1, "{noise}: {measured}");
        }
    }
}

#[test]
fn each_channel_is_measured_by_itself() {
    let signal = [sine(50_000, 1.0), sine(50_000, 100.0)].concat();
    for kind in KINDS {
        let noise = Noise { kind, strength: NoiseStrength::SnrDb(0.0) };
        let added = added(&noise, &signal, 2, 3);
        let ratio = (variance(&added[50_000..]) / variance(&added[..50_000])).log10();
        assert!((ratio - 4.0).abs() < 0.05, "{kind}: {ratio}");
    }
}

#[test]
fn an_amplitude_is_the_deviation_and_the_mean_is_zero() {
    for kind in [NoiseKind::Gaussian, NoiseKind::Laplacian, NoiseKind::Pink] {
        let noise = Noise { kind, strength: NoiseStrength::Amplitude(2.0) };
        let added = added(&noise, &vec![0.0; 200_000], 1, 5);
        let mean = added.iter().sum::<f32>() / 200_000.0;
        assert!(mean.abs() < 0.02, "{kind}: {mean}");
        assert!((variance(&added).sqrt() - 2.0).abs() < 0.02, "{kind}");
    }
}

#[test]
fn the_kurtosis_tells_the_distributions_apart() {
    let expected =
        [(NoiseKind::Uniform, 1.8), (NoiseKind::Gaussian, 3.0), (NoiseKind::Laplacian, 6.0)];
    for (kind, kurtosis) in expected {
        let noise = Noise { kind, strength: NoiseStrength::Amplitude(1.0) };
        let added = added(&noise, &vec![0.0; 400_000], 1, 6);
        let mean = added.iter().map(|&x| f64::from(x)).sum::<f64>() / 400_000.0;
        let fourth = added.iter().map(|&x| (f64::from(x) - mean).powi(4)).sum::<f64>() / 400_000.0;
        let measured = fourth / variance(&added).powi(2);
        assert!((measured / kurtosis - 1.0).abs() < 0.05, "{kind}: {measured}");
    }
}

#[test]
fn a_dead_channel_stays_dead_and_an_empty_input_empty() {
    for kind in KINDS {
        let noise = Noise { kind, strength: NoiseStrength::SnrDb(-5.0) };
        assert_eq!(added(&noise, &[3.0; 100], 1, 1), [0.0; 100]);
        assert!(added(&noise, &[], 1, 1).is_empty());
    }
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_noise(seed: u64, decibels in -30.0..30.0_f64, kind in 0..4_usize) {
        let noise = Noise { kind: KINDS[kind], strength: NoiseStrength::SnrDb(decibels) };
        let signal = sine(64, 1.0);
        let first = added(&noise, &signal, 1, seed);
        prop_assert!(first.iter().all(|x| x.is_finite()));
        prop_assert_eq!(&first, &added(&noise, &signal, 1, seed));
        prop_assert_ne!(&first, &added(&noise, &signal, 1, seed.wrapping_add(1)));
    }
}
