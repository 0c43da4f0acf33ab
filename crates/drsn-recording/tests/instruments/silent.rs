//! Tables that were read otherwise than they are meant without a word.

use drsn_recording::NoticeCode;

use super::{assert_signal, choose, codes, lines, read, sample};

/// Rates of two channels, each with a column of times somewhere: the first clock of the file was taken
/// for whichever channel was chosen.
#[test]
fn a_chosen_channel_has_its_own_rate_wherever_its_times_stand() {
    let column = |name: &str, rate: f64| {
        let cells: Vec<String> =
            (0..90).map(|row| format!("{:.9}", f64::from(row) / rate)).collect();
        (name.to_owned(), cells)
    };
    let signal =
        |name: &str| (name.to_owned(), (0..90).map(|row| format!("{:.2}", sample(row))).collect());
    for (rate_a, rate_b) in [(48_000.0, 12_000.0), (12_000.0, 48_000.0), (100.0, 1000.0)] {
        for (time_a, time_b) in [
            ("Time A (s)", "Time B (s)"),
            ("Zeit1", "Zeit2"),
            ("X", "X"),
            ("A_time", "B_time"),
            ("t_A", "t_B"),
        ] {
            let (a, b) = (column(time_a, rate_a), column(time_b, rate_b));
            let is_named = time_a.contains('A');
            let layouts = [
                vec![a.clone(), signal("A"), b.clone(), signal("B")],
                vec![a.clone(), b.clone(), signal("A"), signal("B")],
                vec![a.clone(), signal("A"), signal("B"), b.clone()],
            ];
            // Times without the name of their channel belong to the one behind them.
            for columns in layouts.into_iter().take(if is_named { 3 } else { 1 }) {
                let columns: Vec<(String, Vec<String>)> = columns;
                let names: Vec<&str> = columns.iter().map(|(name, _)| &name[..]).collect();
                let rows = lines(90, |row| {
                    columns.iter().map(|(_, cells)| &cells[row][..]).collect::<Vec<_>>().join(",")
                });
                let text = format!("{}\n{rows}", names.join(","));
                for (name, rate) in [("A", rate_a), ("B", rate_b)] {
                    let found = choose(&text, &[name])
                        .map(|found| found.sample_rate_hz.unwrap_or_default());
                    assert!(
                        found.is_ok_and(|found| (found - rate).abs() < 0.01 * rate),
                        "{name}: {text:.200}"
                    );
                }
            }
        }
    }
}

/// Two numbers above one column, as simple programs write the count and the rate, were samples in silence.
#[test]
fn whole_numbers_above_fractions_are_told() {
    for above in ["90\n48000\n", "1\n48000\n", "1\n2\n3\n", "90\n"] {
        let found =
            read(&format!("{above}{}", lines(90, |row| format!("{:.2}", sample(row) + 0.001))));
        assert_eq!(codes(&found.unwrap()), [NoticeCode::HeaderAssumed], "{above}");
    }
}

/// The count of whole numbers above them was a sample in silence.
#[test]
fn a_count_above_as_many_numbers_is_told() {
    let text = format!("90\n{}", lines(90, |row| (row * 37 % 101).to_string()));
    assert_eq!(codes(&read(&text).unwrap()), [NoticeCode::HeaderAssumed]);
    let text = format!("91\n{}", lines(90, |row| (row * 37 % 101).to_string()));
    assert_eq!(codes(&read(&text).unwrap()), []);
}

/// `Max,0.5` below a table with numbers of rows or times was a sample, and stopped the clock.
#[test]
fn statistics_below_a_table_are_no_samples() {
    for (name, step) in [("n", 1.0), ("time (s)", 0.001)] {
        let rows = lines(90, |row| format!("{},{:.2}", row as f64 * step, sample(row)));
        let footer = "Max,0.50\nMin,-0.50\n";
        let rate = (step < 1.0).then_some(1000.0);
        let found = assert_signal(&format!("{name},x\n{rows}{footer}"), rate, 1);
        assert_eq!((found.len(), codes(&found)), (90, vec![NoticeCode::LinesSkipped]), "{name}");
        let error = read(&format!("{name},x\n{rows}{footer}90,0.25\n")).unwrap_err();
        assert!(error.contains("\"Max\" is not a number"), "{error}");
    }
}

