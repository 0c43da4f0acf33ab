//! Checks of a recipe's fields, alone and against one another.

mod data;
mod network;
mod noise;
mod optimization;
#[cfg(test)]
mod tests;

use super::{ClassWeights, DataConfig, Recipe, RecipeError, Sampling};

/// The reason why a field is invalid, if it is.
type Checked = Result<(), String>;

impl Recipe {
    /// Checks all fields.
    ///
    /// # Errors
    /// [`RecipeError`] with the first invalid field.
    pub fn check(&self) -> Result<(), RecipeError> {
        self.check_fields().map_err(RecipeError::new)
    }

    fn check_fields(&self) -> Checked {
        ranges(&[
            ("epochs", self.epochs, 1, 1_000_000),
            // Normalization needs a variance.
            ("batch", self.batch, 2, 1_000_000),
            ("shards", self.ghost_batches, 1, 1_024),
        ])?;
        if self.batch / self.ghost_batches < 2 {
            return Err(format!(
                "shards must leave each part of a batch of {} at least two inputs, got {}",
                self.batch, self.ghost_batches
            ));
        }
        if let Some(early) = self.early_stopping {
            ranges(&[("early_stopping.patience", early.patience, 1, 1_000_000)])?;
        }
        if self.sampling == Sampling::Balanced && self.class_weights == ClassWeights::Balanced {
            return Err(
                "class_weights and sampling are both \"balanced\", which would count small \
                        classes too much: set one of them to \"equal\""
                    .to_owned(),
            );
        }
        if let Some(start) = &self.start {
            ranges(&[("start.freeze", start.freeze, 0, self.network.stages.len())])?;
        }
        not_negative(&[("position_loss", self.position_loss)])?;
        self.data.check()?;
        self.network.check()?;
        self.optimizer.check()?;
        self.schedule.check()?;
        if let Some(noise) = &self.noise {
            noise.check().map_err(|reason| format!("noise: {reason}"))?;
        }
        self.check_augmentation()
    }

    fn check_augmentation(&self) -> Checked {
        let augmentation = &self.augmentation;
        ranges(&[
            ("augmentation.crop", augmentation.crop, 0, 4_096),
            ("augmentation.shift", augmentation.shift, 0, 1 << 30),
        ])?;
        not_negative(&[("augmentation.gain_db", augmentation.gain_db)])?;
        let is_image = match self.data {
            DataConfig::Idx(_) | DataConfig::Cifar10(_) | DataConfig::Images(_) => true,
            DataConfig::Signals(_) | DataConfig::Windows(_) => false,
        };
        if matches!(self.data, DataConfig::Windows(_)) && augmentation.shift > 0 {
            return Err(
                "augmentation.shift moves a window within its recording, but windows that \
                        were cut beforehand have none around them: remove it"
                    .to_owned(),
            );
        }
        if !(0.0..=1.0).contains(&augmentation.splice) {
            let got = augmentation.splice;
            return Err(format!("augmentation.splice must be between 0 and 1, got {got}"));
        }
        let for_signals = augmentation.gain_db > 0.0
            || augmentation.shift > 0
            || augmentation.splice > 0.0
            || self.position_loss > 0.0;
        let for_images = augmentation.flip || augmentation.crop > 0;
        if is_image && self.network.front_end.is_some() {
            return Err("network.front_end is for signals, but the data are images".to_owned());
        }
        if is_image && for_signals {
            let fields =
                "augmentation.gain_db, augmentation.shift, augmentation.splice and position_loss";
            return Err(format!("{fields} are for signals, but the data are images"));
        }
        if !is_image && for_images {
            let fields = "augmentation.flip and augmentation.crop";
            return Err(format!("{fields} are for images, but the data are signals"));
        }
        Ok(())
    }
}

/// Rejects the first field out of range; each is `(name, value, minimum, maximum)`.
fn ranges(fields: &[(&str, usize, usize, usize)]) -> Checked {
    let outside =
        |&&(_, value, least, most): &&(&str, usize, usize, usize)| !(least..=most).contains(&value);
    let Some((field, value, least, most)) = fields.iter().find(outside) else { return Ok(()) };
    Err(format!("{field} must be between {least} and {most}, got {value}"))
}

/// Rejects the first field that is not positive and finite as a 32-bit float, which training
/// computes with.
fn positive(fields: &[(&str, f64)]) -> Checked {
    let wrong = |&&(_, value): &&(&str, f64)| !((value as f32).is_finite() && value as f32 > 0.0);
    let Some((field, value)) = fields.iter().find(wrong) else { return Ok(()) };
    Err(format!("{field} must be a positive number, got {value}"))
}

/// Rejects the first field that is negative, or not finite as a 32-bit float.
fn not_negative(fields: &[(&str, f64)]) -> Checked {
    let wrong = |&&(_, value): &&(&str, f64)| !((value as f32).is_finite() && value >= 0.0);
    let Some((field, value)) = fields.iter().find(wrong) else { return Ok(()) };
    Err(format!("{field} must be at least 0, got {value}"))
}
