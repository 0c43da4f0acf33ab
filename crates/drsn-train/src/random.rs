//! Random numbers that depend only on the seed, their purpose and where they are used.
//!
//! No generator runs along with the training: each use starts its own stream. An interrupted
//! training therefore continues with the same numbers, and the order in which inputs are prepared
//! does not matter.

use rand::{SeedableRng as _, rngs::ChaCha8Rng};

/// Purposes of random numbers. The discriminants are part of the meaning of a seed: never change
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The weights before training.
    Weights = 1,
    /// Which inputs are held out.
    HeldOut = 2,
    /// The order of the inputs in an epoch.
    Order = 3,
    /// Augmentation and noise of one input in one epoch of training.
    Training = 4,
    /// Noise of one input during the measurement of statistics.
    Statistics = 5,
    /// Noise of one input during an evaluation.
    Evaluation = 6,
    /// Which files are held out and which are for testing.
    Files = 7,
    /// Which inputs are trained on, if there is a limit.
    Limit = 8,
    /// Synthetic inputs of a bundle's golden data.
    Golden = 9,
    /// Which inputs are evaluated, if there is a limit.
    EvaluationLimit = 10,
    /// Which groups are in which fold of a cross-validation.
    Folds = 11,
    /// Which units the interval of a calibration error is taken over.
    Calibration = 12,
    /// Which inputs are spliced in one epoch of training, and with what.
    Splicing = 13,
}

/// A stream of random numbers for one purpose, identified by two more numbers, usually an epoch and
/// an input.
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn streams_of_different_use_differ_and_the_same_use_repeats() {
        let first = |seed, purpose, a, b| stream(seed, purpose, a, b).next_u64();
        let start = first(1, Purpose::Training, 2, 3);
        assert_eq!(start, first(1, Purpose::Training, 2, 3));
        assert_ne!(start, first(2, Purpose::Training, 2, 3));
        assert_ne!(start, first(1, Purpose::Evaluation, 2, 3));
        assert_ne!(start, first(1, Purpose::Training, 3, 2));
    }
}
