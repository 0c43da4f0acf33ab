//! Intervals of 95 % for accuracies, over what is independent: inputs, files or groups.
//!
//! Windows of one recording resemble each other, so many windows of few recordings say less than
//! their number suggests. Of independent inputs the interval is Wilson's; of files and groups it is
//! that of a beta-binomial model ([`clustered`]).

mod clustered;
mod gamma;

use serde::{Deserialize, Serialize};

/// 97.5 % quantile of the normal distribution: for intervals of 95 %.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// What is taken as independent of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndependentUnit {
    /// Single inputs, such as pictures.
    #[default]
    Inputs,
    /// Files of recordings.
    Files,
    /// Groups that the data names.
    Groups,
}

impl IndependentUnit {
    /// A number of them in words.
    pub(crate) fn count(self, count: usize) -> String {
        let names = self.plural();
        let name = if count == 1 { names.trim_end_matches('s') } else { names };
        format!("{count} {name}")
    }

    /// Several of them in words.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Files => "files",
            Self::Groups => "groups",
        }
    }
}

/// The interval of 95 % for an accuracy, from the correct and all inputs of each independent unit;
/// `None` if there are fewer than two units.
pub(super) fn interval(unit: IndependentUnit, units: &[(usize, usize)]) -> Option<[f64; 2]> {
    if units.len() < 2 {
        return None;
    }
    let (right, inputs) = units.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Some(match unit {
        IndependentUnit::Inputs => wilson(right, inputs),
        IndependentUnit::Files | IndependentUnit::Groups => clustered::clustered(units),
    })
}

/// Wilson's 95 % score interval for a share, within [0, 1]; [0, 1] if there are no inputs.
///
/// Unlike mean ± 1.96 standard errors, it keeps its level near 0 and 1, where good models are.
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// 1927.
pub(crate) fn wilson(right: usize, inputs: usize) -> [f64; 2] {
    if inputs == 0 {
        return [0.0, 1.0];
    }
    let n = inputs as f64;
    let share = right as f64 / n;
    let square = QUANTILE * QUANTILE;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half =
        QUANTILE / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    // Rounding may put the share itself outside if all or no inputs are correct.
    [(middle - half).max(0.0).min(share), (middle + half).min(1.0).max(share)]
}

#[cfg(test)]
mod tests;
