//! Summarizes a recording's windows as one prediction: probabilities and blocks are averaged, shift
//! and level are judged over all windows. A recording of one window gets the same prediction as an
//! input of that length.

use drsn_bundle::{
    Manifest,
    baseline::{ChangeDetector, InputLevel, InputShift, LevelCauses, most_likely},
};
use drsn_recording::Notice;
use ndarray::aview1;

use super::tally::WindowTally;
use crate::{
    engine::class_map::MapShape,
    error::ApiError,
    inference::{
        diagnostics::{
            AlarmVectors, BlockDiagnostics, Caused, Change, Detail, Diagnostics, Left, Magnitudes,
            MapSums, NoticeText, Prediction, Shift, ShiftAnswer, Wanted, WindowPrediction,
            baseline::BaselineCheck, changes, check_finite, described, labels_of_positions, ranked,
            reader::Reading,
        },
        origin::Origin,
    },
    observability::metrics::ModelMetrics,
};

/// The windows of one input so far. It grows by [`Summary::BYTES_OF_A_WINDOW`] with each window.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) origin: Origin,
    /// The windows that were cut; those that are classified come in later.
    pub(super) tally: WindowTally,
    /// Tells that it was extended to a window.
    pub(super) padded: Option<Notice>,
    windows: Vec<Window>,
    /// Sum of the windows' probabilities.
    probabilities: Vec<f64>,
    blocks: Vec<Sums>,
    /// The class activation maps, if they were requested and the model has them.
    map: Option<MapSums>,
    level_causes: LevelCauses,
    alarms: AlarmVectors,
    /// The test for changes, at the start; none without a baseline of the shift.
    detector: Option<ChangeDetector>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: usize,
    class: usize,
    probability: f32,
    baseline: BaselineCheck,
}

/// Sums over the windows, for each channel of a block.
#[derive(Debug)]
struct Sums {
    threshold: Vec<f64>,
    mean_abs: Vec<f64>,
    /// Sum and number of the known scales.
    scale: Vec<(f64, u32)>,
    zeroed: Vec<f64>,
    mean_abs_after: Vec<f64>,
}

impl Summary {
    /// Memory of a window in bytes: its entry here, twice while the list grows, and copies of its
    /// shift and level.
    pub(super) const BYTES_OF_A_WINDOW: u64 =
        (2 * size_of::<Window>() + size_of::<InputShift>() + size_of::<InputLevel>()) as u64;

    /// A summary without windows. `map` is the shape of the model's map, if it is wanted.
    pub(super) fn new(
        origin: Origin,
        manifest: &Manifest,
        map: Option<MapShape>,
        false_alarm_every: u64,
    ) -> Self {
        let baseline = manifest.baseline.as_ref();
        let blocks = manifest.blocks.iter().map(|block| Sums {
            threshold: vec![0.0; block.channels],
            mean_abs: vec![0.0; block.channels],
            scale: vec![(0.0, 0); block.channels],
            zeroed: vec![0.0; block.channels],
            mean_abs_after: vec![0.0; block.channels],
        });
        Self {
            origin,
            tally: WindowTally::default(),
            padded: None,
            windows: Vec::new(),
            probabilities: vec![0.0; manifest.classes.len()],
            blocks: blocks.collect(),
            map: MapSums::new(map, manifest.classes.len(), window(manifest)),
            level_causes: LevelCauses::default(),
            alarms: AlarmVectors::default(),
            detector: baseline.and_then(|baseline| baseline.change_detector(false_alarm_every)),
        }
    }

    /// Memory of a summary without windows, in bytes; `detailed` with its map.
    pub(super) fn bytes(manifest: &Manifest, detailed: bool) -> u64 {
        let channels: usize = manifest.blocks.iter().map(|block| block.channels).sum();
        let sums = manifest.blocks.len() * size_of::<Sums>() + channels * 48;
        let causes = LevelCauses::bytes(manifest.input.channels()) + AlarmVectors::bytes(manifest);
        let map = if detailed { MapSums::bytes(manifest.classes.len()) } else { 0 };
        (size_of::<Self>() + manifest.classes.len() * 8 + sums + causes) as u64 + map
    }

