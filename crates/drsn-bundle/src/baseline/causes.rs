//! Names the numbers that make an input's shift unusual, and the classes that its features are near
//! to.
//!
//! The numbers of a vector are correlated, so that a change of one that goes against the others is
//! unusual although it is small. What number i adds to the squared distance dᵀ Σ⁻¹ d is
//! `dᵢ (Σ⁻¹ d)ᵢ`. The sum of all is the distance, and if only one number has moved, it is all of it.

use super::{
    Distance, Numbers,
    distance::{columns, squared_difference, squared_solution},
};

/// Causes that an answer names at most.
const MOST_CAUSES: usize = 5;
/// Decibels of a change of a power by the factor e.
const DECIBELS: f64 = 10.0 * std::f64::consts::LOG10_E;
/// Classes that an answer names at most.
const MOST_CLASSES: usize = 3;

/// What one number of a vector adds to its distance from the training data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Position in the vector: of mean magnitudes, among the channels of all blocks.
    pub dimension: usize,
    /// The number minus that of training, or of the nearest class, in standard deviations of training.
    pub z: f64,
    /// Share of the squared distance; other numbers can take away from it, so it may exceed 1.
    pub share: f64,
}

/// A band of frequencies whose power is not that of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandChange {
    /// Position in the spectrum.
    pub dimension: usize,
    /// Its power relative to that of the nearest class, in decibels.
    pub decibels: f64,
    /// The same in standard deviations of training.
    pub z: f64,
}

/// How near the features of an input are to a class of the training data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearClass {
    /// Index of the class.
    pub class: usize,
    /// The distance from the class, of which 99 % of the training inputs have at most 1 from theirs.
    pub distance: f64,
}

impl Distance {
    /// The standard deviation of each number in training.
    pub fn deviations(&self) -> Vec<f64> {
        let mut variances = vec![0.0; self.mean.len()];
        for (j, column) in columns(&self.factor, self.mean.len()).enumerate() {
            for (variance, &element) in variances[j..].iter_mut().zip(column) {
                *variance += f64::from(element).powi(2);
            }
        }
        variances.into_iter().map(f64::sqrt).collect()
    }

    /// The numbers that add most to the distance of a vector, at most five, the largest first; none
    /// for a vector of another length.
    pub(super) fn causes(&self, vector: &[f32]) -> Vec<Contribution> {
        let mut causes = self.contributions(vector);
        causes.retain(|cause| cause.share > 0.0);
        causes.sort_by(|a, b| b.share.total_cmp(&a.share));
        causes.truncate(MOST_CAUSES);
        causes
    }

    /// The bands of a spectrum whose power changed most from the nearest class, at most five, the
    /// largest change first. A spectrum has shares of the power, and what one band gains, all others of
    /// its channel lose: the median change of a channel's bands counts as none.
    pub(super) fn band_changes(&self, spectrum: &[f32], bands: usize) -> Vec<BandChange> {
        let deviations = self.deviations();
        let change = |Contribution { dimension, z, .. }: Contribution| BandChange {
            dimension,
            decibels: DECIBELS * z * deviations[dimension],
            z,
        };
        let mut changes: Vec<BandChange> =
            self.contributions(spectrum).into_iter().map(change).collect();
        for channel in changes.chunk_by_mut(|a, b| a.dimension / bands == b.dimension / bands) {
            let mut decibels: Vec<f64> = channel.iter().map(|band| band.decibels).collect();
            decibels.sort_by(f64::total_cmp);
            let median = decibels[decibels.len() / 2];
            for band in channel {
                band.decibels -= median;
                band.z = band.decibels / (DECIBELS * deviations[band.dimension]);
            }
        }
        changes.sort_by(|a, b| b.decibels.abs().total_cmp(&a.decibels.abs()));
        changes.truncate(MOST_CAUSES);
        changes
    }

    /// What each number adds to the distance of a vector.
    fn contributions(&self, vector: &[f32]) -> Vec<Contribution> {
        let dimensions = self.mean.len();
        let Some(mut whitened) = self.whitened(vector) else { return Vec::new() };
        let mut differences = self.differences(vector);
        let nearest = self.centres.iter().min_by(|a, b| {
            squared_difference(&whitened, a).total_cmp(&squared_difference(&whitened, b))
        });
        if let Some(centre) = nearest {
            let from_mean = self.unwhitened(centre);
            for (difference, from_mean) in differences.iter_mut().zip(from_mean) {
                *difference -= from_mean;
            }
            for (y, &centre) in whitened.iter_mut().zip(&centre[..]) {
                *y -= f64::from(centre);
            }
        }
        let score: f64 = whitened.iter().map(|y| y * y).sum();
        let solved = self.solve_transposed(whitened);
        let deviations = self.deviations();
        (0..dimensions)
            .map(|i| Contribution {
                dimension: i,
                z: differences[i] / deviations[i],
                share: differences[i] * solved[i] / score,
            })
            .filter(|cause| cause.share.is_finite() && cause.z.is_finite())
            .collect()
    }

    /// The classes that a vector is nearest to, at most three, the nearest first; none for a vector of
    /// another length.
    pub(super) fn nearest(&self, vector: &[f32]) -> Vec<NearClass> {
        let Some(whitened) = self.whitened(vector) else { return Vec::new() };
        let near = |(class, centre): (usize, &Numbers)| NearClass {
            class,
            distance: (squared_difference(&whitened, centre) / f64::from(self.limit)).sqrt(),
        };
        let mut classes: Vec<NearClass> = self.centres.iter().enumerate().map(near).collect();
        classes.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        classes.truncate(MOST_CLASSES);
        classes
    }

    /// y with L y = x − μ; `None` for a vector of another length.
    fn whitened(&self, vector: &[f32]) -> Option<Vec<f64>> {
        if vector.len() != self.mean.len() {
            return None;
        }
        let mut rest = self.differences(vector);
        squared_solution(&self.factor, &mut rest);
        Some(rest)
    }

    /// x − μ.
    fn differences(&self, vector: &[f32]) -> Vec<f64> {
        let pairs = vector.iter().zip(&self.mean[..]);
        pairs.map(|(&x, &mean)| f64::from(x) - f64::from(mean)).collect()
    }

    /// L y.
    fn unwhitened(&self, whitened: &[f32]) -> Vec<f64> {
        let mut product = vec![0.0; whitened.len()];
        let columns = columns(&self.factor, whitened.len());
        for (j, (column, &y)) in columns.zip(whitened).enumerate() {
            for (sum, &element) in product[j..].iter_mut().zip(column) {
                *sum += f64::from(y) * f64::from(element);
            }
        }
        product
    }

    /// x with Lᵀ x = `rest`.
    fn solve_transposed(&self, mut rest: Vec<f64>) -> Vec<f64> {
        let columns: Vec<&[f32]> = columns(&self.factor, rest.len()).collect();
        for (j, column) in columns.iter().enumerate().rev() {
            let below = column[1..].iter().zip(&rest[j + 1..]);
            let known: f64 = below.map(|(&element, &x)| f64::from(element) * x).sum();
            rest[j] = (rest[j] - known) / f64::from(column[0]);
        }
        rest
    }
}