/// SCPI's marks for no value and for overload were samples.
#[test]
fn marks_of_instruments_are_no_values() {
    for mark in ["9.91E37", "9.91E+37", "9.9E37", "-9.9E37", "9,9e37"] {
        let rows =
            lines(90, |row| if row == 7 { mark.to_owned() } else { format!("{:.2}", sample(row)) });
        assert!(read(&format!("x\n{rows}")).is_err(), "{mark}");
    }
}

/// Loggers' marks for values that are missing were samples in silence.
#[test]
fn marks_of_loggers_are_told() {
    for mark in ["-9999", "-999.25", "99999.0", "-9999.00"] {
        let rows =
            lines(
                90,
                |row| if row % 30 == 7 { mark.to_owned() } else { format!("{:.2}", sample(row)) },
            );
        let found = read(&format!("x\n{rows}")).unwrap();
        assert_eq!(codes(&found), [NoticeCode::MissingValues], "{mark}");
    }
    // Of a signal that goes so far, it is a sample.
    let rows =
        lines(90, |row| format!("{}", if row == 7 { -9999.0 } else { 9000.0 * sample(row) + 0.5 }));
    assert_eq!(codes(&read(&format!("x\n{rows}")).unwrap()), []);
}

/// `7.888` beside `793` is 7,888 in Germany; 7.888 was read.
#[test]
fn points_that_seem_to_group_digits_are_refused() {
    let grouped = |value: i64| {
        if value.abs() < 1000 {
            value.to_string()
        } else {
            format!("{}.{:03}", value / 1000, value.abs() % 1000)
        }
    };
    let rows = lines(90, |row| grouped((row as i64 * 7919) % 20_000 - 10_000));
    assert!(read(&format!("x\n{rows}")).unwrap_err().contains("seems to group digits"));
    // Temperatures beside a state.
    let rows = lines(90, |row| format!("{:.3},{}", 20.001 + sample(row), row % 3));
    assert_eq!(read(&format!("x,state\n{rows}")).unwrap().channels(), 2);
    // Three decimals of all numbers are decimals.
    assert_signal(&format!("x\n{}", lines(90, |row| format!("{:.3}", sample(row)))), None, 1);
}

/// A sign apart from its number was left out, and the number taken as positive.
#[test]
fn signs_apart_from_their_numbers_are_refused() {
    let signed = |row: usize| {
        let sign = if sample(row) < 0.0 { '-' } else { '+' };
        format!("{sign} {:.2}", sample(row).abs())
    };
    assert!(read(&lines(90, signed)).unwrap_err().contains("nothing but signs"));
    let text = format!("sign,x\n{}", lines(90, signed).replace(' ', ","));
    assert!(read(&text).unwrap_err().contains("nothing but signs"));
}

/// Halves of a day and offsets from UTC were no times, and the rate was assumed.
#[test]
fn times_of_day_are_read_in_usual_spellings() {
    let text = |spell: fn(String) -> String| {
        let rows = lines(90, |row| {
            let seconds = 59.0 + row as f64 / 50.0;
            let (minute, second) = (58 + (seconds / 60.0) as u32, seconds % 60.0);
            format!("{},{:.2}", spell(format!("11:{minute}:{second:06.3}")), sample(row))
        });
        format!("Time,x\n{rows}")
    };
    let spellings: [fn(String) -> String; 7] = [
        |time| time,
        |time| format!("{time} PM"),
        |time| format!("03/01/2024 {time} am"),
        |time| format!("2024-03-01T{time}+01:00"),
        |time| format!("2024-03-01T{time}-0500"),
        |time| format!("2024-03-01 {time} UTC"),
        |time| format!("[{time}]"),
    ];
    for spell in spellings {
        assert_signal(&text(spell), Some(50.0), 1);
    }
    // From noon on, 12 is followed by 1.
    let rows = lines(90, |row| {
        let seconds = 59.0 + row as f64 / 50.0;
        let time = if seconds < 60.0 {
            format!("12:59:{seconds:06.3}")
        } else {
            format!("01:00:{:06.3}", seconds - 60.0)
        };
        format!("{time} PM,{:.2}", sample(row))
    });
    assert_signal(&format!("Time,x\n{rows}"), Some(50.0), 1);
}
