//! What the fields of a recipe demand by themselves and of one another.

use super::{DataConfig, NetworkConfig, OptimizerConfig, Recipe, Schedule, SignalConfig, Split};
use crate::TrainError;

type Checked = Result<(), String>;

impl Recipe {
    /// Checks the recipe.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the first field that cannot be.
    pub fn check(&self) -> Result<(), TrainError> {
        self.check_fields().map_err(|reason| TrainError::Config { reason })
    }

    fn check_fields(&self) -> Checked {
        ranges(&[
            ("epochs", self.epochs, 1, 1_000_000),
            // Normalization needs a spread.
            ("batch", self.batch, 2, 1_000_000),
            ("shards", self.shards, 1, 1_024),
        ])?;
        if self.batch / self.shards < 2 {
            return Err(format!(
                "shards must leave at least two inputs of a batch of {} to each, and is {}",
                self.batch, self.shards
            ));
        }
        if let Some(early) = self.early_stopping {
            ranges(&[("early_stopping.patience", early.patience, 1, 1_000_000)])?;
        }
        self.data.check()?;
        self.network.check()?;
        self.optimizer.check()?;
        self.schedule.check()?;
        if let Some(noise) = &self.noise {
            noise.check().map_err(|reason| format!("noise: {reason}"))?;
        }
        let augmentation = &self.augmentation;
        ranges(&[
            ("augmentation.crop", augmentation.crop, 0, 4_096),
            ("augmentation.shift", augmentation.shift, 0, 1 << 30),
        ])?;
        not_negative(&[("augmentation.gain_db", augmentation.gain_db)])?;
        let image = matches!(
            self.data,
            DataConfig::Idx(_) | DataConfig::Cifar10(_) | DataConfig::Images(_)
        );
        if image && (augmentation.gain_db > 0.0 || augmentation.shift > 0) {
            return Err("augmentation.gain_db and augmentation.shift are for signals, and the data are pictures".to_owned());
        }
        if !image && (augmentation.flip || augmentation.crop > 0) {
            return Err("augmentation.flip and augmentation.crop are for pictures, and the data are signals".to_owned());
        }
        Ok(())
    }
}

impl DataConfig {
    fn check(&self) -> Checked {
        match self {
            Self::Idx(set) | Self::Cifar10(set) => {
                ranges(&[("data.held_out", set.held_out, 1, 1_000_000)])
            }
            Self::Images(images) => {
                ranges(&[
                    ("data.height", images.height, 1, 4_096),
                    ("data.width", images.width, 1, 4_096),
                ])?;
                if !matches!(images.channels, 1 | 3) {
                    return Err(format!(
                        "data.channels must be 1 or 3, and is {}",
                        images.channels
                    ));
                }
                images.split.check()
            }
            Self::Signals(signals) => signals.check(),
        }
    }
}

impl SignalConfig {
    fn check(&self) -> Checked {
        ranges(&[
            ("data.window", self.window, 1, 1 << 24),
            ("data.hop", self.hop, 1, 1 << 24),
            ("data.test_hop", self.test_hop.unwrap_or(1), 1, 1 << 24),
        ])?;
        if let Some(rate) = self.sample_rate_hz {
            positive(&[("data.sample_rate_hz", rate)])?;
        } else if self.resample {
            return Err(
                "data.resample needs data.sample_rate_hz, the rate to resample to".to_owned()
            );
        }
        self.split.check()
    }
}

impl Split {
    fn check(&self) -> Checked {
        let share = |name: &str, share: f64| {
            if (0.0..1.0).contains(&share) {
                return Ok(());
            }
            Err(format!("data.split.{name} must be a share from 0 to below 1, and is {share}"))
        };
        match self {
            Self::Time { training, held_out } => {
                share("training", *training)?;
                share("held_out", *held_out)?;
                if *training <= 0.0 || *held_out <= 0.0 || training + held_out > 1.0 {
                    return Err(format!(
                        "data.split.training and data.split.held_out must be above 0 and at most 1 together, and are \
                         {training} and {held_out}"
                    ));
                }
                Ok(())
            }
            Self::Group { held_out_share, held_out, .. } => {
                share("held_out_share", *held_out_share)?;
                if held_out.is_empty() && *held_out_share <= 0.0 {
                    return Err("data.split needs held_out groups or a held_out_share".to_owned());
                }
                Ok(())
            }
            Self::List => Ok(()),
            Self::Random { held_out, test } => {
                share("held_out", *held_out)?;
                share("test", *test)?;
                if *held_out <= 0.0 || held_out + test >= 1.0 {
                    return Err(format!(
                        "data.split.held_out must be above 0, and below 1 together with test, and they are {held_out} \
                         and {test}"
                    ));
                }
                Ok(())
            }
        }
    }
}

