//! Tables in every style that programs write them in, made from a known signal: either the signal is
//! read to the last bit and its rate is not another one, or the table is refused, or the answer says
//! what is doubtful. What is read otherwise in silence is a fault.

use drsn_recording::{Limits, NoticeCode, RateSource, Recording, RecordingFormat, Selection};
use proptest::prelude::*;

const LIMITS: Limits = Limits::new(1 << 20, 100_000);

/// How a table is written.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
#[derive(Debug, Clone)]
struct Style {
    separator: &'static str,
    line_end: &'static str,
    comma: bool,
    quoted: bool,
    /// Digits after the decimal point.
    digits: usize,
    preamble: Option<&'static str>,
    header: Header,
    /// The name of a column of times and the factor from seconds.
    time: Option<(&'static str, &'static str, f64)>,
    counter: Option<&'static str>,
    label: bool,
    trailing: bool,
    blank_after_header: bool,
    footer: &'static str,
    bom: bool,
    minus: &'static str,
    /// The mark of an exponent of two digits, or nothing.
    exponent: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Header {
    None,
    Names,
    NamesAndUnits,
}

fn style() -> impl Strategy<Value = Style> {
    let select = prop::sample::select::<&'static str>;
    let table = (
        select(vec![",", ";", "\t", "  ", " "]),
        select(vec!["\n", "\r\n", "\r"]),
        any::<bool>(),
        any::<bool>(),
        1_usize..7,
        prop::option::of(select(vec![
            "Device: X7",
            "Record Length;2048",
            "# made by a logger",
            "Source,CH1,Volt",
        ])),
        prop::sample::select(vec![Header::None, Header::Names, Header::NamesAndUnits]),
    );
    let time = prop::sample::select(vec![
        ("time", "s", 1.0),
        ("Time (ms)", "(ms)", 1e3),
        ("Elapsed Time [s]", "[s]", 1.0),
        ("Zeit/s", "s", 1.0),
        ("t_us", "us", 1e6),
        ("Second", "Second", 1.0),
        ("timestamp", "s", 1.0),
    ]);
    let more = (
        prop::option::of(time),
        prop::option::of(select(vec!["", "index", "Unnamed: 0", "Sample", "No."])),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        select(vec!["", "", "\n", "\n\n", "\u{1a}", "\0\0\0"]),
        any::<bool>(),
        select(vec!["-", "-", "\u{2212}"]),
        select(vec!["", "", "", "e", "E", "D"]),
    );
    (table, more).prop_map(|(table, more)| {
        let (separator, line_end, comma, quoted, digits, preamble, header) = table;
        let (time, counter, label, trailing, blank_after_header, footer, bom, minus, exponent) =
            more;
        Style {
            separator,
            line_end,
            comma,
            quoted,
            digits,
            preamble,
            header,
            time,
            counter,
            label,
            // Blanks at the end of a line are no cell.
            trailing: trailing && !separator.starts_with(' '),
            blank_after_header,
            footer,
            bom,
            minus,
            exponent,
        }
    })
}

impl Style {
    /// A number as Rust writes it, with an exponent as C and Fortran write it.
    fn plain(&self, value: f64, digits: usize) -> String {
        if self.exponent.is_empty() {
            return format!("{value:.digits$}");
        }
        let text = format!("{value:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
        format!("{mantissa}e{sign}{digits:0>2}")
    }

    fn number(&self, value: f64, digits: usize) -> String {
        let text = self.plain(value, digits).replace('e', self.exponent);
        let text = if self.comma { text.replace('.', ",") } else { text };
        text.replace('-', self.minus)
    }

    fn line(&self, mut cells: Vec<String>) -> String {
        if self.quoted {
            for cell in &mut cells {
                *cell = format!("\"{cell}\"");
            }
        }
        if self.trailing {
            cells.push(String::new());
        }
        cells.join(self.separator)
    }

    /// The cells before and after the signal's.
    fn row(&self, counter: &str, time: &str, signal: &str, label: &str) -> String {
        let before = [self.counter.map(|_| counter), self.time.map(|_| time)];
        let after = self.label.then_some(label);
        let cells = before.into_iter().flatten().chain([signal]).chain(after);
        self.line(cells.map(str::to_owned).collect())
    }

    fn write(&self, signal: &[f64], rate: f64) -> String {
        let mut lines: Vec<String> = self.preamble.map(str::to_owned).into_iter().collect();
        if self.header != Header::None {
            let (time, _, _) = self.time.unwrap_or(("", "", 1.0));
            lines.push(self.row(self.counter.unwrap_or_default(), time, "accel", "label"));
        }
        if self.header == Header::NamesAndUnits {
            let (_, unit, _) = self.time.unwrap_or(("", "", 1.0));
            lines.push(self.row("", unit, "(V)", ""));
        }
        if self.blank_after_header {
            lines.push(String::new());
        }
        for (row, &value) in signal.iter().enumerate() {
            let (_, _, factor) = self.time.unwrap_or(("", "", 1.0));
            let time = self.number(row as f64 / rate * factor, 9);
            lines.push(self.row(&row.to_string(), &time, &self.number(value, self.digits), "good"));
        }
        let mark = if self.bom { "\u{feff}" } else { "" };
        format!("{mark}{}{}{}", lines.join(self.line_end), self.line_end, self.footer)
    }

    /// Whether nobody could tell how it is meant.
    fn is_senseless(&self) -> bool {
        // Names with blanks in them, unquoted between blanks, are no table.
        let blanks = self.separator.starts_with(' ') && !self.quoted;
        let has_blank = |name: &str| name.contains(' ') || name.is_empty();
        let names = self.time.map(|(name, ..)| name).into_iter().chain(self.counter);
        blanks
            && self.header != Header::None
            && (names.into_iter().any(has_blank) || self.header == Header::NamesAndUnits)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_read_as_it_was_meant_or_not_in_silence(
        style in style(),
        signal in prop::collection::vec(-50.0_f64..50.0, 36..60),
        rate in prop::sample::select(vec![100.0, 12_000.0, 48_000.0]),
    ) {
        prop_assume!(!style.is_senseless());
        let text = style.write(&signal, rate);
        let read = Recording::read(RecordingFormat::Csv, text.as_bytes(), &Selection::default(), &LIMITS);
        // To refuse is no fault here; how often it happens is looked at below.
        let Ok(recording) = read else { return Ok(()) };
        let expected: Vec<f32> = signal
            .iter()
            .map(|&value| style.plain(value, style.digits).parse::<f64>().unwrap() as f32)
            .collect();
        let is_doubtful = recording.notices.iter().any(|notice| notice.code == NoticeCode::HeaderAssumed);
        if recording.samples.nrows() == 1 && !is_doubtful {
            prop_assert_eq!(recording.samples.as_slice(), Some(&expected[..]), "{}", text);
        }
        // A model of two channels would take them.
        prop_assert!(recording.samples.nrows() == 1 || !recording.notices.is_empty(), "{}", text);
        if recording.samples.nrows() == 1
            && let (Some(found), true) = (recording.sample_rate_hz, recording.rate_source != RateSource::ClockWithoutUnit)
        {
            prop_assert!((found - rate).abs() < 0.01 * rate, "{} Hz: {}", found, text);
        }
        let is_known = style.time.is_some() && style.header != Header::None;
        prop_assert!(!is_known || recording.sample_rate_hz.is_some() || is_doubtful, "the times were ignored: {}", text);
    }
}

/// Most styles are read: a reader that refuses everything would pass the test above.
#[test]
fn nearly_every_style_is_read() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let signal: Vec<f64> = (0..64).map(|n| (f64::from(n) * 0.7).sin() * 3.0).collect();
    let (mut read, mut refused) = (0, Vec::new());
    for _ in 0..2000 {
        let style = style().new_tree(&mut runner).unwrap().current();
        if style.is_senseless() || style.separator == "," && style.comma && !style.quoted {
            continue;
        }
        let text = style.write(&signal, 48e3);
        match Recording::read(RecordingFormat::Csv, text.as_bytes(), &Selection::default(), &LIMITS)
        {
            Ok(recording) if recording.samples.nrows() == 1 => read += 1,
            Ok(recording) => refused.push(format!(
                "{} channels: {style:?}\n{}",
                recording.samples.nrows(),
                text.chars().take(300).collect::<String>()
            )),
            Err(error) => refused.push(format!("{error}: {style:?}")),
        }
    }
    assert!(
        read > 9 * refused.len(),
        "{read} read, {} not: {:#?}",
        refused.len(),
        &refused[..refused.len().min(5)]
    );
}
