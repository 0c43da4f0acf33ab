//! The sample rate that the lines before a table state, as scopes and loggers write them:
//! `Sample Interval,0.00002`, `# Sampling rate: 48 kHz`, `Delta_X;0.0001`.

use super::{
    cells::{may_group_digits, number},
    names::unit_of_time,
};

/// Units of frequency in Hz.
const HERTZ: [(&str, f64); 14] = [
    ("hz", 1.0),
    ("khz", 1e3),
    ("mhz", 1e6),
    ("ghz", 1e9),
    ("s/s", 1.0),
    ("ks/s", 1e3),
    ("ms/s", 1e6),
    ("gs/s", 1e9),
    ("sa/s", 1.0),
    ("ksa/s", 1e3),
    ("msa/s", 1e6),
    ("gsa/s", 1e9),
    ("sps", 1.0),
    ("ksps", 1e3),
];

/// Marks before a statement.
const MARKS: [char; 6] = ['#', '%', '/', ';', ' ', '"'];

/// What a key states.
enum Quantity {
    Rate,
    Interval,
}

/// The rate in Hz, if the lines state one and do not contradict each other.
pub(super) fn stated_rate(lines: &[&str]) -> Option<f64> {
    let separators = [',', ';', '\t'];
    // `CH1V,t0 = -1e-3,tInc = 2e-8`.
    let inner = |line: &&str| {
        line.split(separators).skip(1).filter(|cell| cell.contains('=')).find_map(rate)
    };
    // `X,CH1,Start,Increment` above `Sequence,Volt,-1e-3,2e-8`.
    let below = |pair: &[&str]| {
        let [keys, values] = pair else { return None };
        let mut cells = keys.split(separators).zip(values.split(separators));
        cells.find_map(|(key, value)| {
            let is_key = !key.contains(|c: char| c.is_ascii_digit()) && quantity(key).is_some();
            (is_key && number(value.trim()).is_some()).then(|| rate(&format!("{key}={value}")))?
        })
    };
    let alone = lines.iter().filter_map(|line| rate(line));
    let mut rates =
        alone.chain(lines.iter().filter_map(inner)).chain(lines.windows(2).filter_map(below));
    let first = rates.next()?;
    rates.all(|rate| (rate - first).abs() <= 1e-3 * first).then_some(first)
}

/// The rate that a line states.
pub(super) fn rate(line: &str) -> Option<f64> {
    let line = line.trim_start_matches(MARKS);
    let split = line.split_once([',', ';', '\t', ':', '=']);
    let (key, value) = split.or_else(|| {
        // `Sample Rate 48000`.
        let digit = line.find(|c: char| c.is_ascii_digit())?;
        line.split_at_checked(digit).filter(|(key, _)| key.ends_with(' '))
    })?;
    // `SampleRate,5000,5000` is that of two channels, and has no decimals.
    let before = key.len();
    let has_cells = line.as_bytes().get(before) == Some(&b',');
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
    // Behind a tab or a semicolon, a comma marks decimals.
    let separators: &[char] = match line.as_bytes().get(before) {
        Some(b'\t') => &['\t'],
        Some(b';') => &[';'],
        _ => &[',', ';', '\t'],
    };
    // One value for each channel.
    let several = || {
        let mut values = value.split(separators).map_while(|cell| number(cell.trim()));
        let first = values.next()?;
        values.all(|other| (other.value - first.value).abs() <= 1e-6 * first.value).then_some(first)
    };
    let alone = || number(value.trim()).filter(|_| !has_cells);
    let value = alone().or_else(several)?.value;
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
    // What a device could do says nothing of what it did.
    if ["max", "min"].iter().any(|word| key.starts_with(word)) {
        return None;
    }
    match &key[..] {
        "fs" | "fshz" | "srate" | "samplespersecond" => Some(Quantity::Rate),
        "dt" | "deltat" | "deltax" | "increment" | "xincrement" | "timeincrement" | "tinc"
        | "xinc" | "xincr" | "horizontalinterval" | "timeinterval" | "xresolution"
        | "hresolution" => Some(Quantity::Interval),
        _ if is_sampling && is_rate => Some(Quantity::Rate),
        _ if is_sampling && is_interval => Some(Quantity::Interval),
        _ => None,
    }
}

fn hertz(unit: &str) -> Option<f64> {
    let unit = unit.trim().trim_end_matches('.').to_lowercase();
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
            ("SampleRate,5000,5000", Some(5000.0)),
            ("; Sample Rate 48000", Some(48_000.0)),
            ("% Fs: 48000", Some(48_000.0)),
            ("// fs = 48 kHz", Some(48_000.0)),
            ("Sample Rate: 48000 Hz.", Some(48_000.0)),
            ("Sample Rate:,48.000KSa/s", Some(48_000.0)),
            ("Time interval :,20.83333us", Some(48_000.0)),
            ("Sampled 48000 times", None),
            ("Delta_X\t2,0833333E-5\t2,0833333E-5", Some(48_000.0)),
            ("Delta_X\t2.0833333E-5\t8.3333333E-5", None),
            ("Sample rate [Hz];48000;12000", None),
            ("Max. Sample Rate: 48000 Hz", None),
        ] {
            assert_eq!(rate(line), expected, "{line:?}");
        }
        assert_eq!(stated_rate(&["fs=1000", "dt=0.001", "x"]), Some(1000.0));
        assert_eq!(stated_rate(&["fs=1000", "dt=0.002"]), None);
        let scope = ["X,CH1,Start,Increment,", "Sequence,Volt,-1.0e-03,2.083333e-05"];
        assert_eq!(stated_rate(&scope), Some(48_000.0));
        assert_eq!(stated_rate(&["CH1V,t0 =-1.0e-03, tInc = 2.083333e-05,"]), Some(48_000.0));
        assert_eq!(stated_rate(&["Sample Rate,Points", "fast,2048"]), None);
    }
}
