//! Input shift: how far an input lies from the training data, by the blocks' mean magnitudes, by the
//! features before the last layer, by statistics of the input itself, and by the spectrum of a signal.
//!
//! Each sees what the others cannot: the first a change of the signal's content, the second one of
//! its meaning, the third one of its grain, the fourth weak changes where the signal is weak. The
//! largest of the four, on one scale, is the score.

use serde::{Deserialize, Serialize};

use super::{BaselineError, Distance, HeldOut};

/// What the shift of an input is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftVectors<'a> {
    /// Mean magnitudes A of all blocks' channels, in the blocks' order.
    pub mean_abs: &'a [f32],
    /// The features before the last layer; empty if the model does not give them.
    pub features: &'a [f32],
    /// The statistics of the prepared input.
    pub input: &'a [f32],
    /// The spectrum of a prepared signal; empty for an image.
    pub spectrum: &'a [f32],
}

/// The distances from the training data, and the scores of held-out inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShiftBaseline {
    /// That of the mean magnitudes; missing for a network without thresholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Distance>,
    /// That of the features before the last layer, each vector divided by its length; missing if the
    /// model does not give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Distance>,
    /// That of the statistics of the prepared input; missing in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Distance>,
    /// That of the spectrum of the prepared signal; missing for images, and in older baselines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<Distance>,
    /// Scores of held-out inputs.
    pub held_out: HeldOut,
}

/// The distance of one input from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InputShift {
    /// The largest of the squared distances, each in units of its 99th percentile in the training
    /// data. For a baseline of format 1, the squared distance.
    pub score: f64,
    /// Share of held-out inputs at least as far: (1 + those) / (1 + all).
    pub p_value: f64,
    /// Whether the p-value is below the model's alarm level.
    pub alarm: bool,
    /// With an alarm, which of the distances makes it: the largest, or one in its place that alone
    /// would alarm and says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ShiftReason>,
}

/// Which of the distances of a shift is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShiftReason {
    /// That of the mean magnitudes.
    Magnitudes,
    /// That of the features before the last layer.
    Features,
    /// That of the statistics of the input.
    Input,
    /// That of the spectrum of the input.
    Spectrum,
}

impl ShiftReason {
    /// All of them, in the order of a baseline's distances.
    pub const ALL: [Self; 4] = [Self::Magnitudes, Self::Features, Self::Input, Self::Spectrum];

    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Magnitudes => "magnitudes",
            Self::Features => "features",
            Self::Input => "input",
            Self::Spectrum => "spectrum",
        }
    }
}

impl ShiftBaseline {
    /// The largest of the distances, each on its scale.
    ///
    /// # Errors
    /// [`BaselineError`] if a vector has another length, or a distance is not finite.
    pub fn score(&self, vectors: &ShiftVectors<'_>) -> Result<f64, BaselineError> {
        Ok(self.distances(vectors)?.largest()?.0)
    }

    /// All of the distances of an input.
    pub(super) fn distances(&self, vectors: &ShiftVectors<'_>) -> Result<Relative, BaselineError> {
        Relative::of(ShiftReason::ALL.map(|reason| self.of(reason)), vectors)
    }

    /// One of the distances.
    pub(super) fn of(&self, reason: ShiftReason) -> Option<&Distance> {
        match reason {
            ShiftReason::Magnitudes => self.distance.as_ref(),
            ShiftReason::Features => self.features.as_ref(),
            ShiftReason::Input => self.input.as_ref(),
            ShiftReason::Spectrum => self.spectrum.as_ref(),
        }
    }

    /// (1 + held-out inputs at least as far) / (1 + held-out inputs).
    pub fn p_value(&self, score: f64) -> f64 {
        self.held_out.p_value(score)
    }

    /// Checks that it is consistent, and fits a model with these numbers of channels in its blocks,
    /// of features, and of statistics and bands of an input.
    pub(super) fn check(
        &self,
        channels: usize,
        features: Option<usize>,
        statistics: usize,
        bands: usize,
    ) -> Result<(), String> {
        if let Some(distance) = &self.distance {
            distance.check(channels, "the channels of the blocks are")?;
        }
        if let Some(distance) = &self.features {
            let Some(width) = features else {
                return Err(
                    "it has a distance of features, which the model does not give".to_owned()
                );
            };
            distance.check(width, "the features are")?;
        }
        if let Some(distance) = &self.input {
            distance.check(statistics, "the statistics of an input are")?;
        }
        if let Some(distance) = &self.spectrum {
            distance.check(bands, "the bands of an input are")?;
        }
        if ShiftReason::ALL.iter().all(|&reason| self.of(reason).is_none()) {
            return Err("it has no distance".to_owned());
        }
        self.held_out.check()?;
        if self.held_out.values.first().is_some_and(|&least| least < 0.0) {
            return Err("a squared distance is negative".to_owned());
        }
        Ok(())
    }
}

/// The distances of an input, each on its scale, in the order of [`ShiftReason::ALL`]; 0 of those
/// that a baseline does not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relative([f64; ShiftReason::ALL.len()]);

impl Relative {
    pub(super) fn of(
        distances: [Option<&Distance>; ShiftReason::ALL.len()],
        vectors: &ShiftVectors<'_>,
    ) -> Result<Self, BaselineError> {
        let mut found = [0.0; ShiftReason::ALL.len()];
        for ((found, distance), reason) in found.iter_mut().zip(distances).zip(ShiftReason::ALL) {
            let Some(distance) = distance else { continue };
            *found = match reason {
                ShiftReason::Magnitudes => distance.relative(vectors.mean_abs)?,
                ShiftReason::Features => distance.relative(&unit_length(vectors.features))?,
                ShiftReason::Input => distance.relative(vectors.input)?,
                ShiftReason::Spectrum => distance.relative(vectors.spectrum)?,
            };
        }
        Ok(Self(found))
    }

    /// One of them.
    pub(super) fn of_reason(&self, reason: ShiftReason) -> f64 {
        self.0[reason as usize]
    }

    /// The largest, and which it is.
    pub(super) fn largest(&self) -> Result<(f64, ShiftReason), BaselineError> {
        let mut largest = (0.0, ShiftReason::Magnitudes);
        for (&found, reason) in self.0.iter().zip(ShiftReason::ALL) {
            if found > largest.0 {
                largest = (found, reason);
            }
        }
        if largest.0.is_finite() { Ok(largest) } else { Err(BaselineError::NotFinite) }
    }
}

/// The vector divided by its length, or zeros for a vector of zeros.
pub(super) fn unit_length(vector: &[f32]) -> Vec<f32> {
    let squares: f64 = vector.iter().map(|&x| f64::from(x).powi(2)).sum();
    let length = squares.sqrt().max(1e-12);
    vector.iter().map(|&x| (f64::from(x) / length) as f32).collect()
}
