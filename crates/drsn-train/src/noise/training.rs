//! Noise of random strength, drawn for each input of a training.

use rand::{Rng, RngExt as _};

use crate::recipe::{Noise, NoiseStrength, TrainingNoise};

impl TrainingNoise {
    /// Checks that the description says one thing, and something that can be.
    ///
    /// # Errors
    /// What is wrong, in words that follow the name of the field or table.
    pub fn check(&self) -> Result<(), String> {
        let (name, [low, high]) = match (self.amplitude, self.snr_db) {
            (Some(range), None) => ("amplitude", range),
            (None, Some(range)) => ("snr_db", range),
            (Some(_), Some(_)) => {
                return Err("has both amplitude and snr_db: leave one of them out".to_owned());
            }
            (None, None) => {
                return Err(format!(
                    "does not say how strong the {} noise is: add amplitude = [from, to] or snr_db = [from, to]",
                    self.kind
                ));
            }
        };
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(format!(
                "has {name} = [{low}, {high}]: write two finite numbers, the lower one first"
            ));
        }
        if self.snr_db.is_some() && !self.kind.adds() {
            return Err(format!(
                "has snr_db, and {} has no power: give it an amplitude",
                self.kind
            ));
        }
        if self.amplitude.is_some() && low < 0.0 {
            return Err(format!("has amplitude = [{low}, {high}]: an amplitude is not negative"));
        }
        if !(0.0..=1.0).contains(&self.clean) {
            return Err(format!(
                "has clean = {}: the share of inputs without noise lies between 0 and 1",
                self.clean
            ));
        }
        Ok(())
    }

    /// The noise in words, as `uniform noise of amplitude 0 to 0.5`.
    pub fn in_words(&self) -> String {
        let strength = match (self.amplitude, self.snr_db) {
            (Some([low, high]), _) => format!("of amplitude {low} to {high}"),
            (None, Some([low, high])) => format!("at {low} to {high} dB"),
            (None, None) => String::new(),
        };
        let clean = if self.clean > 0.0 {
            format!(", {:.0} % of the inputs clean", 100.0 * self.clean)
        } else {
            String::new()
        };
        format!("{} noise {strength}{clean}", self.kind)
    }

    /// The noise of one input, none where it stays clean. Draws two numbers, one for each of these questions,
    /// or only the first where it stays clean.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<Noise> {
        if rng.random::<f64>() < self.clean {
            return None;
        }
        let between = |[low, high]: [f64; 2], share: f64| low + (high - low) * share;
        let share = rng.random::<f64>();
        let strength = match (self.amplitude, self.snr_db) {
            (Some(range), _) => NoiseStrength::Amplitude(between(range, share)),
            (None, Some(range)) => NoiseStrength::SnrDb(between(range, share)),
            (None, None) => return None,
        };
        Some(Noise { kind: self.kind, strength })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::{Purpose, stream},
        recipe::NoiseKind,
    };

    fn noise(amplitude: Option<[f64; 2]>, snr_db: Option<[f64; 2]>, clean: f64) -> TrainingNoise {
        TrainingNoise { kind: NoiseKind::Pink, amplitude, snr_db, clean, drawn_once: false }
    }

    #[test]
    fn ranges_that_cannot_be_are_refused_by_their_name() {
        let refused = [
            (noise(None, None, 0.0), "how strong the pink noise"),
            (noise(Some([0.0, 1.0]), Some([0.0, 1.0]), 0.0), "both"),
            (noise(Some([-1.0, 1.0]), None, 0.0), "not negative"),
            (noise(Some([2.0, 1.0]), None, 0.0), "lower one first"),
            (noise(None, Some([0.0, f64::NAN]), 0.0), "finite"),
            (noise(None, Some([-5.0, f64::INFINITY]), 0.0), "finite"),
            (noise(None, Some([-5.0, 5.0]), 1.5), "clean = 1.5"),
            (noise(None, Some([-5.0, 5.0]), f64::NAN), "clean = NaN"),
        ];
        for (noise, word) in refused {
            let reason = noise.check().unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
        assert_eq!(noise(None, Some([-5.0, 5.0]), 0.2).check(), Ok(()));
        assert_eq!(noise(Some([1.0, 1.0]), None, 1.0).check(), Ok(()));
    }

    #[test]
    fn strengths_fill_their_range_and_the_clean_share_stays_clean() {
        let training = noise(None, Some([-5.0, 15.0]), 0.25);
        let drawn: Vec<_> =
            (0..4_000).map(|i| training.draw(&mut stream(1, Purpose::Training, 0, i))).collect();
        let clean = drawn.iter().filter(|noise| noise.is_none()).count();
        assert!((900..1_100).contains(&clean), "{clean}");
        let decibels: Vec<f64> = drawn
            .iter()
            .flatten()
            .map(|noise| match noise.strength {
                NoiseStrength::SnrDb(decibels) => decibels,
                NoiseStrength::Amplitude(_) => f64::NAN,
            })
            .collect();
        assert!(decibels.iter().all(|d| (-5.0..15.0).contains(d)));
        let mean = decibels.iter().sum::<f64>() / decibels.len() as f64;
        assert!((mean - 5.0).abs() < 0.5, "{mean}");
    }

    #[test]
    fn all_or_none_stay_clean_where_the_share_says_so() {
        for index in 0..100 {
            let mut rng = stream(1, Purpose::Training, 0, index);
            assert_eq!(noise(None, Some([0.0, 1.0]), 1.0).draw(&mut rng), None);
            assert!(noise(None, Some([0.0, 1.0]), 0.0).draw(&mut rng).is_some());
        }
    }
}
