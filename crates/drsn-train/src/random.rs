//! Random numbers that depend on nothing but the seed, what they are for and where they are used.
//!
//! There is no generator that runs along with the training: each use begins a stream of its own.
//! So a training that was interrupted goes on with the same numbers, and the order in which inputs
//! are prepared does not matter.

use rand::{SeedableRng as _, rngs::ChaCha8Rng};

/// What random numbers are for. The numbers are part of what a seed means: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The weights before training.
    Weights = 1,
    /// Which inputs are held out.
    HeldOut = 2,
    /// The order of the inputs in an epoch.
    Order = 3,
    /// Shift and noise of one input in one epoch of training.
    Training = 4,
    /// Noise of one input while statistics are measured.
    Calibration = 5,
    /// Noise of one input while the network is evaluated.
    Evaluation = 6,
    /// Which files are held out and tested on.
    Files = 7,
    /// Which inputs are trained on where a limit leaves some out.
    Limit = 8,
    /// Made-up inputs of a bundle's golden data.
    Golden = 9,
    /// Which inputs are evaluated where a limit leaves some out.
    Subset = 10,
}

/// A stream of random numbers for one purpose, told apart by two more numbers (an epoch and an
/// input, as a rule).
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
