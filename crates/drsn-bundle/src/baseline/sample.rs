//! Measuring the distances of an input shift: one pass over training inputs, one over held-out ones.

use super::{
    BaselineError, Distance, HeldOut, ShiftAccumulator, ShiftBaseline, ShiftVectors,
    shift::{Relative, ShiftReason, unit_length},
};

/// Training inputs kept to set the scale of the distances.
const KEPT: usize = 8_192;

/// The lengths of the vectors of an input.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShiftLengths {
    /// Channels of all blocks.
    pub channels: usize,
    /// Features before the last layer.
    pub features: usize,
    /// Statistics of the input.
    pub statistics: usize,
    /// Bands of its spectrum.
    pub bands: usize,
}

/// The distances of an input shift while they are measured.
#[derive(Debug)]
pub struct ShiftSample {
    /// In the order of [`ShiftReason::ALL`].
    parts: [Option<Measured>; ShiftReason::ALL.len()],
    /// Number of training inputs added.
    count: usize,
    /// Every how many of them one is kept.
    stride: usize,
}

#[derive(Debug)]
struct Measured {
    sums: ShiftAccumulator,
    kept: Vec<Vec<f32>>,
}

impl ShiftSample {
    /// A sample of vectors of these lengths in some classes; a length of 0, or one above
    /// [`super::MAX_DIMENSIONS`], is not measured.
    pub fn new(lengths: ShiftLengths, classes: usize) -> Self {
        let ShiftLengths { channels, features, statistics, bands } = lengths;
        let measured = |dimensions: usize, classes: usize| {
            let sums = ShiftAccumulator::new(dimensions, classes).ok()?;
            Some(Measured { sums, kept: Vec::new() })
        };
        let parts = [
            // Mean magnitudes hardly depend on the class.
            measured(channels, 1),
            measured(features, classes),
            measured(statistics, classes),
            measured(bands, classes),
        ];
        Self { parts, count: 0, stride: 1 }
    }

    /// Adds a training input of a class.
    ///
    /// # Errors
    /// [`BaselineError`] if a length or the class is wrong, or a number is not finite.
    pub fn add(&mut self, vectors: &ShiftVectors<'_>, class: usize) -> Result<(), BaselineError> {
        let unit = unit_length(vectors.features);
        let classes = [0, class, class, class];
        let keeps = self.count.is_multiple_of(self.stride);
        let vectors = [vectors.mean_abs, &unit, vectors.input, vectors.spectrum];
        for ((part, vector), class) in self.parts.iter_mut().zip(vectors).zip(classes) {
            let Some(part) = part else { continue };
            part.sums.add(vector, class)?;
            if keeps {
                part.kept.push(vector.to_vec());
            }
        }
        self.count += 1;
        self.thin();
        Ok(())
    }

    /// Keeps every second of the kept inputs once there are twice as many as needed.
    fn thin(&mut self) {
        let kept = self.parts.iter().flatten().map(|part| part.kept.len()).max().unwrap_or(0);
        if kept < 2 * KEPT {
            return;
        }
        self.stride *= 2;
        for part in self.parts.iter_mut().flatten() {
            let mut index = 0_usize;
            part.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }

    /// The distances; those of vectors that never varied are left out.
    ///
    /// # Errors
    /// [`BaselineError`] if there are fewer than two inputs, or all are alike in every vector.
    pub fn distances(self) -> Result<ShiftDistances, BaselineError> {
        let mut distances = [const { None }; ShiftReason::ALL.len()];
        for (distance, part) in distances.iter_mut().zip(self.parts) {
            let Some(Measured { sums, kept }) = part else { continue };
            let mut found = match sums.distance() {
                Ok(found) => found,
                Err(BaselineError::Constant) => continue,
                Err(error) => return Err(error),
            };
            let squared = kept.iter().map(|vector| found.squared(vector));
            found.set_scale(squared.collect::<Result<_, _>>()?);
            *distance = Some(found);
        }
        if distances.iter().all(Option::is_none) {
            return Err(BaselineError::Constant);
        }
        Ok(ShiftDistances(distances))
    }
}

/// The distances from training inputs, in the order of [`ShiftReason::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftDistances([Option<Distance>; ShiftReason::ALL.len()]);

impl ShiftDistances {
    /// The score of an input.
    ///
    /// # Errors
    /// [`BaselineError`] if a vector has another length, or a distance is not finite.
    pub fn score(&self, vectors: &ShiftVectors<'_>) -> Result<f64, BaselineError> {
        Ok(Relative::of(self.0.each_ref().map(Option::as_ref), vectors)?.largest()?.0)
    }

    /// The baseline with the scores of held-out inputs, which took no part in the distances.
    ///
    /// # Errors
    /// [`BaselineError`] if there are too few of them for the level, or one is not finite.
    pub fn baseline(
        self,
        held_out_scores: &[f64],
        alarm_level: f64,
    ) -> Result<ShiftBaseline, BaselineError> {
        let [distance, features, input, spectrum] = self.0;
        let held_out = HeldOut::new(held_out_scores, alarm_level)?;
        Ok(ShiftBaseline { distance, features, input, spectrum, held_out })
    }
}
