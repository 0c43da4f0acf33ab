//! The counts of a rolling view, in one list: how often what came, and sums of z-scores.

/// Upper bounds for p-values: dense near 0, where alarms are.
pub(crate) const P_VALUES: [f64; 11] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

pub(super) const SHIFT_ALARMS: usize = 0;
pub(super) const LEVEL_INPUTS: usize = 1;
pub(super) const LEVEL_ALARMS: usize = 2;
const FIRST_P_VALUE: usize = 3;
const FIRST_CLASS: usize = FIRST_P_VALUE + P_VALUES.len();

/// The largest z-score that is added: sums of any number of them wrap around, and differences of
/// sums are right as long as fewer than 4e8 of these came between.
const LARGEST_Z: f64 = 1e4;
const MILLION: f64 = 1e6;

/// Where what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) classes: usize,
    pub(super) blocks: usize,
}

/// Counts at a time, or between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    layout: Layout,
    numbers: Box<[u64]>,
}

impl Layout {
    pub(super) fn len(self) -> usize {
        FIRST_CLASS + self.classes + self.blocks
    }

    /// The place of a p-value's bin; one that is no number is in the last.
    pub(super) fn p_value(p_value: f64) -> usize {
        let bin = P_VALUES.iter().position(|&bound| p_value <= bound);
        FIRST_P_VALUE + bin.unwrap_or(P_VALUES.len() - 1)
    }

    pub(super) fn class(class: usize) -> usize {
        FIRST_CLASS + class
    }

    pub(super) fn block(self, block: usize) -> usize {
        FIRST_CLASS + self.classes + block
    }
}

/// A z-score as a whole number to add.
pub(super) fn millionths(z: f64) -> u64 {
    let z = if z.is_nan() { 0.0 } else { z.clamp(-LARGEST_Z, LARGEST_Z) };
    ((z * MILLION) as i64).cast_unsigned()
}

impl Counts {
    pub(super) fn none(layout: Layout) -> Self {
        Self::of(layout, vec![0; layout.len()].into())
    }

    pub(super) fn of(layout: Layout, numbers: Box<[u64]>) -> Self {
        Self { layout, numbers }
    }

    /// What came since an earlier time.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let pairs = self.numbers.iter().zip(&earlier.numbers);
        Self::of(self.layout, pairs.map(|(now, then)| now.wrapping_sub(*then)).collect())
    }

    fn number(&self, place: usize) -> u64 {
        self.numbers.get(place).copied().unwrap_or_default()
    }

    fn range(&self, first: usize, count: usize) -> &[u64] {
        self.numbers.get(first..first + count).unwrap_or_default()
    }

    /// Answers by most probable class.
    pub(crate) fn classes(&self) -> &[u64] {
        self.range(FIRST_CLASS, self.layout.classes)
    }

    /// Answers.
    pub(crate) fn predictions(&self) -> u64 {
        self.classes().iter().sum()
    }

    /// Inputs with a shift, by their p-value: at most each of [`P_VALUES`], and above the one before.
    pub(crate) fn p_values(&self) -> &[u64] {
        self.range(FIRST_P_VALUE, P_VALUES.len())
    }

    /// Inputs with a shift.
    pub(crate) fn shift_inputs(&self) -> u64 {
        self.p_values().iter().sum()
    }

    /// Those that alarm.
    pub(crate) fn shift_alarms(&self) -> u64 {
        self.number(SHIFT_ALARMS)
    }

    /// Inputs with a level.
    pub(crate) fn level_inputs(&self) -> u64 {
        self.number(LEVEL_INPUTS)
    }

    /// Those that alarm.
    pub(crate) fn level_alarms(&self) -> u64 {
        self.number(LEVEL_ALARMS)
    }

    /// The mean z-score of a block's channels; `None` if no input came.
    pub(crate) fn mean_z(&self, block: usize) -> Option<f64> {
        let inputs = self.shift_inputs();
        let sum = self.number(self.layout.block(block)).cast_signed() as f64 / MILLION;
        (inputs > 0).then(|| sum / inputs as f64)
    }
}
