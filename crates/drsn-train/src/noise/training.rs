//! Noise of random strength, drawn for each training input.

use rand::{Rng, RngExt as _};

use crate::recipe::{Noise, NoiseStrength, TrainingNoise};

impl TrainingNoise {
    /// Draws the noise of one input; `None` if the input stays clean. Consumes two random numbers,
    /// whether the input stays clean and the strength, or only the first if it stays clean.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Option<Noise> {
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
