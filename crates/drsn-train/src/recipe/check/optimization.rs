//! Checks of the optimizer and the schedule of its learning rate.

use super::{Checked, not_negative, positive, ranges};
use crate::recipe::optimization::{OptimizerConfig, Schedule};

impl OptimizerConfig {
    pub(super) fn check(&self) -> Checked {
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
                "optimizer.momentum must be at least 0 and below 1, got {}",
                self.momentum
            ));
        }
        Ok(())
    }
}

impl Schedule {
    pub(super) fn check(&self) -> Checked {
        let share = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            Err(format!("schedule.{name} must be at least 0 and below 1, got {value}"))
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
