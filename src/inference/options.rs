//! The options of a request. The path, the query and the body can set them, and must agree.

use drsn_recording::ChannelId;

use crate::{
    config,
    error::{ApiError, quoted},
    inference::diagnostics::Detail,
};

/// The names of the options.
pub(crate) const ALL: [&str; 12] = [
    "model",
    "version",
    "top_k",
    "diagnostics",
    "batch",
    "overlap",
    "channel",
    "variable",
    "rate_variable",
    "skip_lines",
    "sample_rate_hz",
    "resample",
];

/// The most lines that may be left out at the start of a table.
const MOST_SKIPPED_LINES: u64 = 1_000_000;

/// The options of a classification; `None` means not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) model: Option<String>,
    pub(crate) version: Option<String>,
    /// Maximum number of classes in the answer, at least 1.
    pub(crate) top_k: Option<usize>,
    /// How much the answer tells about the thresholds.
    pub(crate) detail: Option<Detail>,
    /// Number of inputs in a body of raw numbers, at least 1.
    pub(crate) batch: Option<usize>,
    /// Share of a window that the next one repeats, in [0, 1).
    pub(crate) overlap: Option<f64>,
    /// Channels of a recording, in this order.
    pub(crate) channel: Option<Vec<ChannelId>>,
    /// Variable of a MAT or NPZ file: its whole name or its ending.
    pub(crate) variable: Option<String>,
    /// Variable of a MAT or NPZ file that holds the samples per second.
    pub(crate) rate_variable: Option<String>,
    /// Lines of a text table to leave out at its start.
    pub(crate) skip_lines: Option<u64>,
    /// Samples per second, for recordings that do not contain their rate; positive.
    pub(crate) sample_rate_hz: Option<f64>,
    /// Whether to convert a recording of another rate to the model's.
    pub(crate) resample: Option<bool>,
}

impl Options {
    /// Sets an option by its name and value, as written in a query or a form: an empty value is one
    /// that is not given, as in a form whose field was left blank.
    ///
    /// # Errors
    /// `ErrorKind::InvalidArgument` if there is no such option, its value is invalid, or it was
    /// given before with another value.
    pub(crate) fn set_written(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        if !value.is_empty() {
            self.set(name, value)
        } else if ALL.contains(&name) {
            Ok(())
        } else {
            Err(unknown(name))
        }
    }

    /// Sets an option by its name and the text of its value.
    ///
    /// # Errors
    /// As [`Options::set_written`].
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let text = || Some(value.to_owned());
        match name {
            "model" => merge("model", &mut self.model, text()),
            "version" => merge("version", &mut self.version, text()),
            "top_k" => merge("top_k", &mut self.top_k, Some(count("top_k", value)?)),
            "diagnostics" => merge("diagnostics", &mut self.detail, Some(detail(value)?)),
            "batch" => merge("batch", &mut self.batch, Some(count("batch", value)?)),
            "overlap" => merge("overlap", &mut self.overlap, Some(overlap(value)?)),
            "channel" => merge("channel", &mut self.channel, Some(channels(value)?)),
            "variable" => merge("variable", &mut self.variable, text()),
            "rate_variable" => merge("rate_variable", &mut self.rate_variable, text()),
            "skip_lines" => merge("skip_lines", &mut self.skip_lines, Some(lines(value)?)),
            "sample_rate_hz" => {
                merge("sample_rate_hz", &mut self.sample_rate_hz, Some(rate(value)?))
            }
            "resample" => merge("resample", &mut self.resample, Some(boolean("resample", value)?)),
            _ => Err(unknown(name)),
        }
    }

    /// Adds a model and a version from another place, such as the path.
    ///
    /// # Errors
    /// `ErrorKind::InvalidArgument` if they disagree with those given before.
    pub(crate) fn with_model(
        mut self,
        model: Option<String>,
        version: Option<String>,
    ) -> Result<Self, ApiError> {
        merge("model", &mut self.model, model)?;
        merge("version", &mut self.version, version)?;
        Ok(self)
    }

    /// The first given option that applies only to recordings, if any.
    pub(super) fn of_recordings(&self) -> Option<&'static str> {
        let given = [
            ("overlap", self.overlap.is_some()),
            ("channel", self.channel.is_some()),
            ("variable", self.variable.is_some()),
            ("rate_variable", self.rate_variable.is_some()),
            ("skip_lines", self.skip_lines.is_some()),
            ("sample_rate_hz", self.sample_rate_hz.is_some()),
            ("resample", self.resample.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

fn merge<T: PartialEq>(
    name: &str,
    option: &mut Option<T>,
    given: Option<T>,
) -> Result<(), ApiError> {
    match (&*option, &given) {
        (Some(before), Some(now)) if before != now => Err(ApiError::invalid(format!(
            "the option {name} is given twice, with different values"
        ))),
        (_, None) => Ok(()),
        (_, Some(_)) => {
            *option = given;
            Ok(())
        }
    }
}

fn wrong(name: &str, expected: &str, value: &str) -> ApiError {
    ApiError::invalid(format!("the option {name} must be {expected}, but is {}", quoted(value)))
}

fn count(name: &str, value: &str) -> Result<usize, ApiError> {
    value
        .parse()
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| wrong(name, "a whole number above 0", value))
}

fn lines(value: &str) -> Result<u64, ApiError> {
    let lines = value.parse().ok().filter(|&lines| lines <= MOST_SKIPPED_LINES);
    lines.ok_or_else(|| wrong("skip_lines", "a whole number from 0 to 1000000", value))
}

fn detail(value: &str) -> Result<Detail, ApiError> {
    match value {
        "none" => Ok(Detail::None),
        "summary" => Ok(Detail::Summary),
        "full" => Ok(Detail::Full),
        _ => Err(wrong("diagnostics", "none, summary or full", value)),
    }
}

fn overlap(value: &str) -> Result<f64, ApiError> {
    let share = "a number from 0 to below 1, the share of a window that the next one repeats";
    let overlap = value.parse().ok().filter(|overlap| (0.0..1.0).contains(overlap));
    overlap.ok_or_else(|| wrong("overlap", share, value))
}

/// Parses positions and names, separated by commas.
fn channels(value: &str) -> Result<Vec<ChannelId>, ApiError> {
    let channel = |text: &str| match text.trim() {
        "" => None,
        // No file has so many channels.
        text if text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<usize>().is_err() => None,
        text => Some(ChannelId::from(text)),
    };
    let positions = "channels' positions from 0, or their names, separated by commas";
    let channels = value.split(',').map(channel).collect::<Option<_>>();
    channels.ok_or_else(|| wrong("channel", positions, value))
}

fn rate(value: &str) -> Result<f64, ApiError> {
    value.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0).ok_or_else(|| {
        wrong("sample_rate_hz", "a number above 0, in Hz and without a unit, such as 48000", value)
    })
}

fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    config::boolean(value).ok_or_else(|| wrong(name, "true or false", value))
}

fn unknown(name: &str) -> ApiError {
    let names = ALL.join(", ");
    ApiError::invalid(format!("there is no option {}; the options are {names}", quoted(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_positions_or_names() {
        let mut options = Options::default();
        assert_eq!(options.set("channel", "1, 0,left"), Ok(()));
        let expected =
            vec![ChannelId::Index(1), ChannelId::Index(0), ChannelId::Name("left".to_owned())];
        assert_eq!(options.channel, Some(expected));
        // Regression: of the columns 01, 02 and 03, `channel=01` took the second one.
        let mut options = Options::default();
        assert_eq!(options.set("channel", "01"), Ok(()));
        assert_eq!(options.channel, Some(vec![ChannelId::Name("01".to_owned())]));
        assert_eq!(options.of_recordings(), Some("channel"));
    }

    #[test]
    fn a_truth_value_has_the_usual_spellings() {
        for (value, expected) in [
            ("yes", true),
            ("True", true),
            ("on", true),
            ("1", true),
            ("no", false),
            ("off", false),
        ] {
            let mut options = Options::default();
            assert_eq!(options.set("resample", value), Ok(()), "{value}");
            assert_eq!(options.resample, Some(expected), "{value}");
        }
    }

    /// Regression: a form with a field that was left blank was refused.
    #[test]
    fn an_option_that_is_written_without_a_value_is_not_given() {
        let mut options = Options::default();
        for name in ALL {
            assert_eq!(options.set_written(name, ""), Ok(()), "{name}");
        }
        assert_eq!(options, Options::default());
        assert!(options.set_written("topk", "").is_err_and(|e| e.detail.contains("no option")));
        assert_eq!(options.set_written("top_k", "3"), Ok(()));
        assert_eq!(options.top_k, Some(3));
    }

    #[test]
    fn an_invalid_value_is_refused_with_what_it_may_be() {
        for (name, value, fault) in [
            ("overlap", "1", "from 0 to below 1"),
            ("overlap", "-0.1", "from 0 to below 1"),
            ("overlap", "NaN", "from 0 to below 1"),
            ("channel", "1,,2", "separated by commas"),
            ("channel", "99999999999999999999999", "separated by commas"),
            ("sample_rate_hz", "inf", "above 0"),
            ("sample_rate_hz", "0", "above 0"),
            ("sample_rate_hz", "48k", "without a unit, such as 48000"),
            ("sample_rate_hz", "48,000", "such as 48000"),
            ("resample", "maybe", "true or false"),
        ] {
            let error = Options::default().set(name, value).err().map(|e| e.detail);
            assert!(error.as_ref().is_some_and(|e| e.contains(fault)), "{name}={value}: {error:?}");
        }
    }
}
