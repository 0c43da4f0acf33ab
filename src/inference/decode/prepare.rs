//! Raw inputs to prepared ones: arrays, the levels of their channels, normalisation.

use drsn_bundle::{Baseline, InputSpec, PrepareError, baseline::Level};
use ndarray::{Array, Array2, ArrayD, Dimension, StrideShape};

use super::{Decoded, Decoder, RawInput, Samples, for_input};
use crate::{
    engine::inputs::{BeforePreparation, Inputs, RawInputs},
    error::ApiError,
    inference::origin::Origin,
};

impl Decoder<'_> {
    /// Prepares the inputs, or returns all of them as recordings if one is not yet in the model's
    /// shape.
    ///
    /// # Errors
    /// [`ApiError`] that names the invalid input.
    pub(crate) fn decoded(&mut self, inputs: Vec<RawInput>) -> Result<Decoded, ApiError> {
        self.check_count(inputs.len())?;
        if inputs.iter().any(|input| matches!(input.samples, Samples::Signal { .. })) {
            return Ok(Decoded::Recordings(inputs));
        }
        let mut values = Vec::with_capacity(inputs.len() * self.spec.elements());
        let mut origins = Vec::with_capacity(inputs.len());
        for RawInput { origin, samples } in inputs {
            let Samples::Whole(numbers) = samples else { return Err(ApiError::internal()) };
            values.extend(numbers);
            origins.push(origin);
        }
        let inputs = self.prepared(values, &origins)?;
        Ok(Decoded::Inputs { inputs, origins })
    }

    /// Prepares inputs in the model's shape that have no names.
    ///
    /// # Errors
    /// [`ApiError`] that names the invalid input.
    pub(super) fn ready(&mut self, values: Vec<f32>) -> Result<Decoded, ApiError> {
        Ok(Decoded::Inputs { inputs: self.prepared(values, &[])?, origins: Vec::new() })
    }

    /// Checks and normalises raw inputs that follow one another.
    pub(crate) fn prepared(
        &mut self,
        values: Vec<f32>,
        origins: &[Origin],
    ) -> Result<Inputs, ApiError> {
        let count = values.len() / self.spec.elements();
        if count == 0 {
            return Err(ApiError::invalid("the request has no inputs"));
        }
        self.check_count(count)?;
        let raw = if self.is_captured {
            self.memory.grow(size_of_val(values.as_slice()) as u64)?;
            Some(Box::new(RawInputs { values: values.clone(), starts: Vec::new() }))
        } else {
            None
        };
        let mut values = batch(values, self.spec)?;
        let levels = self.levels(&values, count)?;
        for (index, (mut input, levels)) in
            values.outer_iter_mut().zip(levels.outer_iter()).enumerate()
        {
            let input = input.as_slice_mut().ok_or_else(ApiError::internal)?;
            let levels = levels.to_slice().ok_or_else(ApiError::internal)?;
            self.spec.prepare_measured(input, levels).map_err(|error| {
                let name = origins.get(index).and_then(|origin| origin.name.as_deref());
                for_input(prepare_error(&error), index, name, count)
            })?;
        }
        Ok(Inputs::new(values, BeforePreparation { levels, raw }))
    }

    /// The levels of the raw channels, `[N, C]`, or `[N, 0]` if the baseline has no levels. Inputs
    /// with non-finite numbers are rejected later.
    fn levels(&mut self, values: &ArrayD<f32>, count: usize) -> Result<Array2<Level>, ApiError> {
        let channels = level_channels(self.spec, self.baseline);
        self.memory.grow((count * channels * size_of::<Level>()) as u64)?;
        if channels == 0 {
            return array((count, 0), Vec::new());
        }
        let rows = (count * channels, self.spec.elements() / channels);
        let rows = values.view().into_shape_with_order(rows).map_err(|_| ApiError::internal())?;
        array((count, channels), Level::of_channels(&rows))
    }
}

/// Channels of an input whose raw levels are checked: 0 if the baseline has no levels.
pub(crate) fn level_channels(spec: &InputSpec, baseline: Option<&Baseline>) -> usize {
    match spec {
        InputSpec::Signal(signal) if baseline.is_some_and(|b| b.level.is_some()) => signal.channels,
        InputSpec::Signal(_) | InputSpec::Image(_) => 0,
    }
}

/// Inputs that follow one another as `[N, C, L]` or `[N, C, H, W]`.
pub(crate) fn batch(values: Vec<f32>, spec: &InputSpec) -> Result<ArrayD<f32>, ApiError> {
    let count = values.len() / spec.elements();
    match spec {
        InputSpec::Image(image) => {
            array((count, image.channels, image.height, image.width), values).map(Array::into_dyn)
        }
        InputSpec::Signal(signal) => {
            array((count, signal.channels, signal.window), values).map(Array::into_dyn)
        }
    }
}

/// An array of the numbers. Only a bug in this program makes them not fit the shape.
pub(crate) fn array<T, D: Dimension>(
    shape: impl Into<StrideShape<D>>,
    numbers: Vec<T>,
) -> Result<Array<T, D>, ApiError> {
    Array::from_shape_vec(shape, numbers).map_err(|error| {
        tracing::error!(%error, "numbers do not fit their shape");
        ApiError::internal()
    })
}

pub(crate) fn prepare_error(error: &PrepareError) -> ApiError {
    ApiError::invalid(error.to_string())
}
