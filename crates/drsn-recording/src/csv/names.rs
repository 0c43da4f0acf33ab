//! What the names of columns mean: time and its unit, numbers of rows, units of other quantities.

/// Words for time.
const TIME: [&str; 25] = [
    "time",
    "times",
    "timestamp",
    "timestamps",
    "datetime",
    "date",
    "clock",
    "elapsed",
    "t",
    "zeit",
    "uhrzeit",
    "datum",
    "zeitstempel",
    "temps",
    "tiempo",
    "tempo",
    "czas",
    "tid",
    "tijd",
    "время",
    "时间",
    "時間",
    "时刻",
    "時刻",
    "시간",
];
/// Words that may stand beside them.
const BESIDE_TIME: [&str; 34] = [
    "relative",
    "rel",
    "absolute",
    "abs",
    "local",
    "utc",
    "gmt",
    "gps",
    "system",
    "unix",
    "epoch",
    "stamp",
    "of",
    "day",
    "since",
    "from",
    "start",
    "begin",
    "run",
    "running",
    "total",
    "sample",
    "sampling",
    "measurement",
    "acquisition",
    "recording",
    "axis",
    "x",
    "value",
    "in",
    "rate",
    "default",
    "fast",
    "slow",
];
/// Names of columns that number the rows.
const COUNTERS: [&str; 16] = [
    "", "#", "index", "idx", "sample", "samples", "no", "nr", "num", "number", "row", "rows", "id",
    "n", "point", "points",
];
/// Units of time in seconds, and their names.
const UNITS: [(f64, &[&str]); 6] = [
    (1.0, &["s", "sec", "secs", "second", "seconds", "sekunde", "sekunden", "seconde", "secondes"]),
    (1e-3, &["ms", "msec", "msecs", "millisecond", "milliseconds", "millisekunden", "millis"]),
    (1e-6, &["us", "µs", "μs", "usec", "microsecond", "microseconds", "mikrosekunden", "micros"]),
    (1e-9, &["ns", "nsec", "nanosecond", "nanoseconds", "nanosekunden", "nanos"]),
    (60.0, &["min", "mins", "minute", "minutes", "minuten"]),
    (3600.0, &["h", "hr", "hrs", "hour", "hours", "stunde", "stunden"]),
];
/// Units of what is measured, for rows of units beneath the names.
const OTHER_UNITS: [&str; 35] = [
    "v", "mv", "uv", "µv", "μv", "kv", "volt", "volts", "a", "ma", "ua", "µa", "amp", "ampere",
    "g", "mg", "m/s²", "m/s^2", "m/s2", "m/s", "mm/s", "mm", "um", "µm", "pa", "kpa", "bar", "n",
    "nm", "hz", "rpm", "db", "°c", "%", "sequence",
];

/// What a column is, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    /// The time of each row, in a unit of so many seconds if one is named.
    Time { unit: Option<f64> },
    /// The number of each row.
    Counter,
    /// Anything else.
    Other,
}

/// What a column of this name is; `unit` is from a row of units.
pub(super) fn meaning(name: &str, unit: Option<&str>) -> Meaning {
    let (words, own_unit) = words_and_unit(name);
    let unit = unit.and_then(unit_of_time).or(own_unit);
    // pandas names a column without a name so.
    let is_unnamed = matches!(&words[..], [first, number]
        if first == "unnamed" && number.bytes().all(|b| b.is_ascii_digit()));
    let is_time = |word: &String| TIME.contains(&&word[..]);
    let is_beside = |word: &String| BESIDE_TIME.contains(&&word[..]);
    // `T` is a temperature, unless its unit is one of time.
    let is_temperature = name.trim().starts_with('T') && words == ["t"] && unit.is_none();
    // `Time 1` and `Time 2` are the clocks of two channels; `T_1` is a temperature.
    let has_long_word = words.iter().any(|word| is_time(word) && word.chars().count() > 1);
    let is_number = |word: &String| has_long_word && word.bytes().all(|byte| byte.is_ascii_digit());
    if words.iter().any(is_time) && words.iter().all(|w| is_time(w) || is_beside(w) || is_number(w))
    {
        return if is_temperature { Meaning::Other } else { Meaning::Time { unit } };
    }
    match &words[..] {
        // Only a unit: `Second`, `(ms)`.
        [] if own_unit.is_some() => Meaning::Time { unit },
        [] if name.trim().is_empty() && unit.is_some() => Meaning::Time { unit },
        [] => {
            if name.trim().is_empty() || name.trim() == "#" {
                Meaning::Counter
            } else {
                Meaning::Other
            }
        }
        [word] if COUNTERS.contains(&&word[..]) && unit.is_none() => Meaning::Counter,
        [_, _] if is_unnamed => Meaning::Counter,
        // `X_Value [s]`, `x-axis` above `second`.
        _ if unit.is_some() && words.iter().all(is_beside) => Meaning::Time { unit },
        _ => Meaning::Other,
    }
}

