//! Noise and other disturbances: kind and strength.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// Distributions of noise, and other disturbances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseKind {
    /// U(0, 1), with mean 0.5, as in the programs of the paper's first author.
    Uniform,
    /// Normal, mean zero.
    Gaussian,
    /// Laplacian, mean zero.
    Laplacian,
    /// Power proportional to 1/f, mean zero.
    Pink,
    /// Sets a share of the values to the input's maximum, such as `salt:0.05`.
    Salt,
    /// Sets a share of the values to zero, such as `drop:0.1`.
    Drop,
    /// Multiplies all values by a factor, such as `gain:2`.
    Gain,
}

/// Strength of noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoiseStrength {
    /// Factor of the noise: the width of U(0, 1), or the standard deviation of the others, in the
    /// raw input's unit; the share of `salt` and `drop`; the factor of `gain`.
    Amplitude(f64),
    /// 10 · log10(signal power / noise power) in decibels. The signal power is the variance of the
    /// raw window, before normalisation.
    SnrDb(f64),
}

/// Noise of fixed strength. Its text form is `gaussian@-5dB` or `uniform:0.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The distribution.
    pub kind: NoiseKind,
    /// The strength.
    pub strength: NoiseStrength,
}

/// Noise of random strength in training: exactly one of `amplitude` and `snr_db` is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingNoise {
    /// The distribution.
    pub kind: NoiseKind,
    /// Range of the amplitude, which is drawn for each input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amplitude: Option<[f64; 2]>,
    /// Range of the signal-to-noise ratio in decibels, which is drawn for each input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<[f64; 2]>,
    /// Share of the inputs that stay clean.
    #[serde(default)]
    pub clean: f64,
    /// Whether an input has the same noise in every epoch.
    #[serde(default)]
    pub drawn_once: bool,
}

impl TrainingNoise {
    /// Describes the noise, such as `uniform noise of amplitude 0 to 0.5`.
    pub(crate) fn describe(&self) -> String {
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
}

impl NoiseKind {
    /// Whether the noise is added to the input, and so has a power.
    pub(crate) fn adds(self) -> bool {
        match self {
            Self::Uniform | Self::Gaussian | Self::Laplacian | Self::Pink => true,
            Self::Salt | Self::Drop | Self::Gain => false,
        }
    }
}

impl fmt::Display for NoiseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Gaussian => "gaussian",
            Self::Laplacian => "laplacian",
            Self::Pink => "pink",
            Self::Salt => "salt",
            Self::Drop => "drop",
            Self::Gain => "gain",
        })
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strength {
            NoiseStrength::Amplitude(amplitude) => write!(f, "{}:{amplitude}", self.kind),
            NoiseStrength::SnrDb(decibels) => write!(f, "{}@{decibels}dB", self.kind),
        }
    }
}

impl FromStr for Noise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not a valid noise: expected uniform, gaussian, laplacian or pink \
                 with an amplitude (uniform:0.5) or a signal-to-noise ratio (gaussian@-5dB), salt \
                 or drop with a share of the values (salt:0.05), or gain with a factor (gain:2)"
            )
        };
        let kind = |word: &str| match word {
            "uniform" => Ok(NoiseKind::Uniform),
            "gaussian" => Ok(NoiseKind::Gaussian),
            "laplacian" => Ok(NoiseKind::Laplacian),
            "pink" => Ok(NoiseKind::Pink),
            "salt" => Ok(NoiseKind::Salt),
            "drop" => Ok(NoiseKind::Drop),
            "gain" => Ok(NoiseKind::Gain),
            _ => Err(wrong()),
        };
        let number = |text: &str| {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(wrong)
        };
        if let Some((word, decibels)) = text.split_once('@') {
            let decibels = decibels.strip_suffix("dB").ok_or_else(wrong)?;
            let (kind, strength) = (kind(word)?, NoiseStrength::SnrDb(number(decibels)?));
            return if kind.adds() { Ok(Self { kind, strength }) } else { Err(wrong()) };
        }
        let (word, amplitude) = text.split_once(':').ok_or_else(wrong)?;
        let amplitude = number(amplitude)?;
        let kind = kind(word)?;
        let share = matches!(kind, NoiseKind::Salt | NoiseKind::Drop);
        if amplitude < 0.0 || (share && amplitude > 1.0) {
            return Err(wrong());
        }
        Ok(Self { kind, strength: NoiseStrength::Amplitude(amplitude) })
    }
}

impl Serialize for Noise {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Noise {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_read_as_it_is_written() {
        for text in
            ["gaussian@-5dB", "uniform:0.5", "pink@0dB", "laplacian:2", "salt:0.05", "gain:2"]
        {
            assert_eq!(text.parse::<Noise>().map(|noise| noise.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_noise_is_refused_with_examples() {
        for text in [
            "",
            "gaussian",
            "gaussian@5",
            "white:1",
            "uniform:-1",
            "pink@NaNdB",
            "pink:inf",
            "salt:2",
            "gain@3dB",
        ] {
            assert!(text.parse::<Noise>().is_err_and(|reason| reason.contains("gaussian@-5dB")));
        }
    }
}
