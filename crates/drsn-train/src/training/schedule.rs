//! The learning rate over a training.

use std::f64::consts::PI;

/// Share of the training in which the rate rises.
const WARM_UP: f64 = 0.05;

/// The learning rate of batch `step` out of `steps`, with `highest` as its maximum: a linear rise over the
/// first twentieth, then a half cosine down to nearly zero.
///
/// Source of the cosine: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, without restarts.
pub fn learning_rate(highest: f64, step: usize, steps: usize) -> f64 {
    let warm_up = (WARM_UP * steps as f64).max(1.0);
    let done = step as f64 + 0.5;
    if done < warm_up {
        return highest * done / warm_up;
    }
    let progress = (done - warm_up) / (steps as f64 - warm_up).max(1.0);
    highest * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_maximum_and_falls_to_nearly_zero() {
        let rates: Vec<f64> = (0..1000).map(|step| learning_rate(1.0, step, 1000)).collect();
        assert!(rates[..50].is_sorted());
        assert!(rates[50..].iter().rev().is_sorted());
        assert!(rates[0] < 0.02 && rates[999] < 1e-3);
        assert!((rates[50] - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_training_of_one_batch_has_a_rate() {
        assert!(learning_rate(1.0, 0, 1) > 0.0);
    }
}