    /// Memory of the recording's name and of what was taken of it in an answer, in bytes.
    pub(super) fn bytes_of_origin(&self) -> usize {
        self.origin.bytes_in_answer()
    }

    /// Number of windows so far.
    pub(super) fn count(&self) -> usize {
        self.windows.len()
    }

    /// Adds the window that starts at `start`.
    pub(super) fn add(
        &mut self,
        start: usize,
        reading: &Reading<'_>,
        manifest: &Manifest,
        detail: Detail,
    ) -> Result<(), ApiError> {
        let Reading { outputs, row, baseline, .. } = *reading;
        let probabilities = outputs.probabilities.row(row);
        check_finite(probabilities)?;
        let class = most_likely(probabilities);
        self.windows.push(Window { start, class, probability: probabilities[class], baseline });
        if detail != Detail::None {
            if baseline.level.is_some_and(|level| level.alarm) {
                self.level_causes.add(&reading.level_causes(manifest));
            }
            self.alarms.add(reading);
        }
        add(&mut self.probabilities, probabilities);
        if let Some(map) = &mut self.map {
            map.add(start, outputs, row)?;
        }
        let blocks = manifest.blocks.iter().zip(&outputs.blocks).zip(&mut self.blocks);
        for ((block, outputs), sums) in blocks {
            let magnitudes = Magnitudes::of(outputs, row)?;
            add(&mut sums.threshold, magnitudes.threshold);
            add(&mut sums.mean_abs, magnitudes.mean_abs);
            if let Some(Left { zeroed, mean_abs }) = magnitudes.left {
                add(&mut sums.zeroed, zeroed);
                add(&mut sums.mean_abs_after, mean_abs);
            }
            let scales = block.threshold.scales(magnitudes.threshold, magnitudes.mean_abs);
            for ((sum, count), scale) in sums.scale.iter_mut().zip(scales) {
                *sum += f64::from(scale.unwrap_or_default());
                *count += u32::from(scale.is_some());
            }
        }
        Ok(())
    }

