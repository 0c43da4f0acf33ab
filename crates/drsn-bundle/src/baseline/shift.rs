//! Input shift: the squared Mahalanobis distance of an input's mean magnitudes from those of the
//! training data.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::{BaselineError, HeldOut, MAX_DIMENSIONS, Numbers};
use crate::vectorized;

/// The distance from the training data. Vectors have the mean magnitudes A of all blocks' channels,
/// in the blocks' order: D numbers.
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
    /// Lower triangle of L, where L Lᵀ is the covariance, column by column, each from its diagonal
    /// down: D (D + 1) / 2 numbers, as base64 of little-endian 32-bit floats.
    #[cfg_attr(test, schemars(with = "String"))]
    pub factor: Numbers,
}

/// The distance, and the distances of held-out inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShiftBaseline {
    /// The distance from the training data.
    pub distance: Distance,
    /// Squared distances of held-out inputs.
    pub held_out: HeldOut,
}

/// The distance of one input from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InputShift {
    /// Squared Mahalanobis distance.
    pub score: f64,
    /// Share of held-out inputs at least as far: (1 + those) / (1 + all).
    pub p_value: f64,
    /// Whether the p-value is below the model's alarm level.
    pub alarm: bool,
}

impl Distance {
    /// (x − μ)ᵀ (L Lᵀ)⁻¹ (x − μ) = |y|² with L y = x − μ, in f64. It goes by columns, as a CPU
    /// subtracts a column from many numbers at once, while the sum of a row waits for each of its
    /// additions.
    ///
    /// # Errors
    /// [`BaselineError`] if the vector has another length, or the distance is not finite.
    pub fn score<'a>(
        &self,
        mean_abs: impl Into<ArrayView1<'a, f32>>,
    ) -> Result<f64, BaselineError> {
        let (mean_abs, dimensions) = (mean_abs.into(), self.mean.len());
        if mean_abs.len() != dimensions {
            return Err(BaselineError::Length { expected: dimensions, found: mean_abs.len() });
        }
        let pairs = mean_abs.iter().zip(&self.mean[..]);
        let mut rest: Vec<f64> = pairs.map(|(&x, &mean)| f64::from(x) - f64::from(mean)).collect();
        let score = squared_solution(&self.factor, &mut rest);
        if score.is_finite() { Ok(score) } else { Err(BaselineError::NotFinite) }
    }
}

vectorized! {
    /// |y|² with L y = `rest`, which is overwritten.
    fn squared_solution<'a>(factor: &'a [f32], rest: &'a mut [f64]) -> f64 {
        let mut score = 0.0;
        for (j, column) in columns(factor, rest.len()).enumerate() {
            // The reciprocal does not depend on other columns; dividing the rest would wait for
            // each.
            let y = rest[j] * (1.0 / f64::from(column[0]));
            score += y * y;
            for (rest, &below) in rest[j + 1..].iter_mut().zip(&column[1..]) {
                *rest -= y * f64::from(below);
            }
        }
        score
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

impl ShiftBaseline {
    /// A distance with the scores of held-out inputs.
    ///
    /// # Errors
    /// [`BaselineError`] if there are too few of them for the level, or one is not finite.
    pub fn new(
        distance: Distance,
        held_out_scores: &[f64],
        alarm_level: f64,
    ) -> Result<Self, BaselineError> {
        Ok(Self { distance, held_out: HeldOut::new(held_out_scores, alarm_level)? })
    }

    /// The squared distance of one input's mean magnitudes, of all blocks in their order.
    ///
    /// # Errors
    /// [`BaselineError`] if the vector has another length, or the distance is not finite.
    pub fn score<'a>(
        &self,
        mean_abs: impl Into<ArrayView1<'a, f32>>,
    ) -> Result<f64, BaselineError> {
        self.distance.score(mean_abs)
    }

    /// (1 + held-out inputs at least as far) / (1 + held-out inputs).
    pub fn p_value(&self, score: f64) -> f64 {
        self.held_out.p_value(score)
    }

    pub(super) fn check(&self, channels: usize) -> Result<(), String> {
        let Distance { shrinkage, mean, factor, .. } = &self.distance;
        let dimensions = mean.len();
        if dimensions != channels || !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(format!(
                "the mean has {dimensions} values, and the blocks have {channels} channels (1 to \
                 {MAX_DIMENSIONS} are supported)"
            ));
        }
        if factor.len() != triangle(dimensions) {
            return Err(format!(
                "the factor must have {} values, and has {}",
                triangle(dimensions),
                factor.len()
            ));
        }
        if !mean.iter().chain(factor.iter()).all(|n| n.is_finite()) {
            return Err("mean and factor must be finite".to_owned());
        }
        if !columns(factor, dimensions).all(|column| column[0].is_normal() && column[0] > 0.0) {
            return Err("the factor's diagonal must be positive".to_owned());
        }
        if !(*shrinkage > 0.0 && *shrinkage <= 1.0) {
            return Err("the shrinkage must be above 0 and at most 1".to_owned());
        }
        self.held_out.check()?;
        if self.held_out.values.first().is_some_and(|&least| least < 0.0) {
            return Err("a squared distance is negative".to_owned());
        }
        Ok(())
    }
}
