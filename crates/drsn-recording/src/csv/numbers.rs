//! The numbers of a column: do they count the rows, advance like time, or swing like a signal?

/// The numbers of a column in the inspected rows.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) values: Vec<f64>,
    /// Half of the finest digit that they are written with.
    pub(super) rounding: f64,
    /// Whether all cells of the column are empty.
    pub(super) is_blank: bool,
}

impl Numbers {
    /// Rows from which an evenly advancing column is told from a signal.
    const ROWS_OF_A_CLOCK: usize = 8;

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Their mean step, if there are any.
    pub(super) fn mean_step(&self) -> Option<f64> {
        let (first, last) = (self.values.first()?, self.values.last()?);
        Some((last - first) / (self.values.len() - 1).max(1) as f64)
    }

    /// Whether they are enough to tell a counter or a clock from a signal.
    pub(super) fn are_enough(&self) -> bool {
        self.values.len() >= Self::ROWS_OF_A_CLOCK
    }

    /// Whether they may number the rows from 1, or be times from 0 that are too few or too coarse to
    /// tell.
    pub(super) fn may_count_or_advance(&self) -> bool {
        match self.values.first() {
            Some(0.0) => self.values.is_sorted() && self.are_on_a_line(4.0 * self.rounding),
            Some(1.0) => !self.are_enough() && self.count(),
            _ => false,
        }
    }

    /// Whether they are as far from a straight line as this at most, or as a thousandth of a step.
    fn are_on_a_line(&self, allowed: f64) -> bool {
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else {
            return false;
        };
        let step = (last - first) / (self.values.len() - 1) as f64;
        let error = |(row, value): (usize, &f64)| (value - (first + step * row as f64)).abs();
        let allowed = allowed.max(1e-3 * step);
        self.values.iter().enumerate().map(error).all(|error| error <= allowed)
    }

    /// Whether they go down in more than a quarter of the steps, as no time does.
    pub(super) fn oscillate(&self) -> bool {
        let down = self.values.windows(2).filter(|pair| pair[1] < pair[0]).count();
        self.are_enough() && 4 * down > self.values.len()
    }

    /// Whether they are whole numbers that count up one by one.
    pub(super) fn count(&self) -> bool {
        self.values.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < 1e-9)
            && self.values.iter().all(|value| value.fract() == 0.0)
    }

    /// Whether they are those of a straight line upwards, as far as their digits tell.
    pub(super) fn advance_evenly(&self) -> bool {
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else {
            return false;
        };
        // A signal that hardly moves is near a straight line, too.
        let advance = last - first;
        self.are_enough()
            && advance > 0.0
            && (advance > 32.0 * self.rounding)
            && self.values.is_sorted()
            && self.are_on_a_line(2.0 * self.rounding)
    }
}
