//! Checks of the noise in training.

use super::Checked;
use crate::recipe::noise::TrainingNoise;

impl TrainingNoise {
    /// Checks that exactly one strength is given, and that it is valid.
    pub(super) fn check(&self) -> Checked {
        let (name, [low, high]) = match (self.amplitude, self.snr_db) {
            (Some(range), None) => ("amplitude", range),
            (None, Some(range)) => ("snr_db", range),
            (Some(_), Some(_)) => {
                return Err("it has both amplitude and snr_db: remove one of them".to_owned());
            }
            (None, None) => {
                return Err(format!(
                    "the strength of the {} noise is missing: add amplitude = [from, to] or \
                     snr_db = [from, to]",
                    self.kind
                ));
            }
        };
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(format!(
                "{name} must be two finite numbers, the lower one first, got [{low}, {high}]"
            ));
        }
        if self.snr_db.is_some() && !self.kind.adds() {
            return Err(format!("{} has no power: replace snr_db with amplitude", self.kind));
        }
        if self.amplitude.is_some() && low < 0.0 {
            return Err(format!("amplitude must not be negative, got [{low}, {high}]"));
        }
        if !(0.0..=1.0).contains(&self.clean) {
            return Err(format!(
                "clean, the share of inputs without noise, must be between 0 and 1, got {}",
                self.clean
            ));
        }
        Ok(())
    }
}