    /// The prediction for all windows.
    pub(super) fn prediction<'a>(
        &self,
        index: usize,
        manifest: &'a Manifest,
        wanted: Wanted,
    ) -> Result<Prediction<'a>, ApiError> {
        let mut ranked = ranked(aview1(&self.mean(&self.probabilities)), manifest);
        let best = *ranked.first().ok_or_else(ApiError::internal)?;
        ranked.truncate(wanted.top_k);
        let diagnostics = (wanted.detail != Detail::None)
            .then(|| self.diagnostics(manifest, wanted.detail, best.class_index));
        let (input, mut notices) = described(index, self.origin.clone());
        let of_windows = [self.padded.clone(), self.tally.notice()];
        notices.extend(of_windows.into_iter().flatten().map(NoticeText::from));
        Ok(Prediction {
            input,
            notices,
            label: best.label,
            class_index: best.class_index,
            probability: best.probability,
            probabilities: ranked,
            windows: self.timeline(manifest, wanted.detail),
            diagnostics: diagnostics.transpose()?,
        })
    }

    /// The predictions of the windows; empty if the recording has only one.
    fn timeline<'a>(&self, manifest: &'a Manifest, detail: Detail) -> Vec<WindowPrediction<'a>> {
        if self.tally.total() < 2 {
            return Vec::new();
        }
        let length = window(manifest);
        let entry = |&Window { start, class, probability, baseline }: &Window| WindowPrediction {
            start,
            end: start + length,
            label: &manifest.classes[class],
            class_index: class,
            probability,
            input_shift: (detail != Detail::None).then_some(baseline.shift),
        };
        self.windows.iter().map(entry).collect()
    }

    fn diagnostics<'a>(
        &self,
        manifest: &'a Manifest,
        detail: Detail,
        class: usize,
    ) -> Result<Diagnostics<'a>, ApiError> {
        let blocks = manifest.blocks.iter().zip(&self.blocks).map(|(block, sums)| {
            let (threshold, mean_abs) = (self.mean(&sums.threshold), self.mean(&sums.mean_abs));
            let (zeroed, after) = (self.mean(&sums.zeroed), self.mean(&sums.mean_abs_after));
            let of_channel =
                |&(sum, count): &(f64, u32)| (count > 0).then(|| (sum / f64::from(count)) as f32);
            let scales = sums.scale.iter().map(of_channel);
            let means = Magnitudes {
                threshold: aview1(&threshold),
                mean_abs: aview1(&mean_abs),
                left: Some(Left { zeroed: aview1(&zeroed), mean_abs: aview1(&after) }),
            };
            let means = means.finite()?;
            BlockDiagnostics::new(block, means, scales, detail)
        });
        let blocks = blocks.collect::<Result<_, _>>()?;
        let (shift, level) = self.shift_and_level(manifest);
        let input_shift = shift.map(|shift| ShiftAnswer {
            judged: shift,
            causes: self.alarms.causes(shift.reason(), manifest),
            changes: self.changes(manifest),
        });
        let level_causes = || self.level_causes.most_named();
        let input_level = level.map(|level| Caused::new(level, level.alarm, level_causes));
        let map = self.map.as_ref().map(|map| map.map(class, labels_of_positions(manifest)));
        Ok(Diagnostics { input_shift, input_level, blocks, map })
    }

    /// Where the windows changed.
    fn changes(&self, manifest: &Manifest) -> Vec<Change> {
        let length = manifest.input.elements() / manifest.input.channels();
        let p_value = |window: &Window| Some((window.start, window.baseline.shift?.p_value));
        let windows = self.windows.iter().filter_map(p_value);
        self.detector.map(|detector| changes(detector, windows, length)).unwrap_or_default()
    }

    fn shift_and_level(&self, manifest: &Manifest) -> (Option<Shift>, Option<InputLevel>) {
        let Some(baseline) = &manifest.baseline else { return (None, None) };
        if let ([Window { baseline: check, .. }], 1) = (&self.windows[..], self.tally.total()) {
            return (check.shift.map(Shift::Input), check.level);
        }
        let shifts: Vec<InputShift> =
            self.windows.iter().filter_map(|w| w.baseline.shift).collect();
        let levels: Vec<InputLevel> =
            self.windows.iter().filter_map(|w| w.baseline.level).collect();
        let shift = baseline.shift_over_windows(&shifts).map(Shift::Windows);
        (shift, baseline.level_over_windows(&levels))
    }

    /// Counts the prediction, and observes each block's mean threshold over windows and channels.
    pub(super) fn observe(&self, prediction: &Prediction<'_>, metrics: &ModelMetrics) {
        metrics.count_prediction(prediction.class_index);
        let numbers = self.windows.len().max(1) as f64;
        for (sums, histogram) in self.blocks.iter().zip(&metrics.thresholds) {
            let channels = sums.threshold.len().max(1) as f64;
            histogram.observe(sums.threshold.iter().sum::<f64>() / numbers / channels);
        }
    }

    fn mean(&self, sums: &[f64]) -> Vec<f32> {
        let count = self.windows.len().max(1) as f64;
        sums.iter().map(|sum| (sum / count) as f32).collect()
    }
}

/// Samples of a window.
fn window(manifest: &Manifest) -> usize {
    manifest.input.elements() / manifest.input.channels()
}

fn add<'a>(sums: &mut [f64], numbers: impl IntoIterator<Item = &'a f32>) {
    for (sum, &number) in sums.iter_mut().zip(numbers) {
        *sum += f64::from(number);
    }
}
