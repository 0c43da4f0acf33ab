//! Mean and shrunk covariance of a stream of vectors, and its Cholesky factor.
//!
//! Lower triangles are packed row by row: element (i, j), j ≤ i, is at i (i + 1) / 2 + j.

use super::{BaselineError, Distance, MOST_DIMENSIONS};

/// Least variance of a dimension, as a share of the mean variance: a channel that never changed in training must not
/// make every later change of it infinitely far.
const LEAST_VARIANCE: f64 = 1e-6;
/// Least shrinkage: channels that are copies of one another still have a factor in 32-bit floats.
const LEAST_SHRINKAGE: f64 = 1e-6;

/// Mean and scatter of vectors that come one after the other; memory for D (D + 1) / 2 numbers, however many come.
#[derive(Debug, Clone)]
pub struct ShiftAccumulator {
    count: u64,
    mean: Vec<f64>,
    /// Σ (x − mean)(x − mean)ᵀ, lower triangle.
    scatter: Vec<f64>,
    difference: Vec<f64>,
}

impl ShiftAccumulator {
    /// For vectors of `dimensions` numbers: the channels of all blocks.
    ///
    /// # Errors
    /// [`BaselineError::Dimensions`] for none, or above [`MOST_DIMENSIONS`].
    pub fn new(dimensions: usize) -> Result<Self, BaselineError> {
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(BaselineError::Dimensions { found: dimensions });
        }
        Ok(Self {
            count: 0,
            mean: vec![0.0; dimensions],
            scatter: vec![0.0; triangle(dimensions)],
            difference: vec![0.0; dimensions],
        })
    }

    /// Adds one training input's mean magnitudes, of all blocks in their order.
    /// (Welford 1962: no cancellation, whatever the mean.)
    ///
    /// # Errors
    /// [`BaselineError`] where the length is another or a number is not finite; nothing was added then.
    pub fn add(&mut self, mean_abs: &[f32]) -> Result<(), BaselineError> {
        if mean_abs.len() != self.mean.len() {
            return Err(BaselineError::Length { expected: self.mean.len(), found: mean_abs.len() });
        }
        if !mean_abs.iter().all(|x| x.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        self.count += 1;
        let count = self.count as f64;
        for ((difference, mean), &x) in self.difference.iter_mut().zip(&mut self.mean).zip(mean_abs)
        {
            *difference = f64::from(x) - *mean;
            *mean += *difference / count;
        }
        let weight = (count - 1.0) / count;
        for (i, &own) in self.difference.iter().enumerate() {
            let row = &mut self.scatter[triangle(i)..][..=i];
            for (sum, &other) in row.iter_mut().zip(&self.difference) {
                *sum += weight * own * other;
            }
        }
        Ok(())
    }

    /// Training inputs that were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The distance from what was added: its mean, and the Cholesky factor of its shrunk covariance.
    ///
    /// The correlations are shrunk, not the covariance, so that the unit of a channel plays no part; towards
    /// none at all, by the oracle approximating shrinkage (Chen, Wiesel, Eldar, Hero, "Shrinkage algorithms for MMSE
    /// covariance estimation", IEEE Transactions on Signal Processing 58(10), 2010, equation 23). It needs the
    /// covariance and the number of inputs alone, as a stream gives them.
    ///
    /// # Errors
    /// [`BaselineError`] where there are fewer than two inputs, or all are alike.
    pub fn distance(&self) -> Result<Distance, BaselineError> {
        if self.count < 2 {
            return Err(BaselineError::TooFewTraining { found: self.count });
        }
        let dimensions = self.mean.len();
        let variance = |i| self.scatter[triangle(i) + i] / self.count as f64;
        let mean_variance = (0..dimensions).map(variance).sum::<f64>() / dimensions as f64;
        // What 32-bit magnitudes differ by when they are equal but for rounding is no variation.
        let rounding = self.mean.iter().fold(0.0_f64, |m, x| m.max(x.abs())) * 1e-7;
        if mean_variance.sqrt() <= rounding.max(f64::from(f32::MIN_POSITIVE)) {
            return Err(BaselineError::Constant);
        }
        let deviations: Vec<f64> = (0..dimensions)
            .map(|i| variance(i).max(LEAST_VARIANCE * mean_variance).sqrt())
            .collect();
        let (mut matrix, shrinkage) = self.shrunk_correlations(&deviations);
        cholesky(&mut matrix, dimensions)?;
        let element = |i: usize, j: usize| matrix[triangle(i) + j] * deviations[i];
        let columns = (0..dimensions).flat_map(|j| (j..dimensions).map(move |i| (i, j)));
        let factor: Vec<f64> = columns.map(|(i, j)| element(i, j)).collect();
        Ok(Distance {
            inputs: self.count,
            shrinkage: shrinkage as f32,
            mean: single(&self.mean)?.into(),
            factor: single(&factor)?.into(),
        })
    }

    fn shrunk_correlations(&self, deviations: &[f64]) -> (Vec<f64>, f64) {
        let (count, dimensions) = (self.count as f64, deviations.len() as f64);
        let mut matrix = self.scatter.clone();
        // tr(S²): the sum of all squares. The trace itself is the number of dimensions.
        let mut squares = dimensions;
        for (i, own) in deviations.iter().enumerate() {
            let row = &mut matrix[triangle(i)..][..=i];
            for (element, other) in row.iter_mut().zip(&deviations[..i]) {
                *element /= count * own * other;
                squares += 2.0 * element.powi(2);
            }
            row[i] = 1.0;
        }
        let numerator = (1.0 - 2.0 / dimensions) * squares + dimensions.powi(2);
        let denominator = (count + 1.0 - 2.0 / dimensions) * (squares - dimensions);
        let shrinkage = if numerator < denominator { numerator / denominator } else { 1.0 };
        let shrinkage = shrinkage.max(LEAST_SHRINKAGE);
        for i in 0..deviations.len() {
            matrix[triangle(i)..][..i].iter_mut().for_each(|element| *element *= 1.0 - shrinkage);
        }
        (matrix, shrinkage)
    }
}