impl NetworkConfig {
    fn check(&self) -> Checked {
        ranges(&[
            ("network.stem.channels", self.stem.channels, 1, 4_096),
            ("network.stem.kernel", self.stem.kernel, 1, 1_024),
            ("network.stem.stride", self.stem.stride, 1, 64),
            ("network.stages", self.stages.len(), 1, 100),
            ("network.kernel", self.kernel, 1, 64),
            ("network.threshold_reduction", self.threshold_reduction, 1, 4_096),
        ])?;
        positive(&[("network.norm_epsilon", self.norm_epsilon)])?;
        if !(0.0..1.0).contains(&self.norm_momentum) {
            return Err(format!(
                "network.norm_momentum must be a share from 0 to below 1, and is {}",
                self.norm_momentum
            ));
        }
        let mut width = self.stem.channels;
        for (index, stage) in self.stages.iter().enumerate() {
            let field = |name: &str| format!("{name} of network.stages, number {},", index + 1);
            ranges(&[
                (&field("channels"), stage.channels, 1, 4_096),
                (&field("blocks"), stage.blocks, 1, 1_000),
                (&field("stride"), stage.stride, 1, 64),
            ])?;
            if stage.channels < width {
                return Err(format!(
                    "stage {} has {} channels and gets {width}: a shortcut can add channels, not remove them",
                    index + 1,
                    stage.channels
                ));
            }
            width = stage.channels;
        }
        Ok(())
    }
}

impl OptimizerConfig {
    fn check(&self) -> Checked {
        positive(&[
            ("optimizer.learning_rate", self.learning_rate),
            ("optimizer.epsilon", self.epsilon),
        ])?;
        not_negative(&[
            ("optimizer.weight_decay", self.weight_decay),
            ("optimizer.l2.lambda", self.l2.map_or(0.0, |l2| l2.lambda)),
        ])?;
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(format!(
                "optimizer.momentum must be a share from 0 to below 1, and is {}",
                self.momentum
            ));
        }
        Ok(())
    }
}

impl Schedule {
    fn check(&self) -> Checked {
        let share = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            Err(format!("schedule.{name} must be a share from 0 to below 1, and is {value}"))
        };
        match self {
            Self::Constant => Ok(()),
            Self::Step { factor, .. } => positive(&[("schedule.factor", *factor)]),
            Self::Staircase { steps, factor } => {
                ranges(&[("schedule.steps", *steps, 1, usize::MAX)])?;
                positive(&[("schedule.factor", *factor)])
            }
            Self::Cosine { warm_up } => share("warm_up", *warm_up),
            Self::OneCycle { warm_up, start_divisor, end_divisor } => {
                share("warm_up", *warm_up)?;
                positive(&[
                    ("schedule.start_divisor", *start_divisor),
                    ("schedule.end_divisor", *end_divisor),
                ])
            }
        }
    }
}

/// Refuses the first field, given with its value, that is not between its least and its largest value.
fn ranges(fields: &[(&str, usize, usize, usize)]) -> Checked {
    let outside =
        |&&(_, value, least, most): &&(&str, usize, usize, usize)| !(least..=most).contains(&value);
    let Some((field, value, least, most)) = fields.iter().find(outside) else { return Ok(()) };
    Err(format!("{field} must be between {least} and {most}, and is {value}"))
}

/// What is computed in 32 bits must be a number there, too.
fn positive(fields: &[(&str, f64)]) -> Checked {
    let wrong = |&&(_, value): &&(&str, f64)| !((value as f32).is_finite() && value as f32 > 0.0);
    let Some((field, value)) = fields.iter().find(wrong) else { return Ok(()) };
    Err(format!("{field} must be a positive number, and is {value}"))
}

fn not_negative(fields: &[(&str, f64)]) -> Checked {
    let wrong = |&&(_, value): &&(&str, f64)| !((value as f32).is_finite() && value >= 0.0);
    let Some((field, value)) = fields.iter().find(wrong) else { return Ok(()) };
    Err(format!("{field} must be a number of at least 0, and is {value}"))
}

#[cfg(test)]
mod tests {
    use crate::recipe::preset;

    #[test]
    fn hostile_recipes_are_refused_by_the_field() {
        for (preset_name, setting, field) in [
            ("mnist", "epochs=0", "epochs"),
            ("mnist", "batch=1", "batch"),
            ("mnist", "shards=100", "shards"),
            ("mnist", "data.held_out=0", "data.held_out"),
            ("mnist", "network.stem={channels=5000,kernel=3,stride=1}", "network.stem.channels"),
            ("mnist", "network.stages=[]", "network.stages"),
            ("mnist", "network.stages=[{channels=16,blocks=1001,stride=1}]", "blocks"),
            ("mnist", "network.stages=[{channels=8,blocks=1,stride=1}]", "stage 1 has 8 channels"),
            ("mnist", "network.norm_momentum=1.0", "network.norm_momentum"),
            ("mnist", "network.norm_epsilon=1e-300", "network.norm_epsilon"),
            ("mnist", "optimizer.learning_rate=0", "optimizer.learning_rate"),
            ("mnist", "optimizer.weight_decay=1e300", "optimizer.weight_decay"),
            ("mnist", "schedule.warm_up=1.5", "schedule.warm_up"),
            ("mnist", "noise.amplitude=[0.5,0.1]", "noise"),
            ("mnist", "augmentation.gain_db=3", "for signals"),
            ("bearing", "augmentation.flip=true", "for pictures"),
            ("bearing", "data.hop=0", "data.hop"),
            ("bearing", "data.split.training=0.97", "at most 1 together"),
            ("bearing", "data.split.held_out=-1", "data.split.held_out"),
        ] {
            let refusal = preset(preset_name)
                .and_then(|recipe| recipe.set(&[setting]))
                .and_then(|recipe| recipe.check())
                .map_err(|e| e.to_string());
            assert!(refusal.clone().is_err_and(|r| r.contains(field)), "{setting}: {refusal:?}");
        }
    }
}
