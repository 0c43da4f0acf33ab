//! The class activation map in an answer: where in the input the evidence for its class is.

mod segments;
mod sums;

use ndarray::ArrayView1;
use serde::Serialize;
use utoipa::ToSchema;

use self::segments::segments;
use super::check_finite;
use crate::{
    engine::{class_map::MapShape, session::Outputs},
    error::ApiError,
};

pub(crate) use segments::Segment;
pub(crate) use sums::MapSums;

/// Most values of a signal's map, and of each side of an image's.
const MOST_VALUES: usize = 1024;
const MOST_OF_A_SIDE: usize = 64;

/// What each part of an input adds to the logit of the predicted class.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ClassMap<'a> {
    /// Along a signal.
    Signal(SignalMap<'a>),
    /// Over a picture.
    Image(ImageMap),
}

/// The map of a signal. Value i is that of `step` samples from `start + i · step` on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct SignalMap<'a> {
    /// Position of the class in the model's list of classes.
    pub(crate) class_index: usize,
    /// The class's logit without them: the mean of the values and this are the logit.
    pub(crate) bias: f32,
    /// First sample, at the model's sample rate.
    pub(crate) start: usize,
    /// One past the last sample.
    pub(crate) end: usize,
    /// Samples of each value, which need not be a whole number.
    pub(crate) step: f64,
    /// At most 1,024 values; of a longer map each is a mean. Null where no window was classified.
    #[schema(value_type = Vec<Option<f32>>)]
    pub(crate) values: Vec<Option<f32>>,
    /// Where in the signal which class is; missing for a network that was not trained to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) segments: Option<Vec<Segment<'a>>>,
}

/// The map of a picture, as the model sees it after its geometry.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ImageMap {
    /// Position of the class in the model's list of classes.
    pub(crate) class_index: usize,
    /// The class's logit without them: the mean of the values and this are the logit.
    pub(crate) bias: f32,
    /// Number of rows, at most 64, which divide the picture equally.
    pub(crate) height: usize,
    /// Number of columns, at most 64.
    pub(crate) width: usize,
    /// Row by row from the top, each from the left.
    pub(crate) values: Vec<Vec<f32>>,
}

impl<'a> ClassMap<'a> {
    /// The map of one input for a class; `None` for a model without one, or if it was not
    /// requested. `samples` are those of a signal, and `labels` those of the classes if positions of
    /// the signal have classes of their own.
    ///
    /// # Errors
    /// [`ApiError::internal`] if a number is not finite.
    pub(crate) fn of(
        outputs: &Outputs,
        row: usize,
        class: usize,
        shape: Option<MapShape>,
        samples: usize,
        labels: Option<&'a [String]>,
    ) -> Result<Option<Self>, ApiError> {
        let (Some(shape), Some(maps)) = (shape, &outputs.map) else { return Ok(None) };
        let maps = maps.slice(ndarray::s![row, .., ..]);
        let map = maps.row(class);
        check_finite(map)?;
        let logits = outputs.logits.row(row);
        let bias =
            |(map, logit): (ArrayView1<'_, f32>, &f32)| logit - map.mean().unwrap_or_default();
        let bias_of_class = bias((map, &logits[class]));
        Ok(Some(match shape {
            MapShape::Signal { positions } => {
                let count = positions.min(MOST_VALUES);
                let step = samples as f64 / count as f64;
                let value = |map: &ArrayView1<'_, f32>, at| mean(map, part(at, count, positions));
                let segments = |labels| {
                    let biases: Vec<f32> = maps.rows().into_iter().zip(logits).map(bias).collect();
                    let logits_at = |at| {
                        let classes = maps.rows().into_iter().zip(&biases);
                        Some(classes.map(move |(map, bias)| value(&map, at) + bias))
                    };
                    segments((0..count).map(logits_at), step, samples, labels)
                };
                Self::Signal(SignalMap {
                    class_index: class,
                    bias: bias_of_class,
                    start: 0,
                    end: samples,
                    step,
                    values: (0..count).map(|at| Some(value(&map, at))).collect(),
                    segments: labels.map(segments),
                })
            }
            MapShape::Image { height, width } => {
                Self::Image(ImageMap::new(class, bias_of_class, &map, [height, width]))
            }
        }))
    }

    /// The same map of a window that begins at this sample.
    pub(crate) fn starting_at(mut self, sample: usize) -> Self {
        if let Self::Signal(SignalMap { start, end, segments, .. }) = &mut self {
            *start += sample;
            *end += sample;
            for Segment { start, end, .. } in segments.iter_mut().flatten() {
                *start += sample;
                *end += sample;
            }
        }
        self
    }
}

impl ImageMap {
    fn new(class_index: usize, bias: f32, map: &ArrayView1<'_, f32>, sides: [usize; 2]) -> Self {
        let [rows, columns] = sides;
        let [height, width] = sides.map(|side| side.min(MOST_OF_A_SIDE));
        let cell = |row, column| {
            let rows = part(row, height, rows);
            let count = rows.len().max(1) as f32;
            let of_row = |row: usize| {
                let std::ops::Range { start, end } = part(column, width, columns);
                mean(map, row * columns + start..row * columns + end)
            };
            rows.map(of_row).sum::<f32>() / count
        };
        let row = |row| (0..width).map(|column| cell(row, column)).collect();
        let values = (0..height).map(row).collect();
        Self { class_index, bias, height, width, values }
    }
}

/// The positions of which value `at` of `count` is the mean.
fn part(at: usize, count: usize, positions: usize) -> std::ops::Range<usize> {
    at * positions / count..(at + 1) * positions / count
}

fn mean(map: &ArrayView1<'_, f32>, part: std::ops::Range<usize>) -> f32 {
    let count = part.len().max(1) as f32;
    map.iter().skip(part.start).take(part.len()).sum::<f32>() / count
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;

    #[test]
    fn a_large_picture_has_a_map_of_at_most_64_by_64_means() {
        let map: Array1<f32> = (0..128 * 65).map(|at| (at / 65) as f32).collect();
        let map = ImageMap::new(3, 0.5, &map.view(), [128, 65]);
        assert_eq!((map.height, map.width), (64, 64));
        let first: Vec<f32> = map.values.iter().map(|row| row[0]).collect();
        assert_eq!(first, (0..64).map(|row| 2.0 * row as f32 + 0.5).collect::<Vec<_>>());
        assert!(map.values.iter().all(|row| *row == vec![row[0]; 64]));
    }
}
