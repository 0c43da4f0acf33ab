//! An input of each model to begin with, from the inputs that are part of its bundle.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use drsn_bundle::{ImageSpec, InputSpec};

use super::bad_path;
use crate::{
    app::App,
    engine::model::Model,
    error::{ApiError, ErrorKind},
};

/// `GET /console/samples/{model}`: the first of the bundle's inputs with known outputs, a picture as
/// it was before normalisation: little-endian 32-bit floats in the model's shape.
pub(super) async fn first(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| bad_path())?;
    let model = app.repository()?.find(Some(&name), None)?;
    let values = raw(&model).ok_or_else(|| {
        ErrorKind::NotFound.because("this model's bundle has no input to begin with; choose a file")
    })?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// The first input; that of a picture without its normalisation. Signals are made up, and have no
/// level that would be theirs.
fn raw(model: &Model) -> Option<Vec<f32>> {
    let input = model.golden().input.outer_iter().next()?;
    let mut values: Vec<f32> = input.iter().copied().collect();
    if let InputSpec::Image(image) = &model.manifest().input {
        undo(image, &mut values);
    }
    Some(values)
}

/// Adds the mean and multiplies by the deviation of each channel.
fn undo(image: &ImageSpec, values: &mut [f32]) {
    let pixels = image.height * image.width;
    let channels = values.chunks_mut(pixels).zip(image.mean.iter().zip(&image.std));
    for (channel, (mean, deviation)) in channels {
        for value in channel {
            *value = *value * deviation + mean;
        }
    }
}
