//! The sample rate that the lines before a table state, as scopes and loggers write them:
//! `Sample Interval,0.00002`, `# Sampling rate: 48 kHz`, `Delta_X;0.0001`.

use super::{
    cells::{may_group_digits, number},
    names::unit_of_time,
};

/// Units of frequency in Hz.
const HERTZ: [(&str, f64); 5] =
    [("hz", 1.0), ("khz", 1e3), ("mhz", 1e6), ("s/s", 1.0), ("ks/s", 1e3)];

/// What a key states.
enum Quantity {
    Rate,
    Interval,
}

/// The rate in Hz, if the lines state one and do not contradict each other.
pub(super) fn stated_rate<'a>(lines: impl Iterator<Item = &'a str>) -> Option<f64> {
    let mut rates = lines.filter_map(rate);
    let first = rates.next()?;
    rates.all(|rate| (rate - first).abs() <= 1e-3 * first).then_some(first)
}

/// The rate that a line states.
pub(super) fn rate(line: &str) -> Option<f64> {
    let line = line.trim_start_matches(['#', '%', ' ', '"']);
    let (key, value) = line.split_once([',', ';', '\t', ':', '='])?;
    let (key, key_unit) = match key.split_once(['(', '[']) {
        Some((key, unit)) => (key, unit.trim_end_matches([')', ']', ' ', '"'])),
        None => (key, ""),
    };
    let quantity = quantity(key)?;
    let value = value.trim_matches([',', ';', '\t', '"', ' ', ':', '=']);
    let end = value.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'));
    let (value, unit) = value.split_at_checked(end.unwrap_or(value.len()))?;
    // `48,000` is 48 or 48000.
    if may_group_digits(value.trim()) {
        return None;
    }
    let first = || number(value.split([',', ';', '\t']).next()?.trim());
    let value = number(value.trim()).or_else(first)?.value;
    let unit = unit.split([',', ';', '\t', '"']).next()?.trim();
    let unit = if unit.is_empty() { key_unit } else { unit };
    let rate = match quantity {
        Quantity::Rate => value * if unit.is_empty() { 1.0 } else { hertz(unit)? },
        Quantity::Interval => {
            1.0 / (value * if unit.is_empty() { 1.0 } else { unit_of_time(unit)? })
        }
    };
    (rate.is_finite() && rate > 0.0).then(|| whole(rate))
}

/// An interval of a few digits is that of a whole rate: 0.0000208333 s is 48 kHz.
fn whole(rate: f64) -> f64 {
    let whole = rate.round();
    if whole >= 1.0 && (rate - whole).abs() <= 1e-5 * rate { whole } else { rate }
}

fn quantity(key: &str) -> Option<Quantity> {
    let key: String = key.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let is_sampling = ["sampl", "scan", "abtast", "acquisition"].iter().any(|w| key.contains(w));
    let is_rate = ["rate", "freq", "persec"].iter().any(|word| key.contains(word));
    let is_interval = ["interval", "period", "increment"].iter().any(|word| key.contains(word));
    match &key[..] {
        "fs" | "fshz" | "srate" | "samplespersecond" => Some(Quantity::Rate),
        "dt" | "deltat" | "deltax" | "xincrement" | "xinc" | "xincr" | "horizontalinterval" => {
            Some(Quantity::Interval)
        }
        _ if is_sampling && is_rate => Some(Quantity::Rate),
        _ if is_sampling && is_interval => Some(Quantity::Interval),
        _ => None,
    }
}

fn hertz(unit: &str) -> Option<f64> {
    let unit = unit.trim().to_lowercase();
    HERTZ.iter().find(|(name, _)| *name == unit).map(|&(_, hertz)| hertz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_or_an_interval_is_stated_in_the_words_of_loggers() {
        for (line, expected) in [
            ("Sample Interval,0.0000208333", Some(48_000.0)),
            ("Sample Interval,2.083333E-05,s", Some(48_000.0)),
            ("# Sampling rate: 48 kHz", Some(48_000.0)),
            ("Sampling Frequency [Hz];12000", Some(12_000.0)),
            ("\"Sample Rate\",\"25600 Hz\"", Some(25_600.0)),
            ("Delta_X\t0.000100", Some(10_000.0)),
            ("fs=1000", Some(1000.0)),
            ("sample interval (ms): 0,5", Some(2000.0)),
            ("Record Length,Analog:2048", None),
            ("Sample Interval,0", None),
            ("# Sampling rate: 48,000 Hz", None),
            ("Sample Rate,48,000", None),
            ("Sample rate,fast", None),
            ("Sample rate,48 furlongs", None),
            ("Samples,2048", None),
        ] {
            assert_eq!(rate(line), expected, "{line:?}");
        }
        assert_eq!(stated_rate(["fs=1000", "dt=0.001", "x"].into_iter()), Some(1000.0));
        assert_eq!(stated_rate(["fs=1000", "dt=0.002"].into_iter()), None);
    }
}
