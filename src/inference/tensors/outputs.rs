//! What the model gave, as named tensors.

use drsn_bundle::{Manifest, baseline::Level};
use ndarray::{Array2, ArrayView1, ArrayView2};

use super::{BYTES, FP32, WantedOutput};
use crate::{
    engine::{model::Model, queue::BatchSlice, session::Outputs},
    error::ApiError,
    inference::diagnostics::{Detail, Wanted, reader::read},
};

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    slices: Vec<BatchSlice<Outputs>>,
    wanted: Vec<WantedOutput>,
    /// Inputs.
    pub(crate) batch: usize,
    /// The least of the inputs' p-values, where the model has a baseline.
    pub(crate) input_shift_p_value: Option<f64>,
    /// Whether any of them alarms, where the model has a baseline.
    pub(crate) input_shift_alarm: Option<bool>,
}

/// A tensor of the answer.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its sizes: the batch, and the numbers of each input.
    pub(crate) shape: [usize; 2],
    /// What is in it.
    pub(crate) data: Data<'a>,
}

/// What is in a tensor.
#[derive(Debug)]
pub(crate) enum Data<'a> {
    /// Numbers, `[N, width]`, in pieces that follow one another.
    Floats(Vec<ArrayView2<'a, f32>>),
    /// Classes, as `value:index:label`.
    Classes(Vec<String>),
}

impl Answer {
    /// Checks and counts each input, and refuses non-finite numbers in every wanted output.
    pub(super) fn of(
        model: &Model,
        slices: Vec<BatchSlice<Outputs>>,
        levels: &Array2<Level>,
        wanted: Vec<WantedOutput>,
    ) -> Result<Self, ApiError> {
        let rows =
            wanted.iter().flat_map(|output| slices.iter().filter_map(|slice| output.rows(slice)));
        if !rows.flatten().all(|number| number.is_finite()) {
            tracing::error!("the model returned a non-finite number");
            return Err(ApiError::internal());
        }
        let (mut batch, mut least_p_value, mut alarm) = (0, None, None);
        for reading in read(model, &slices, levels.view()) {
            let reading = reading?;
            reading.prediction(None, Wanted { top_k: 1, detail: Detail::None })?;
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

    /// The tensors, in the order in which they were asked for.
    pub(crate) fn outputs<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = Output<'a>> {
        self.wanted.iter().map(move |wanted| {
            let pieces: Vec<_> =
                self.slices.iter().filter_map(|slice| wanted.rows(slice)).collect();
            let (width, data) = match wanted.classes {
                None => (wanted.width, Data::Floats(pieces)),
                Some(count) => {
                    let rows = pieces.iter().flat_map(|piece| piece.outer_iter());
                    let classes = rows.flat_map(|row| classify(row, count, &manifest.classes));
                    (count, Data::Classes(classes.collect()))
                }
            };
            Output { name: &wanted.name, shape: [self.batch, width], data }
        })
    }
}

/// The classes with the largest numbers, as `value:index:label`; of equal ones, the first.
pub(super) fn classify(row: ArrayView1<'_, f32>, count: usize, labels: &[String]) -> Vec<String> {
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
    /// The protocol's name for what is in it.
    pub(crate) fn datatype(&self) -> &'static str {
        match self {
            Self::Floats(_) => FP32,
            Self::Classes(_) => BYTES,
        }
    }

    /// Length of the binary form.
    pub(crate) fn byte_length(&self) -> usize {
        match self {
            Self::Floats(pieces) => pieces.iter().map(|piece| piece.len() * size_of::<f32>()).sum(),
            Self::Classes(classes) => classes.iter().map(|class| 4 + class.len()).sum(),
        }
    }

    /// Appends the binary form: little-endian numbers; text with its length, of 32 bits, before it.
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
