//! The only way from a model's outputs to predictions: each row is checked against the model's
//! baseline, read and counted.

use drsn_bundle::{Manifest, baseline::Level};
use ndarray::ArrayView1;

use super::{
    Prediction, Wanted,
    baseline::{self, BaselineCheck},
    observe,
};
use crate::{
    engine::{
        class_map::MapShape, inputs::BeforePreparation, model::Model, queue::BatchSlice,
        session::Outputs,
    },
    error::ApiError,
    inference::origin::Origin,
};

/// The outputs for one input, checked against the baseline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    model: &'a Model,
    pub(crate) outputs: &'a Outputs,
    /// The input's row in the outputs.
    pub(crate) row: usize,
    /// The input's position in the request.
    index: usize,
    pub(crate) baseline: BaselineCheck,
    /// The levels of the input's raw channels; none if the baseline has no levels.
    pub(super) levels: ArrayView1<'a, Level>,
}

/// Reads the rows of some slices in order. The metrics count every reading, whether or not its
/// client wants diagnostics, and inputs that are to be kept are captured here.
pub(crate) fn read<'a>(
    model: &'a Model,
    slices: &'a [BatchSlice<Outputs>],
    before: &'a BeforePreparation,
) -> impl Iterator<Item = Result<Reading<'a>, ApiError>> {
    let rows =
        |slice: &'a BatchSlice<Outputs>| slice.rows.clone().map(|row| (&*slice.outputs, row));
    slices.iter().flat_map(rows).enumerate().map(move |(index, (outputs, row))| {
        // Zipping the two would drop predictions without a word if levels were missing.
        let levels = (index < before.levels.nrows()).then(|| before.levels.row(index));
        let levels = levels.ok_or_else(ApiError::internal)?;
        let baseline = baseline::check(outputs, row, model.manifest(), &levels)?;
        baseline.observe(model, outputs, row);
        let reading = Reading { model, outputs, row, index, baseline, levels };
        if let (Some(capture), Some((values, start))) = (&model.capture, before.raw(index)) {
            reading.capture(capture, values, start);
        }
        Ok(reading)
    })
}

impl<'a> Reading<'a> {
    pub(super) fn manifest(&self) -> &'a Manifest {
        self.model.manifest()
    }

    /// The shape of the model's class activation map.
    pub(super) fn map_shape(&self) -> Option<MapShape> {
        self.model.map
    }

    /// Makes the prediction and counts it in the metrics: call this once.
    ///
    /// # Errors
    /// [`ApiError::internal`] if the model returned a non-finite number.
    pub(crate) fn prediction(
        &self,
        origin: Origin,
        wanted: Wanted,
    ) -> Result<Prediction<'a>, ApiError> {
        let prediction = Prediction::of(self.index, origin, self, self.manifest(), wanted)?;
        observe(&prediction, self, &self.model.metrics);
        Ok(prediction)
    }
}
