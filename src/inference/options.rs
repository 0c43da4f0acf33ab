//! The options of a request. The path, the query and the body can set them, and must agree.

use drsn_recording::ChannelId;

use crate::{
    error::{ApiError, quoted},
    inference::diagnostics::Detail,
};

/// The names of the options, for messages.
pub(crate) const NAMES: &str = "model, version, top_k, diagnostics, batch, overlap, channel, variable, sample_rate_hz and resample";

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
    /// Samples per second, for recordings that do not contain their rate; positive.
    pub(crate) sample_rate_hz: Option<f64>,
    /// Whether to convert a recording of another rate to the model's.
    pub(crate) resample: Option<bool>,
}

impl Options {
    /// Sets an option by its name and value, as written in a query.
    ///
    /// # Errors
    /// `ErrorKind::InvalidArgument` if there is no such option, its value is invalid, or it was
    /// given before with another value.
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
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().map(ChannelId::Index)
        }
        text => Some(ChannelId::Name(text.to_owned())),
    };
    let positions = "channels' positions from 0, or their names, separated by commas";
    let channels = value.split(',').map(channel).collect::<Option<_>>();
    channels.ok_or_else(|| wrong("channel", positions, value))
}

fn rate(value: &str) -> Result<f64, ApiError> {
    value
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| wrong("sample_rate_hz", "a number above 0", value))
}

fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong(name, "true or false", value)),
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::invalid(format!("there is no option {}; the options are {NAMES}", quoted(name)))
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
        assert_eq!(options.of_recordings(), Some("channel"));
    }

    #[test]
    fn an_invalid_value_is_refused_with_what_it_may_be() {
        for (name, value, fault) in [
            ("overlap", "1", "from 0 to below 1"),
            ("overlap", "-0.1", "from 0 to below 1"),
            ("overlap", "NaN", "from 0 to below 1"),
            ("channel", "", "separated by commas"),
            ("channel", "1,,2", "separated by commas"),
            ("channel", "99999999999999999999999", "separated by commas"),
            ("sample_rate_hz", "inf", "above 0"),
            ("sample_rate_hz", "0", "above 0"),
            ("resample", "yes", "true or false"),
        ] {
            let error = Options::default().set(name, value).err().map(|e| e.detail);
            assert!(error.as_ref().is_some_and(|e| e.contains(fault)), "{name}={value}: {error:?}");
        }
    }
}
