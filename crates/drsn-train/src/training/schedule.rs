//! The learning rate during a training.

use std::f64::consts::PI;

use crate::recipe::Schedule;

impl Schedule {
    /// The learning rate of batch `step`, relative to the highest, in a training of `epochs` epochs
    /// with `batches` batches each.
    pub(crate) fn factor(&self, step: usize, batches: usize, epochs: usize) -> f64 {
        let steps = (batches * epochs) as f64;
        let done = step as f64 + 0.5;
        match self {
            Self::Constant => 1.0,
            Self::Step { epochs, factor } => {
                let passed = epochs.iter().filter(|&&epoch| step >= epoch * batches).count();
                factor.powi(passed as i32)
            }
            Self::Staircase { steps, factor } => factor.powi((step / (*steps).max(1)) as i32),
            Self::Cosine { warm_up } => {
                let rise = warm_up * steps;
                if done < rise {
                    return done / rise;
                }
                falling((done - rise) / (steps - rise).max(1.0))
            }
            Self::OneCycle { warm_up, start_divisor, end_divisor } => {
                let (rise, first) = (warm_up * steps, 1.0 / start_divisor);
                if done < rise {
                    return first + (1.0 - first) * (1.0 - falling(done / rise));
                }
                let last = first / end_divisor;
                last + (1.0 - last) * falling((done - rise) / (steps - rise).max(1.0))
            }
        }
    }
}

/// A half cosine from 1 to 0. Source: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, equation 5.
fn falling(progress: f64) -> f64 {
    0.5 * (1.0 + (PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: &Schedule) -> Vec<f64> {
        (0..1000).map(|step| schedule.factor(step, 100, 10)).collect()
    }

    #[test]
    fn a_cosine_rises_to_its_maximum_and_falls_to_nearly_zero() {
        let rates = rates(&Schedule::Cosine { warm_up: 0.05 });
        assert!(rates[..50].is_sorted());
        assert!(rates[50..].iter().rev().is_sorted());
        assert!(rates[0] < 0.02 && rates[999] < 1e-3);
        assert!((rates[50] - 1.0).abs() < 0.01);
    }

    #[test]
    fn one_cycle_begins_and_ends_as_it_is_told() {
        let rates =
            rates(&Schedule::OneCycle { warm_up: 0.3, start_divisor: 25.0, end_divisor: 100.0 });
        assert!((rates[0] - 0.04).abs() < 1e-3 && (rates[300] - 1.0).abs() < 1e-3);
        assert!((rates[999] - 0.0004).abs() < 1e-4);
        assert!(rates[..300].is_sorted() && rates[300..].iter().rev().is_sorted());
    }

    #[test]
    fn steps_come_at_their_epochs_and_stairs_at_their_steps() {
        let step = Schedule::Step { epochs: vec![4, 8], factor: 0.1 };
        let stairs = Schedule::Staircase { steps: 400, factor: 0.1 };
        for (at, by_epoch, by_step) in
            [(0, 1.0, 1.0), (399, 1.0, 1.0), (400, 0.1, 0.1), (799, 0.1, 0.1), (800, 0.01, 0.01)]
        {
            assert!((step.factor(at, 100, 10) - by_epoch).abs() < 1e-12);
            assert!((stairs.factor(at, 100, 10) - by_step).abs() < 1e-12);
        }
        assert!((Schedule::Constant.factor(999, 100, 10) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_training_of_one_batch_has_a_rate() {
        assert!(Schedule::Cosine { warm_up: 0.05 }.factor(0, 1, 1) > 0.0);
    }
}
