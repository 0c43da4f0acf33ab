//! Noise that is added to raw inputs, before they are prepared for the network.

use rand::{Rng, RngExt as _};

/// Adds `amplitude · U(0, 1)` to each value, drawn independently.
pub fn add_uniform(values: &mut [f32], amplitude: f32, rng: &mut impl Rng) {
    for value in values {
        *value += amplitude * rng.random::<f32>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn noise_lies_within_its_amplitude_and_has_its_mean() {
        let mut values = vec![0.0; 10_000];
        add_uniform(&mut values, 0.5, &mut stream(1, Purpose::Evaluation, 0, 0));
        assert!(values.iter().all(|v| (0.0..0.5).contains(v)));
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!((mean - 0.25).abs() < 0.01, "{mean}");
    }
}
