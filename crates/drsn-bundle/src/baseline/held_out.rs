//! Ranks among held-out inputs.

use serde::{Deserialize, Serialize};

use super::{BaselineError, Numbers, held_out_needed};

/// Most values stored. Of more, this many order statistics at evenly spaced ranks are kept.
const MAX_STORED: u64 = 5000;
/// Most inputs: far above every data set, and far below any overflow.
const MAX_INPUTS: u64 = 1 << 40;

/// How unusual held-out inputs were: the larger the value, the more unusual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeldOut {
    /// Number n of inputs.
    pub count: u64,
    /// Their values, ascending, as base64 of little-endian 32-bit floats: all of them up to 5,000.
    /// Of more, 5,000 order statistics: value j, from 0, has the rank (j + 1) · n / 5,000, rounded
    /// down, from 1.
    #[cfg_attr(test, schemars(with = "String"))]
    pub values: Numbers,
}

impl HeldOut {
    /// Sorts the values, and thins them if there are too many.
    ///
    /// # Errors
    /// [`BaselineError`] if a value is not finite as a 32-bit float, or there are too few of them
    /// for the level.
    pub fn new(values: &[f64], alarm_level: f64) -> Result<Self, BaselineError> {
        let needed = held_out_needed(alarm_level)?;
        let count = values.len() as u64;
        if count < needed {
            return Err(BaselineError::TooFewHeldOut { alarm_level, needed, found: count });
        }
        let mut all: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        if !all.iter().all(|value| value.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        all.sort_by(f32::total_cmp);
        let stored = count.min(MAX_STORED);
        let kept = (0..stored).map(|j| all[rank(j, count, stored) as usize - 1]);
        Ok(Self { count, values: kept.collect::<Vec<f32>>().into() })
    }

    /// (1 + held-out inputs at least as far) / (1 + held-out inputs). If only order statistics are
    /// stored, it is the largest value that they allow.
    pub fn p_value(&self, value: f64) -> f64 {
        let below = self.values.partition_point(|&stored| f64::from(stored) < value) as u64;
        let surely_below =
            if below == 0 { 0 } else { rank(below - 1, self.count, self.values.len() as u64) };
        (1 + self.count - surely_below) as f64 / (1 + self.count) as f64
    }

    /// The value above which an input alarms at this level.
    pub fn alarm_above(&self, alarm_level: f64) -> f32 {
        let usual = |&value: &f32| self.p_value(f64::from(value)) >= alarm_level;
        let count = self.values.partition_point(usual);
        count.checked_sub(1).map_or(0.0, |last| self.values[last])
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.count > MAX_INPUTS || self.values.len() as u64 != self.count.min(MAX_STORED) {
            return Err(format!(
                "{} held-out inputs have {} values",
                self.count,
                self.values.len()
            ));
        }
        if !self.values.iter().all(|value| value.is_finite()) || !self.values.is_sorted() {
            return Err("the values of the held-out inputs must be finite and ascending".to_owned());
        }
        Ok(())
    }
}

/// Rank, from 1, of the value stored at position j.
fn rank(j: u64, count: u64, stored: u64) -> u64 {
    (j + 1) * count / stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_is_the_share_at_least_as_far() {
        let values: Vec<f64> = (1..=199).rev().map(f64::from).collect();
        let held_out = HeldOut::new(&values, 0.01).unwrap();
        for (value, expected) in [(0.0, 200), (1.0, 200), (1.5, 199), (199.0, 2), (200.0, 1)] {
            assert!((held_out.p_value(value) - f64::from(expected) / 200.0).abs() < 1e-12);
        }
    }

    #[test]
    fn p_values_of_order_statistics_are_close_and_never_too_small() {
        let values: Vec<f64> = (0..12_345).map(f64::from).collect();
        let held_out = HeldOut::new(&values, 0.01).unwrap();
        assert_eq!((held_out.values.len(), held_out.count), (5000, 12_345));
        assert_eq!(held_out.check(), Ok(()));
        for value in (0..12_400).step_by(7).map(f64::from) {
            let exact = (1.0 + (12_345.0 - value).max(0.0)) / 12_346.0;
            let found = held_out.p_value(value);
            assert!(found >= exact - 1e-12 && found <= exact + 1.0 / 4000.0, "{value}: {found}");
        }
        assert!((held_out.p_value(1e9) - 1.0 / 12_346.0).abs() < 1e-12);
    }

    #[test]
    fn an_input_alarms_above_the_value_that_is_named_and_not_at_it() {
        for count in [100, 199, 367, 5_000, 12_345] {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            let held_out = HeldOut::new(&values, 0.01).unwrap();
            let above = f64::from(held_out.alarm_above(0.01));
            assert!(
                held_out.p_value(above) >= 0.01 && held_out.p_value(above + 0.5) < 0.01,
                "{count}"
            );
        }
    }

    #[test]
    fn fewer_than_the_level_needs_are_rejected_with_both_numbers() {
        assert!(HeldOut::new(&[1.0; 100], 0.01).is_ok());
        let error = HeldOut::new(&[1.0; 99], 0.01).unwrap_err().to_string();
        assert_eq!(
            error,
            "an alarm level of 0.01 needs at least 100 held-out inputs, and there are 99"
        );
        assert_eq!(HeldOut::new(&[f64::NAN; 200], 0.01), Err(BaselineError::NotFinite));
        assert!(HeldOut::new(&[1.0; 200], 1.0).is_err());
    }
}
