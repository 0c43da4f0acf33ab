//! Input shift: the squared Mahalanobis distance of an input's mean magnitudes from the training data's.

use serde::{Deserialize, Serialize};

use super::{BaselineError, HeldOut, MOST_DIMENSIONS, Numbers, covariance::triangle};

/// The distance from the training data. Vectors hold the mean magnitudes A of all blocks' channels, in the blocks'
/// order: D numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Distance {
    /// Training inputs that it was taken on.
    pub inputs: u64,
    /// How far the correlations were shrunk towards none, in (0, 1].
    pub shrinkage: f32,
    /// Mean μ, D numbers, as base64 of little-endian 32-bit floats.
    #[cfg_attr(test, schemars(with = "String"))]
    pub mean: Numbers,
    /// Lower triangle, row by row, of the L with covariance L Lᵀ: D (D + 1) / 2 numbers, as base64 of little-endian
    /// 32-bit floats.
    #[cfg_attr(test, schemars(with = "String"))]
    pub factor: Numbers,
}

/// The distance, and how far inputs lay that took no part in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShiftBaseline {
    /// The distance from the training data.
    pub distance: Distance,
    /// Squared distances of inputs that took no part in training.
    pub held_out: HeldOut,
}

/// How far one input lies from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InputShift {
    /// Squared Mahalanobis distance.
    pub score: f64,
    /// Share of held-out inputs that lay at least as far: (1 + those) / (1 + all).
    pub p_value: f64,
    /// Whether the p-value is below the model's alarm level.
    pub alarm: bool,
}

impl Distance {
    /// (x − μ)ᵀ (L Lᵀ)⁻¹ (x − μ) = |y|² with L y = x − μ, in f64.
    ///
    /// # Errors
    /// [`BaselineError`] where the vector has another length, or the distance is not finite.
    pub fn score(&self, mean_abs: &[f32]) -> Result<f64, BaselineError> {
        let dimensions = self.mean.len();
        if mean_abs.len() != dimensions {
            return Err(BaselineError::Length { expected: dimensions, found: mean_abs.len() });
        }
        let mut solved = Vec::with_capacity(dimensions);
        let (mut rest, mut score) = (&self.factor[..], 0.0);
        for (i, (&x, &mean)) in mean_abs.iter().zip(&self.mean[..]).enumerate() {
            let (row, below) = rest.split_at(i + 1);
            let y = (f64::from(x) - f64::from(mean) - dot(&row[..i], &solved)) / f64::from(row[i]);
            score += y * y;
            solved.push(y);
            rest = below;
        }
        if score.is_finite() { Ok(score) } else { Err(BaselineError::NotFinite) }
    }
}

/// In eight sums, which a processor can add at once; one sum would wait for each addition.
fn dot(row: &[f32], solved: &[f64]) -> f64 {
    let (rows, row_rest) = row.as_chunks::<8>();
    let (parts, rest) = solved.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (row, part) in rows.iter().zip(parts) {
        for ((sum, &a), &b) in sums.iter_mut().zip(row).zip(part) {
            *sum += f64::from(a) * b;
        }
    }
    let last = row_rest.iter().zip(rest).map(|(&a, &b)| f64::from(a) * b);
    sums.into_iter().chain(last).sum()
}

impl ShiftBaseline {
    /// A distance with the scores, by that distance, of inputs that took no part in training.
    ///
    /// # Errors
    /// [`BaselineError`] where there are too few of them for the level, or one is not finite.
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
    /// [`BaselineError`] where the vector has another length, or the distance is not finite.
    pub fn score(&self, mean_abs: &[f32]) -> Result<f64, BaselineError> {
        self.distance.score(mean_abs)
    }

    /// (1 + held-out inputs that lay at least as far) / (1 + held-out inputs).
    pub fn p_value(&self, score: f64) -> f64 {
        self.held_out.p_value(score)
    }

    pub(super) fn check(&self, channels: usize) -> Result<(), String> {
        let Distance { shrinkage, mean, factor, .. } = &self.distance;
        let dimensions = mean.len();
        if dimensions != channels || !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(format!(
                "the mean has {dimensions} numbers, and the blocks have {channels} channels (of 1 to {MOST_DIMENSIONS})"
            ));
        }
        if factor.len() != triangle(dimensions) {
            return Err(format!(
                "the factor must have {} numbers, and has {}",
                triangle(dimensions),
                factor.len()
            ));
        }
        if !mean.iter().chain(factor.iter()).all(|n| n.is_finite()) {
            return Err("mean and factor must be finite".to_owned());
        }
        let mut diagonal = (0..dimensions).map(|i| factor[triangle(i) + i]);
        if !diagonal.all(|d| d.is_normal() && d > 0.0) {
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
