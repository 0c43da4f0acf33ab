//! A model's outputs as named tensors.

use drsn_bundle::Manifest;
use ndarray::{ArrayView1, ArrayView2};

use super::{BYTES, FP32, WantedOutput};
use crate::{
    engine::{inputs::BeforePreparation, model::Model, queue::BatchSlice, session::Outputs},
    error::ApiError,
    inference::{
        diagnostics::{Detail, Wanted, reader::read},
        origin::Origin,
    },
};

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    slices: Vec<BatchSlice<Outputs>>,
    wanted: Vec<WantedOutput>,
    /// Number of inputs.
    pub(crate) batch: usize,
    /// The smallest p-value of the inputs, if the model has a baseline.
    pub(crate) input_shift_p_value: Option<f64>,
    /// Whether the shift of any input alarms, if the model has a baseline.
    pub(crate) input_shift_alarm: Option<bool>,
}

/// A tensor of the answer.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) name: &'a str,
    /// Number of inputs, and sizes of the numbers or number of classes for each.
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data<'a>,
}

/// The content of a tensor.
#[derive(Debug)]
pub(crate) enum Data<'a> {
    /// Numbers, `[N, values]`, in consecutive pieces.
    Floats(Vec<ArrayView2<'a, f32>>),
    /// Classes, as `value:index:label`.
    Classes(Vec<String>),
}

impl Answer {
    /// Checks each input against the baseline and counts it.
    ///
    /// # Errors
    /// [`ApiError::internal`] if a requested output has a non-finite number.
    pub(super) fn of(
        model: &Model,
        slices: Vec<BatchSlice<Outputs>>,
        before: &BeforePreparation,
        wanted: Vec<WantedOutput>,
    ) -> Result<Self, ApiError> {
        let rows =
            wanted.iter().flat_map(|output| slices.iter().filter_map(|slice| output.rows(slice)));
        if !rows.flatten().all(|number| number.is_finite()) {
            tracing::error!("the model returned a non-finite number");
            return Err(ApiError::internal());
        }
        let (mut batch, mut least_p_value, mut alarm) = (0, None, None);
        for reading in read(model, &slices, before) {
            let reading = reading?;
            reading.prediction(Origin::default(), Wanted { top_k: 1, detail: Detail::None })?;
            if let Some(shift) = reading.baseline.shift {
                let least = least_p_value.map_or(shift.p_value, |p: f64| p.min(shift.p_value));
                least_p_value = Some(least);
                alarm = Some(alarm.unwrap_or_default() || shift.alarm);
            }
            batch += 1;
        }
        let (input_shift_p_value, input_shift_alarm) = (least_p_value, alarm);
        Ok(Self { slices, wanted, batch, input_shift_p_value, input_shift_alarm })
    }

    /// The tensors, in the requested order.
    pub(crate) fn outputs<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = Output<'a>> {
        self.wanted.iter().map(move |wanted| {
            let pieces: Vec<_> =
                self.slices.iter().filter_map(|slice| wanted.rows(slice)).collect();
            let (sizes, data) = match wanted.classes {
                None => (wanted.sizes.clone(), Data::Floats(pieces)),
                Some(count) => {
                    let rows = pieces.iter().flat_map(|piece| piece.outer_iter());
                    let classes = rows.flat_map(|row| classify(&row, count, &manifest.classes));
                    (vec![count], Data::Classes(classes.collect()))
                }
            };
            let shape = std::iter::once(self.batch).chain(sizes).collect();
            Output { name: &wanted.name, shape, data }
        })
    }
}

/// The `count` classes with the largest numbers, as `value:index:label`; equal ones in their order.
pub(super) fn classify(row: &ArrayView1<'_, f32>, count: usize, labels: &[String]) -> Vec<String> {
    let mut ranked: Vec<usize> = (0..row.len()).collect();
    ranked.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    ranked.truncate(count);
    ranked
        .into_iter()
        .map(|class| {
            let label = labels.get(class).map_or("", String::as_str);
            format!("{}:{class}:{label}", row[class])
        })
        .collect()
}

impl Data<'_> {
    /// The datatype in the protocol.
    pub(crate) fn datatype(&self) -> &'static str {
        match self {
            Self::Floats(_) => FP32,
            Self::Classes(_) => BYTES,
        }
    }

    /// Length of the binary form, in bytes.
    pub(crate) fn byte_length(&self) -> usize {
        match self {
            Self::Floats(pieces) => pieces.iter().map(|piece| piece.len() * size_of::<f32>()).sum(),
            Self::Classes(classes) => classes.iter().map(|class| 4 + class.len()).sum(),
        }
    }

    /// Appends the binary form: little-endian numbers; each text after its length, a 32-bit number.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.byte_length());
        match self {
            Self::Floats(pieces) => {
                for number in pieces.iter().flatten() {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
            Self::Classes(classes) => {
                for class in classes {
                    bytes.extend_from_slice(&(class.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(class.as_bytes());
                }
            }
        }
    }
}
