//! What to read of a file: what the request says, and where it says nothing, what the model was
//! trained on.

use drsn_bundle::SignalSpec;
use drsn_recording::{ChannelId, Notice, NoticeCode, RecordingError, RecordingFormat, Selection};

use crate::{error::ApiError, inference::options::Options};

/// What to read of a file, as the options say.
pub(super) fn selection(options: &Options) -> Selection {
    Selection {
        channel: options.channel.clone().unwrap_or_default(),
        variable: options.variable.clone(),
        rate_variable: options.rate_variable.clone(),
        skip_lines: options.skip_lines.unwrap_or_default(),
    }
}

/// What the model was trained on, in so far as the options leave it open; `None` if that is nothing.
pub(super) fn trained_on(spec: &SignalSpec, options: &Options) -> Option<Selection> {
    let source = spec.source.as_ref()?;
    let mut selection = selection(options);
    if options.variable.is_none() {
        selection.variable.clone_from(&source.variable);
    }
    if options.channel.is_none() {
        selection.channel =
            source.channels.iter().map(|channel| ChannelId::from(&channel[..])).collect();
    }
    if options.rate_variable.is_none() {
        selection.rate_variable.clone_from(&source.rate_variable);
    }
    selection.skip_lines = options.skip_lines.unwrap_or(source.skip_lines);
    Some(selection)
}

/// Leaves out of a selection what a file lacks that the model was trained on, and tells it; `None`
/// if the error is about something else, or about what the request itself asks for.
pub(super) fn fall_back(
    error: &RecordingError,
    options: &Options,
    selected: &mut Selection,
) -> Option<Notice> {
    let lacks_variable = matches!(
        error,
        RecordingError::NoVariable { .. } | RecordingError::AmbiguousVariable { .. }
    );
    if lacks_variable && options.variable.is_none() {
        Some(other_source("variable", &selected.variable.take()?))
    } else if matches!(error, RecordingError::NoRate(_)) && options.rate_variable.is_none() {
        Some(other_rate(&selected.rate_variable.take()?))
    } else if matches!(error, RecordingError::NoChannel { .. }) && options.channel.is_none() {
        let channels = std::mem::take(&mut selected.channel);
        let names: Vec<String> = channels.iter().map(ChannelId::to_string).collect();
        (!names.is_empty()).then(|| other_source("channels", &names.join(", ")))
    } else {
        None
    }
}

/// Tells that a file has no sample rate where those had it that the model was trained on.
fn other_rate(variable: &str) -> Notice {
    NoticeCode::OtherSource.because(format!(
        "the files that the model was trained on tell their sample rate in the variable {variable}, and this file does not; the option rate_variable names another one"
    ))
}

/// Tells that lines of a table were left out because the model was trained so.
pub(super) fn lines_of_training(
    format: RecordingFormat,
    options: &Options,
    selection: &Selection,
) -> Option<Notice> {
    let lines = selection.skip_lines;
    let by_training = format == RecordingFormat::Csv && options.skip_lines.is_none() && lines > 0;
    by_training.then(|| {
        NoticeCode::LinesSkipped.because(format!(
            "the first {lines} lines were left out, as in the files that the model was trained on; the option skip_lines gives another number"
        ))
    })
}

/// Tells that a file lacks the variable or the channels that the model was trained on.
pub(crate) fn other_source(what: &str, lacking: &str) -> Notice {
    NoticeCode::OtherSource.because(format!(
        "the model was trained on the {what} {lacking}, which this file does not have; what was taken instead is named in `input`, and the options variable and channel choose"
    ))
}

/// Rejects a selection of another number of channels than the model has, before any is copied.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_selection(spec: &SignalSpec, options: &Options) -> Result<(), ApiError> {
    let selected = options.channel.as_ref().map(Vec::len);
    if selected.is_none_or(|selected| selected == spec.channels) {
        return Ok(());
    }
    let channels = |count: usize| match count {
        1 => "1 channel".to_owned(),
        count => format!("{count} channels"),
    };
    Err(ApiError::invalid(format!(
        "the option channel selects {}, but this model expects {}",
        channels(selected.unwrap_or_default()),
        channels(spec.channels)
    )))
}

/// Rejects options that this format has no use for: those of files with variables, and of tables.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_variable(
    format: Option<RecordingFormat>,
    options: &Options,
) -> Result<(), ApiError> {
    let has_variables = matches!(format, Some(RecordingFormat::Mat | RecordingFormat::Npz));
    let is_table = format == Some(RecordingFormat::Csv);
    for (name, is_given, applies, to) in [
        ("variable", options.variable.is_some(), has_variables, "MAT and NPZ files"),
        ("rate_variable", options.rate_variable.is_some(), has_variables, "MAT and NPZ files"),
        ("skip_lines", options.skip_lines.is_some(), is_table, "text tables"),
    ] {
        if is_given && !applies {
            return Err(ApiError::invalid(format!(
                "the option {name} applies to {to}; leave it out for other bodies"
            )));
        }
    }
    Ok(())
}
