//! One map of a recording from those of its windows, in memory that does not grow with its length.

use ndarray::s;

use super::{ClassMap, MOST_VALUES, SignalMap, segments::segments};
use crate::{
    engine::{class_map::MapShape, session::Outputs},
    error::ApiError,
    inference::diagnostics::check_finite,
};

/// Most numbers that are kept, in all classes: the recording's class is known at its end only.
const MOST_NUMBERS: usize = 1 << 16;
/// Fewest values that a long recording keeps, whatever the number of classes.
const FEWEST_VALUES: usize = 64;

/// Sums over the windows' maps, for each class and each equal part of the recording. Parts become
/// twice as long whenever there would be too many.
#[derive(Debug)]
pub(crate) struct MapSums {
    classes: usize,
    /// Positions and samples of a window.
    positions: usize,
    window: usize,
    /// Samples of each part.
    step: f64,
    /// `[part][class]`, and the number of positions in each part.
    sums: Vec<f64>,
    counts: Vec<u32>,
    /// For each class, over the windows: the logit without the map's mean.
    biases: Vec<f64>,
    windows: u32,
    end: usize,
}

impl MapSums {
    /// Sums without windows; `None` for a model without a map along a signal.
    pub(crate) fn new(shape: Option<MapShape>, classes: usize, window: usize) -> Option<Self> {
        let Some(MapShape::Signal { positions }) = shape else { return None };
        Some(Self {
            classes,
            positions,
            window,
            step: window as f64 / positions.max(1) as f64,
            sums: Vec::new(),
            counts: Vec::new(),
            biases: vec![0.0; classes],
            windows: 0,
            end: 0,
        })
    }

    /// Limit of their memory, in bytes.
    pub(crate) fn bytes(classes: usize) -> u64 {
        // Vectors double as they grow.
        let parts = 2 * most_parts(classes) * (classes * size_of::<f64>() + size_of::<u32>());
        (size_of::<Self>() + parts + classes * size_of::<f64>()) as u64
    }

    /// Adds the map of a window that starts at this sample.
    ///
    /// # Errors
    /// [`ApiError::internal`] if a number is not finite.
    pub(crate) fn add(
        &mut self,
        start: usize,
        outputs: &Outputs,
        row: usize,
    ) -> Result<(), ApiError> {
        let Some(map) = &outputs.map else { return Ok(()) };
        let map = map.slice(s![row, .., ..]);
        check_finite(map)?;
        self.windows += 1;
        self.end = self.end.max(start + self.window);
        for (class, bias) in self.biases.iter_mut().enumerate() {
            let mean = map.row(class).mean().unwrap_or_default();
            *bias += f64::from(outputs.logits[(row, class)] - mean);
        }
        let samples = self.window as f64 / self.positions as f64;
        for (position, values) in map.columns().into_iter().enumerate() {
            let middle = start as f64 + (position as f64 + 0.5) * samples;
            let part = self.part(middle);
            self.counts[part] += 1;
            let sums = &mut self.sums[part * self.classes..][..self.classes];
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += f64::from(value);
            }
        }
        Ok(())
    }

    /// The part in which a sample lies, with room for it.
    fn part(&mut self, sample: f64) -> usize {
        while sample >= self.step * most_parts(self.classes) as f64 {
            self.halve();
        }
        let part = (sample / self.step) as usize;
        if part >= self.counts.len() {
            self.counts.resize(part + 1, 0);
            self.sums.resize((part + 1) * self.classes, 0.0);
        }
        part
    }

    /// Makes one part of every two.
    fn halve(&mut self) {
        self.step *= 2.0;
        let (classes, parts) = (self.classes, self.counts.len());
        for part in 0..parts {
            let (count, target) = (self.counts[part], part / 2);
            if part % 2 == 0 {
                self.counts[target] = count;
                self.sums.copy_within(part * classes..(part + 1) * classes, target * classes);
            } else {
                self.counts[target] += count;
                for class in 0..classes {
                    self.sums[target * classes + class] += self.sums[part * classes + class];
                }
            }
        }
        self.counts.truncate(parts.div_ceil(2));
        self.sums.truncate(parts.div_ceil(2) * classes);
    }

    /// The map for a class; with segments if there are `labels` for the classes of positions.
    pub(crate) fn map<'a>(&self, class: usize, labels: Option<&'a [String]>) -> ClassMap<'a> {
        let value_of = |part: usize, class: usize| {
            let count = self.counts[part];
            let sum = self.sums[part * self.classes + class];
            (count > 0).then(|| (sum / f64::from(count)) as f32)
        };
        let bias = |class: usize| (self.biases[class] / f64::from(self.windows.max(1))) as f32;
        let parts = 0..self.counts.len();
        let logits = parts.clone().map(|part| {
            let logit = move |class| value_of(part, class).map(|value| value + bias(class));
            (self.counts[part] > 0).then(|| (0..self.classes).filter_map(logit))
        });
        let segments = |labels| segments(logits, self.step, self.end, labels);
        ClassMap::Signal(SignalMap {
            class_index: class,
            bias: bias(class),
            start: 0,
            end: self.end,
            step: self.step,
            values: parts.map(|part| value_of(part, class)).collect(),
            segments: labels.map(segments),
        })
    }
}