/// Whether a name has a word for time, as those of the times of one channel have: `Time B`, `Zeit2`,
/// `t_B`.
pub(super) fn mentions_time(name: &str) -> bool {
    // `T` is a temperature.
    let is_time = |word: &str| TIME.contains(&word) && (word.len() > 1 || !name.contains('T'));
    words(name).iter().any(|word| is_time(word.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// The unit of time that a column's name ends with, or else the row of units says, in seconds.
pub(super) fn named_unit(name: &str, unit: Option<&str>) -> Option<f64> {
    unit.and_then(unit_of_time).or_else(|| words_and_unit(name).1)
}

/// Whether every cell of a row that is not empty is a unit, and there is one.
pub(super) fn are_units<'a>(mut cells: impl Iterator<Item = &'a str>) -> bool {
    let mut any = false;
    cells.all(|cell| {
        any |= !cell.is_empty();
        cell.is_empty() || is_unit(cell)
    }) && any
}

fn is_unit(cell: &str) -> bool {
    let is_bracketed = |(open, close)| cell.starts_with(open) && cell.ends_with(close);
    let name = cell.to_lowercase();
    [('(', ')'), ('[', ']')].into_iter().any(is_bracketed)
        || unit_of_time(cell).is_some()
        || OTHER_UNITS.contains(&&name[..])
}

/// A unit of time in seconds.
pub(super) fn unit_of_time(name: &str) -> Option<f64> {
    let name = name.trim().trim_matches(['(', ')', '[', ']', '{', '}', '.']).trim().to_lowercase();
    UNITS.iter().find(|(_, names)| names.contains(&&name[..])).map(|&(seconds, _)| seconds)
}

/// A name's words in lower case, without the unit of time at its end: in brackets, after a slash, a
/// comma, an underscore or a blank.
fn words_and_unit(name: &str) -> (Vec<String>, Option<f64>) {
    let (name, bracket) = match name.find(['[', '(', '{']) {
        Some(open) => (name.get(..open).unwrap_or_default(), name.get(open..)),
        None => (name, None),
    };
    let mut words = words(name);
    let mut unit = bracket.and_then(unit_of_time);
    // A bracket of something else (`time [UTC]`) may follow a unit.
    let last = words.last().and_then(|word| unit_of_time(word));
    // `t` alone, `Time h`: a letter is a unit only beside a word for time.
    let is_alone = words.len() == 1;
    let is_long = words.last().is_some_and(|word| word.chars().count() > 2);
    if unit.is_none() && last.is_some() && (!is_alone || is_long) {
        unit = last;
        words.pop();
    }
    (words, unit)
}

/// The words of a name: `timeStamp`, `time_stamp` and `Time stamp` have two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_inside = false;
    let mut was_lower = false;
    for c in name.chars() {
        if !(c.is_alphanumeric() || c == 'µ' || c == 'μ') {
            is_inside = false;
            continue;
        }
        let is_new = !is_inside || was_lower && c.is_uppercase();
        match words.last_mut() {
            Some(word) if !is_new => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
        is_inside = true;
        was_lower = c.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_by_its_meaning() {
        let time = |unit| Meaning::Time { unit: Some(unit) };
        for (name, expected) in [
            ("Time [s]", time(1.0)),
            ("time(ms)", time(1e-3)),
            ("Time (µs)", time(1e-6)),
            ("Elapsed Time (s)", time(1.0)),
            ("Time/s", time(1.0)),
            ("Time (min)", time(60.0)),
            ("time_ms", time(1e-3)),
            ("t_us", time(1e-6)),
            ("timeMs", time(1e-3)),
            ("Time, s", time(1.0)),
            ("Zeit in Sekunden", time(1.0)),
            ("Seconds", time(1.0)),
            ("Second", time(1.0)),
            ("T [ms]", time(1e-3)),
            ("Time 2 (s)", time(1.0)),
            ("Time  1 - default sample rate", Meaning::Time { unit: None }),
            ("时间(ms)", time(1e-3)),
            ("T_1", Meaning::Other),
            ("t 2", Meaning::Other),
            ("X_Value [s]", time(1.0)),
            ("time since start (sec.)", time(1.0)),
            ("Time", Meaning::Time { unit: None }),
            ("timestamp", Meaning::Time { unit: None }),
            ("Unix time", Meaning::Time { unit: None }),
            ("t", Meaning::Time { unit: None }),
            ("T", Meaning::Other),
            ("T [degC]", Meaning::Other),
            ("DE_time", Meaning::Other),
            ("X097_DE_time", Meaning::Other),
            ("settling time of valve", Meaning::Other),
            ("x", Meaning::Other),
            ("s", Meaning::Other),
            ("", Meaning::Counter),
            ("Unnamed: 0", Meaning::Counter),
            ("index", Meaning::Counter),
            ("Sample", Meaning::Counter),
            ("#", Meaning::Counter),
            ("accel", Meaning::Other),
            ("1", Meaning::Other),
        ] {
            assert_eq!(meaning(name, None), expected, "{name:?}");
        }
        assert_eq!(meaning("Time", Some("(ms)")), time(1e-3));
        assert_eq!(meaning("x-axis", Some("second")), time(1.0));
        assert_eq!(meaning("", Some("s")), time(1.0));
        assert_eq!(meaning("Channel A", Some("(V)")), Meaning::Other);
    }

    #[test]
    fn a_row_of_units_is_told_from_names() {
        assert!(are_units(["(ms)", "(V)"].into_iter()));
        assert!(are_units(["second", "Volt"].into_iter()));
        assert!(are_units(["s", "", "m/s²"].into_iter()));
        assert!(!are_units(["Second", "Value"].into_iter()));
        assert!(!are_units(["", ""].into_iter()));
        assert!(!are_units(["Time", "Channel A"].into_iter()));
    }
}
