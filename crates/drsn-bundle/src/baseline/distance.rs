//! The squared Mahalanobis distance of a vector from the training data.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::{BaselineError, MAX_DIMENSIONS, Numbers};
use crate::vectorized;

/// The distance of vectors of D numbers from the training data, or from the nearest of its classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Distance {
    /// Number of training inputs.
    pub inputs: u64,
    /// Shrinkage of the correlations towards zero, in (0, 1].
    pub shrinkage: f32,
    /// Mean μ, D numbers, as base64 of little-endian 32-bit floats.
    #[cfg_attr(test, schemars(with = "String"))]
    pub mean: Numbers,
    /// Lower triangle of L, where L Lᵀ is the covariance (within classes, if there are centres),
    /// column by column, each from its diagonal down: D (D + 1) / 2 numbers, as base64 of
    /// little-endian 32-bit floats.
    #[cfg_attr(test, schemars(with = "String"))]
    pub factor: Numbers,
    /// L⁻¹ (μ' − μ) for the mean μ' of each class that training had, D numbers, as base64 of
    /// little-endian 32-bit floats: the distance is that from the nearest class. If there are none,
    /// it is that from μ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub centres: Vec<Numbers>,
    /// 99th percentile of the squared distances of training inputs. It brings all distances of a
    /// baseline to one scale. Missing in format 1, where the squared distance itself is the score.
    #[serde(default = "one")]
    pub limit: f32,
}

const fn one() -> f32 {
    1.0
}

impl Distance {
    /// The squared distance: (x − μ)ᵀ (L Lᵀ)⁻¹ (x − μ) = |y|² with L y = x − μ, or the least |y − c|²
    /// of all centres c, in f64. It goes by columns, as a CPU subtracts a column from many numbers at
    /// once, while the sum of a row waits for each of its additions.
    ///
    /// # Errors
    /// [`BaselineError`] if the vector has another length, or the distance is not finite.
    pub fn squared<'a>(
        &self,
        vector: impl Into<ArrayView1<'a, f32>>,
    ) -> Result<f64, BaselineError> {
        let (vector, dimensions) = (vector.into(), self.mean.len());
        if vector.len() != dimensions {
            return Err(BaselineError::Length { expected: dimensions, found: vector.len() });
        }
        let pairs = vector.iter().zip(&self.mean[..]);
        let mut rest: Vec<f64> = pairs.map(|(&x, &mean)| f64::from(x) - f64::from(mean)).collect();
        let mut squared = squared_solution(&self.factor, &mut rest);
        if !squared.is_finite() {
            return Err(BaselineError::NotFinite);
        }
        if !self.centres.is_empty() {
            let from_centre = |centre: &Numbers| squared_difference(&rest, centre);
            squared = self.centres.iter().map(from_centre).fold(f64::INFINITY, f64::min);
        }
        Ok(squared)
    }

    /// The squared distance on the scale that all distances of a baseline share: the 99th percentile
    /// of training inputs is 1.
    ///
    /// # Errors
    /// As [`Self::squared`].
    pub fn relative<'a>(
        &self,
        vector: impl Into<ArrayView1<'a, f32>>,
    ) -> Result<f64, BaselineError> {
        Ok(self.squared(vector)? / f64::from(self.limit))
    }

    /// Sets the scale from the squared distances of training inputs.
    pub(super) fn set_scale(&mut self, mut squared: Vec<f64>) {
        squared.sort_by(f64::total_cmp);
        let last = squared.len().saturating_sub(1);
        let limit = squared.get((0.99 * last as f64).round() as usize);
        // A smaller one would make rounding look like a change.
        self.limit = limit.map_or(1.0, |limit| limit.max(1e-6) as f32);
    }

    /// Checks that it is consistent, and is one of vectors of `dimensions` numbers, which are those
    /// of `what`.
    pub(super) fn check(&self, dimensions: usize, what: &str) -> Result<(), String> {
        let Self { shrinkage, mean, factor, centres, limit, .. } = self;
        let found = mean.len();
        if found != dimensions || !(1..=MAX_DIMENSIONS).contains(&found) {
            return Err(format!(
                "the mean has {found} values, and {what} {dimensions} (1 to {MAX_DIMENSIONS} are \
                 supported)"
            ));
        }
        if factor.len() != triangle(dimensions) {
            return Err(format!(
                "the factor must have {} values, and has {}",
                triangle(dimensions),
                factor.len()
            ));
        }
        if let Some(centre) = centres.iter().find(|centre| centre.len() != dimensions) {
            return Err(format!(
                "a centre must have {dimensions} values, and has {}",
                centre.len()
            ));
        }
        let centres = centres.iter().flat_map(|centre| centre.iter());
        if !mean.iter().chain(factor.iter()).chain(centres).all(|n| n.is_finite()) {
            return Err("mean, factor and centres must be finite".to_owned());
        }
        if !columns(factor, dimensions).all(|column| column[0].is_normal() && column[0] > 0.0) {
            return Err("the factor's diagonal must be positive".to_owned());
        }
        if !(*shrinkage > 0.0 && *shrinkage <= 1.0) {
            return Err("the shrinkage must be above 0 and at most 1".to_owned());
        }
        if !(limit.is_normal() && *limit > 0.0) {
            return Err("the limit must be above 0".to_owned());
        }
        Ok(())
    }
}

vectorized! {
    /// |y|² with L y = `rest`, which becomes y.
    pub(super) fn squared_solution<'a>(factor: &'a [f32], rest: &'a mut [f64]) -> f64 {
        let mut score = 0.0;
        for (j, column) in columns(factor, rest.len()).enumerate() {
            // The reciprocal does not depend on other columns; dividing the rest would wait for
            // each.
            let y = rest[j] * (1.0 / f64::from(column[0]));
            score += y * y;
            rest[j] = y;
            for (rest, &below) in rest[j + 1..].iter_mut().zip(&column[1..]) {
                *rest -= y * f64::from(below);
            }
        }
        score
    }
}

vectorized! {
    /// |y − c|².
    pub(super) fn squared_difference<'a>(y: &'a [f64], centre: &'a [f32]) -> f64 {
        const LANES: usize = 8;
        let (chunks, rest) = y.as_chunks::<LANES>();
        let (others, other_rest) = centre.as_chunks::<LANES>();
        let square = |(&y, &c): (&f64, &f32)| (y - f64::from(c)).powi(2);
        let mut lanes = [0.0; LANES];
        for (chunk, other) in chunks.iter().zip(others) {
            for (lane, pair) in lanes.iter_mut().zip(chunk.iter().zip(other)) {
                *lane += square(pair);
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().zip(other_rest).map(square).sum::<f64>()
    }
}

/// Number of elements in a lower triangle of n rows.
const fn triangle(n: usize) -> usize {
    n * (n + 1) / 2
}

/// The columns of a packed lower triangle, each from its diagonal down.
pub(super) fn columns(factor: &[f32], dimensions: usize) -> impl Iterator<Item = &[f32]> {
    let mut rest = factor;
    (1..=dimensions).rev().map(move |length| {
        let (column, after) = rest.split_at(length);
        rest = after;
        column
    })
}