/// Most parts of a recording.
fn most_parts(classes: usize) -> usize {
    (MOST_NUMBERS / classes.max(1)).clamp(FEWEST_VALUES, MOST_VALUES)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};

    use super::*;

    /// The outputs for a window in which every position has the value of its middle sample.
    fn window(start: usize) -> Outputs {
        let map = Array3::from_shape_fn((1, 2, 4), |(_, class, position)| {
            (class as f32 + 1.0) * (start as f32 + 2.0 * position as f32 + 1.0)
        });
        let means = map.mean_axis(ndarray::Axis(2)).unwrap();
        Outputs {
            probabilities: Array2::zeros((1, 2)),
            logits: means + 0.25,
            blocks: Vec::new(),
            features: None,
            statistics: None,
            map: Some(map),
        }
    }

    fn signal(map: ClassMap<'_>) -> SignalMap<'_> {
        let ClassMap::Signal(map) = map else { panic!("a map of a signal") };
        map
    }

    #[test]
    fn windows_that_overlap_give_one_map_and_those_left_out_a_gap() {
        let shape = Some(MapShape::Signal { positions: 4 });
        let mut sums = MapSums::new(shape, 2, 8).unwrap();
        for start in [0, 4, 20] {
            sums.add(start, &window(start), 0).unwrap();
        }
        let map = signal(sums.map(1, None));
        assert_eq!((map.start, map.end, map.step), (0, 28, 2.0));
        let expected: Vec<Option<f32>> = (0..14)
            .map(|at| (!(6..10).contains(&at)).then_some(2.0 * (2.0 * at as f32 + 1.0)))
            .collect();
        assert_eq!(map.values, expected);
        assert!((map.bias - 0.25).abs() < 1e-5);
    }

    #[test]
    fn a_recording_of_any_length_has_at_most_1024_values_that_are_means() {
        let shape = Some(MapShape::Signal { positions: 4 });
        let mut sums = MapSums::new(shape, 2, 8).unwrap();
        for start in (0..80_000).step_by(8) {
            sums.add(start, &window(start), 0).unwrap();
        }
        let map = signal(sums.map(0, None));
        assert_eq!((map.end, map.step), (80_000, 128.0));
        assert_eq!(map.values.len(), 625);
        for (at, value) in map.values.iter().enumerate() {
            let middle = 128.0 * (at as f32 + 0.5);
            assert!((value.unwrap() - middle).abs() < 0.01, "{at}: {value:?}");
        }
        assert!(sums.sums.len() * 8 + sums.counts.len() * 4 < MapSums::bytes(2) as usize);
    }

    #[test]
    fn many_classes_leave_room_for_fewer_values() {
        assert_eq!([2, 64, 100, 100_000].map(most_parts), [1024, 1024, 655, 64]);
    }
}