/// Numbers in a lower triangle of n rows, and where row n begins.
pub(super) const fn triangle(n: usize) -> usize {
    n * (n + 1) / 2
}

/// Replaces a positive definite matrix by L with L Lᵀ equal to it, row by row (Cholesky–Banachiewicz).
fn cholesky(matrix: &mut [f64], dimensions: usize) -> Result<(), BaselineError> {
    for i in 0..dimensions {
        let (above, rest) = matrix.split_at_mut(triangle(i));
        let row = &mut rest[..=i];
        for j in 0..i {
            let other = &above[triangle(j)..][..=j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let square = row[i] - dot(&row[..i], &row[..i]);
        if square.is_nan() || square <= 0.0 {
            // The shrinkage leaves no eigenvalue below it; only numbers beyond all bounds come here.
            return Err(BaselineError::NotFinite);
        }
        row[i] = square.sqrt();
    }
    Ok(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn single(numbers: &[f64]) -> Result<Vec<f32>, BaselineError> {
    let numbers: Vec<f32> = numbers.iter().map(|&n| n as f32).collect();
    if numbers.iter().all(|n| n.is_finite()) { Ok(numbers) } else { Err(BaselineError::NotFinite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix() {
        let matrix = [4.0, 2.0, 5.0, -2.0, 3.0, 14.0];
        let mut factor = matrix;
        cholesky(&mut factor, 3).unwrap();
        let row = |i: usize| &factor[triangle(i)..][..=i];
        for i in 0..3 {
            for j in 0..=i {
                let product = dot(row(i), row(j));
                assert!((product - matrix[triangle(i) + j]).abs() < 1e-12, "{i}, {j}");
            }
        }
        assert!(cholesky(&mut [1.0, 2.0, 1.0], 2).is_err());
    }

    #[test]
    fn mean_and_scatter_of_a_stream_are_those_of_the_definition() {
        let vectors = [[1e4_f32, 1.0], [1e4 + 1.0, 3.0], [1e4 + 5.0, -1.0]];
        let mut sums = ShiftAccumulator::new(2).unwrap();
        for vector in &vectors {
            sums.add(vector).unwrap();
        }
        assert_eq!(sums.mean, [10_002.0, 1.0]);
        let expected = [14.0, -8.0, 8.0];
        assert!(sums.scatter.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9));
        assert_eq!(sums.add(&[1.0]), Err(BaselineError::Length { expected: 2, found: 1 }));
        assert_eq!(sums.add(&[1.0, f32::INFINITY]), Err(BaselineError::NotFinite));
        assert_eq!(sums.count(), 3);
    }
}
