//! A fixed layer before the network: the power of a signal in bands of frequency, frame by frame.

use serde::{Deserialize, Serialize};

/// The layer before the first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FrontEndConfig {
    /// Logarithms of the power in bands of the mel scale.
    LogMel(LogMelConfig),
}

/// Frames of a signal, and bands of the mel scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMelConfig {
    /// Samples of a frame, to which a Hann window is applied.
    pub frame: usize,
    /// Samples between the centres of consecutive frames.
    pub hop: usize,
    /// Bands, which become the channels of the network.
    pub bands: usize,
    /// Lower end of the first band in hertz.
    pub low_hz: f64,
    /// Upper end of the last band in hertz; half the sample rate if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_hz: Option<f64>,
    /// Power that is added before the logarithm; 1 is that of white noise with variance 1.
    #[serde(default = "floor")]
    pub floor: f64,
}

impl LogMelConfig {
    /// The share of each bin of a frame's spectrum in each band, `[bands, frame / 2 + 1]`, at this
    /// sample rate in hertz. The bands are triangles at equal distances on the mel scale, each from
    /// the centre of the one before to that of the next, and their shares add up to one.
    ///
    /// Source: S. S. Stevens et al., 1937; the scale is that of D. O'Shaughnessy, "Speech
    /// Communication", 1987: `2595 · log10(1 + f / 700)`.
    pub fn shares(&self, rate: f64) -> Vec<Vec<f64>> {
        let mel = |hz: f64| 2_595.0 * (1.0 + hz / 700.0).log10();
        let hz = |mel: f64| 700.0 * (10.0_f64.powf(mel / 2_595.0) - 1.0);
        let (low, high) = (mel(self.low_hz), mel(self.high_hz.unwrap_or(rate / 2.0)));
        let edge = |n: usize| hz(low + (high - low) * n as f64 / (self.bands + 1) as f64);
        let band = |n: usize| {
            let (left, centre, right) = (edge(n), edge(n + 1), edge(n + 2));
            let height = |bin: usize| {
                let at = bin as f64 * rate / self.frame as f64;
                ((at - left) / (centre - left)).min((right - at) / (right - centre)).max(0.0)
            };
            let heights: Vec<f64> = (0..=self.frame / 2).map(height).collect();
            let sum: f64 = heights.iter().sum();
            heights.into_iter().map(|height| if sum > 0.0 { height / sum } else { 0.0 }).collect()
        };
        (0..self.bands).map(band).collect()
    }

    /// Checks the frequencies against the sample rate of the data, in hertz.
    ///
    /// # Errors
    /// What is wrong, and what to do, if the rate is unknown or a band has no bin of the spectrum.
    pub(crate) fn check_rate(&self, rate: Option<f64>) -> Result<(), String> {
        let Some(rate) = rate else {
            return Err(
                "network.front_end needs the sample rate of the recordings, which nothing \
                        tells: set data.sample_rate_hz"
                    .to_owned(),
            );
        };
        let high = self.high_hz.unwrap_or(rate / 2.0);
        if high > rate / 2.0 || self.low_hz >= high {
            return Err(format!(
                "network.front_end has bands from {} to {high} Hz, but recordings at {rate} Hz \
                 have frequencies up to {} Hz: set low_hz and high_hz within them",
                self.low_hz,
                rate / 2.0
            ));
        }
        let is_empty = |shares: &Vec<f64>| shares.iter().all(|share| *share <= 0.0);
        match self.shares(rate).iter().position(is_empty) {
            None => Ok(()),
            Some(band) => Err(format!(
                "band {band} of network.front_end lies between two frequencies of a frame, which \
                 are {:.1} Hz apart at {rate} Hz: use a longer frame or fewer bands",
                rate / self.frame as f64
            )),
        }
    }
}

fn floor() -> f64 {
    1e-4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(bands: usize) -> LogMelConfig {
        LogMelConfig { frame: 256, hop: 128, bands, low_hz: 60.0, high_hz: None, floor: 1e-4 }
    }

    #[test]
    fn bands_overlap_rise_and_share_out_one_each() {
        let shares = config(40).shares(8_000.0);
        let centre = |band: &Vec<f64>| -> f64 {
            band.iter().enumerate().map(|(bin, share)| bin as f64 * share).sum()
        };
        assert_eq!((shares.len(), shares[0].len()), (40, 129));
        assert!(shares.iter().all(|band| (band.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        assert!(shares.windows(2).all(|pair| centre(&pair[0]) < centre(&pair[1])));
    }

    #[test]
    fn bands_that_the_rate_cannot_have_are_refused_with_what_to_do() {
        let refused = |config: LogMelConfig, rate| config.check_rate(rate).unwrap_err();
        assert_eq!(config(40).check_rate(Some(8_000.0)), Ok(()));
        assert!(refused(config(40), None).contains("set data.sample_rate_hz"));
        assert!(refused(config(200), Some(8_000.0)).contains("use a longer frame or fewer bands"));
        let high = LogMelConfig { high_hz: Some(5_000.0), ..config(40) };
        assert!(refused(high, Some(8_000.0)).contains("frequencies up to 4000 Hz"));
    }
}
