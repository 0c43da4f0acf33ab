//! What the model gave, as named tensors.

use drsn_bundle::{Manifest, baseline::Level};

use super::{BYTES, FP32, WantedOutput};
use crate::{
    batcher::Share,
    diagnostics::{Detail, InputName, Prediction, Wanted, observe},
    error::ApiError,
    judgement::Judgement,
    model::Model,
    session::Outputs,
};

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    shares: Vec<Share<Outputs>>,
    wanted: Vec<WantedOutput>,
    /// Inputs.
    pub batch: usize,
    /// The least of the inputs' p-values, where the model has a baseline.
    pub input_shift_p_value: Option<f64>,
    /// Whether any of them alarms, where the model has a baseline.
    pub input_shift_alarm: Option<bool>,
}

/// A tensor of the answer.
#[derive(Debug)]
pub struct Output<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its sizes: the batch, and the numbers of each input.
    pub shape: [usize; 2],
    /// What is in it.
    pub data: Data<'a>,
}

/// What is in a tensor.
#[derive(Debug)]
pub enum Data<'a> {
    /// Numbers, in pieces that lie one after the other.
    Floats(Vec<&'a [f32]>),
    /// Classes, as `value:index:label`.
    Classes(Vec<String>),
}

impl Answer {
    /// Judges and counts each input, and holds every wanted number to be finite.
    pub(super) fn of(
        model: &Model,
        shares: Vec<Share<Outputs>>,
        levels: &[Level],
        wanted: Vec<WantedOutput>,
    ) -> Result<Self, ApiError> {
        let rows = wanted.iter().flat_map(|output| shares.iter().map(|share| output.rows(share)));
        if !rows.flatten().all(|number| number.is_finite()) {
            tracing::error!("the model gave a number that is not finite");
            return Err(ApiError::internal());
        }
        let mut answer = Self {
            wanted,
            batch: 0,
            input_shift_p_value: None,
            input_shift_alarm: None,
            shares: Vec::new(),
        };
        for share in &shares {
            for row in 0..share.count {
                answer.note(model, share, row, levels)?;
            }
        }
        answer.shares = shares;
        Ok(answer)
    }

    /// Judges and counts one input.
    fn note(
        &mut self,
        model: &Model,
        share: &Share<Outputs>,
        row: usize,
        levels: &[Level],
    ) -> Result<(), ApiError> {
        let manifest = model.manifest();
        let channels = manifest.input.channels();
        let input = InputName { index: self.batch, name: None };
        let levels = levels.get(self.batch * channels..(self.batch + 1) * channels);
        let judgement = Judgement::of(share, row, manifest, levels.unwrap_or_default())?;
        let wanted = Wanted { top_k: 1, detail: Detail::None };
        let prediction = Prediction::of(input, share, row, judgement, manifest, wanted)?;
        observe(&prediction, share, row, &model.metrics);
        judgement.observe(&model.metrics.baseline);
        if let Some(shift) = judgement.shift {
            let least = self.input_shift_p_value.map_or(shift.p_value, |p| p.min(shift.p_value));
            self.input_shift_p_value = Some(least);
            self.input_shift_alarm =
                Some(self.input_shift_alarm.unwrap_or_default() || shift.alarm);
        }
        self.batch += 1;
        Ok(())
    }

    /// The tensors, in the order in which they were asked for.
    pub fn outputs<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = Output<'a>> {
        self.wanted.iter().map(move |wanted| {
            let pieces: Vec<&[f32]> = self.shares.iter().map(|share| wanted.rows(share)).collect();
            let (width, data) = match wanted.classes {
                None => (wanted.width, Data::Floats(pieces)),
                Some(count) => {
                    let rows = pieces.iter().flat_map(|piece| piece.chunks(wanted.width));
                    let classes = rows.flat_map(|row| classify(row, count, &manifest.classes));
                    (count, Data::Classes(classes.collect()))
                }
            };
            Output { name: &wanted.name, shape: [self.batch, width], data }
        })
    }
}

/// The classes with the largest numbers, as `value:index:label`; of equal ones, the first.
pub(super) fn classify(row: &[f32], count: usize, labels: &[String]) -> Vec<String> {
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
    pub fn datatype(&self) -> &'static str {
        match self {
            Self::Floats(_) => FP32,
            Self::Classes(_) => BYTES,
        }
    }

    /// Length of the binary form.
    pub fn byte_length(&self) -> usize {
        match self {
            Self::Floats(pieces) => pieces.iter().map(|piece| size_of_val(*piece)).sum(),
            Self::Classes(classes) => classes.iter().map(|class| 4 + class.len()).sum(),
        }
    }

    /// Appends the binary form: little-endian numbers; text with its length, of 32 bits, before it.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.byte_length());
        match self {
            Self::Floats(pieces) => {
                for number in pieces.iter().copied().flatten() {
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
