//! Names the channels of blocks that make an input's shift unusual.
//!
//! Channels are correlated, so that a change of one that goes against the others is unusual although
//! it is small. What channel i adds to the squared distance dᵀ Σ⁻¹ d is `dᵢ (Σ⁻¹ d)ᵢ`. The sum of all is
//! the distance, and if only one channel has moved, it is all of it.

use ndarray::ArrayView1;

use super::{Distance, distance::columns};

/// Causes that an answer names at most.
const MOST_CAUSES: usize = 5;

/// What one channel of a block adds to the distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Position among the channels of all blocks, in the blocks' order.
    pub dimension: usize,
    /// The mean magnitude minus that of training, in standard deviations of training.
    pub z: f64,
    /// Share of the squared distance; other channels can take away from it, so it may exceed 1.
    pub share: f64,
}

impl Distance {
    /// The standard deviation of each channel's mean magnitude in training.
    pub fn deviations(&self) -> Vec<f64> {
        let mut variances = vec![0.0; self.mean.len()];
        for (j, column) in columns(&self.factor, self.mean.len()).enumerate() {
            for (variance, &element) in variances[j..].iter_mut().zip(column) {
                *variance += f64::from(element).powi(2);
            }
        }
        variances.into_iter().map(f64::sqrt).collect()
    }

    /// The channels that add most to the distance of these mean magnitudes, at most five, the largest
    /// first; none for a vector of another length.
    pub(super) fn causes(&self, mean_abs: &ArrayView1<'_, f32>) -> Vec<Contribution> {
        let dimensions = self.mean.len();
        if mean_abs.len() != dimensions {
            return Vec::new();
        }
        let pairs = mean_abs.iter().zip(&self.mean[..]);
        let differences: Vec<f64> =
            pairs.map(|(&x, &mean)| f64::from(x) - f64::from(mean)).collect();
        let solved = self.solve(differences.clone());
        let score: f64 = differences.iter().zip(&solved).map(|(a, b)| a * b).sum();
        let deviations = self.deviations();
        let mut causes: Vec<Contribution> = (0..dimensions)
            .map(|i| Contribution {
                dimension: i,
                z: differences[i] / deviations[i],
                share: differences[i] * solved[i] / score,
            })
            .filter(|cause| cause.share > 0.0 && cause.z.is_finite())
            .collect();
        causes.sort_by(|a, b| b.share.total_cmp(&a.share));
        causes.truncate(MOST_CAUSES);
        causes
    }

    /// x with L Lᵀ x = `rest`.
    fn solve(&self, mut rest: Vec<f64>) -> Vec<f64> {
        let columns: Vec<&[f32]> = columns(&self.factor, rest.len()).collect();
        for (j, column) in columns.iter().enumerate() {
            rest[j] /= f64::from(column[0]);
            let solved = rest[j];
            for (rest, &below) in rest[j + 1..].iter_mut().zip(&column[1..]) {
                *rest -= solved * f64::from(below);
            }
        }
        for (j, column) in columns.iter().enumerate().rev() {
            let below = column[1..].iter().zip(&rest[j + 1..]);
            let known: f64 = below.map(|(&element, &x)| f64::from(element) * x).sum();
            rest[j] = (rest[j] - known) / f64::from(column[0]);
        }
        rest
    }
}
