//! The samples of a recording as they are classified, before they are resampled and cut, so that a
//! client can show what the server read.

use ndarray::Array2;

use super::{File, files::decode_file, find};
use crate::{
    error::ApiError,
    inference::{
        context::RequestContext,
        decode::{Decoder, RawInput, Samples, expect_signal, for_input},
        options::Options,
    },
};

/// One recording of a file, in the model's channels.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// `[C, T]`.
    pub(crate) channels: Array2<f32>,
    /// Samples per second; none if nothing tells it.
    pub(crate) sample_rate_hz: Option<f64>,
}

/// Reads the recording at position `index` of a file as the options say and classification would.
/// Its samples stay reserved in the context.
///
/// # Errors
/// [`ApiError`] as classification of the file would answer, or if the file has fewer recordings.
pub(crate) async fn recorded(
    context: &mut RequestContext<'_>,
    file: File,
    index: usize,
    options: &Options,
) -> Result<Recorded, ApiError> {
    let model = find(context, options)?;
    let channels = expect_signal(&model.manifest().input)?.channels;
    let (app, caller) = (context.app, context.caller);
    let decode = || {
        let mut decoder = Decoder::new(context, model.manifest(), options);
        decode_file(&mut decoder, &file)
            .map_err(|error| for_input(error, 0, file.name.as_deref(), 1))
    };
    let inputs = app.compute(true, caller, decode).await??;
    drop(file);
    let count = inputs.len();
    let input = inputs.into_iter().nth(index).ok_or_else(|| {
        ApiError::invalid(format!(
            "the file has {count} recordings, so there is none at position {index}; positions begin with 0"
        ))
    })?;
    context.memory.shrink_to(input.bytes());
    let RawInput { origin, samples } = input;
    let channels = match samples {
        Samples::Signal { channels, .. } => channels,
        Samples::Whole(values) => {
            let length = values.len() / channels.max(1);
            Array2::from_shape_vec((channels, length), values).map_err(|_| ApiError::internal())?
        }
    };
    let sample_rate_hz = origin.taken.as_ref().and_then(|taken| taken.sample_rate_hz);
    Ok(Recorded { channels, sample_rate_hz })
}
