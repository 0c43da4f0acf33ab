//! Windows that are spliced of two, so that the network also learns what a part of a window looks
//! like: a fault begins in the middle of one.

use std::ops::Range;

use ndarray::{ArrayViewMutD, Axis, Slice};
use rand::{Rng, RngExt as _};

/// The share of its length from which and up to which a window can be spliced.
const BOUNDARIES: Range<f64> = 0.2..0.8;

/// What a window is spliced with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Splice {
    /// Which other training window.
    pub(super) other: usize,
    /// The share of the window's length at which the two meet.
    boundary: f64,
    /// Whether the other one comes first.
    other_first: bool,
}

impl Splice {
    /// The splice of one of `inputs` windows; `share` of them have one.
    pub(super) fn draw(share: f64, inputs: usize, rng: &mut impl Rng) -> Option<Self> {
        (rng.random::<f64>() < share).then(|| Self {
            other: rng.random_range(0..inputs),
            boundary: rng.random_range(BOUNDARIES),
            other_first: rng.random(),
        })
    }

    /// Puts the other window's part into a window, both `[channels, samples]`.
    pub(super) fn apply(&self, mut window: ArrayViewMutD<'_, f32>, other: &ArrayViewMutD<'_, f32>) {
        let Some(axis) = window.ndim().checked_sub(1).map(Axis) else { return };
        let at = (self.boundary * window.len_of(axis) as f64) as usize;
        let part = if self.other_first { Slice::from(..at) } else { Slice::from(at..) };
        window.slice_axis_mut(axis, part).assign(&other.slice_axis(axis, part));
    }

    /// The classes of the spliced window's parts, of those of the two windows.
    pub(super) fn parts(&self, class: usize, other: usize) -> Parts {
        let classes = if self.other_first { [other, class] } else { [class, other] };
        Parts { classes, boundary: self.boundary }
    }
}

/// The classes of an input's parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parts {
    /// The class before the boundary, and the class after it.
    classes: [usize; 2],
    /// As a share of the input's length.
    boundary: f64,
}

impl Parts {
    /// An input with these classes before and after a boundary.
    #[cfg(test)]
    pub(super) fn new(classes: [usize; 2], boundary: f64) -> Self {
        Self { classes, boundary }
    }

    /// An input that has one class.
    pub(super) fn whole(class: usize) -> Self {
        Self { classes: [class; 2], boundary: 1.0 }
    }

    /// Both classes with their shares of the input.
    pub(super) fn shares(&self) -> [(usize, f64); 2] {
        let [first, second] = self.classes;
        [(first, self.boundary), (second, 1.0 - self.boundary)]
    }

    /// The class at a position, which is a share of the length.
    pub(super) fn at(&self, position: f64) -> usize {
        self.classes[usize::from(position >= self.boundary)]
    }

    /// The class of the larger part.
    pub(super) fn largest(&self) -> usize {
        self.at(0.5)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;
    use crate::random::{Purpose, stream};

    /// Windows of equal samples, the number of their class.
    #[test]
    fn each_part_of_a_spliced_window_is_of_the_class_that_is_said_of_it() {
        let mut spliced = 0;
        for input in 0..1_000 {
            let mut rng = stream(1, Purpose::Splicing, 0, input);
            let Some(splice) = Splice::draw(0.5, 8, &mut rng) else { continue };
            spliced += 1;
            let mut window = Array2::from_elem((2, 64), 3.0);
            let mut other = Array2::from_elem((2, 64), 5.0);
            splice.apply(window.view_mut().into_dyn(), &other.view_mut().into_dyn());
            let parts = splice.parts(3, 5);
            for (sample, value) in window.slice(s![0, ..]).iter().enumerate() {
                let expected = parts.at((sample as f64 + 0.5) / 64.0);
                let near = (sample as f64 / 64.0 - parts.boundary).abs() < 1.0 / 64.0;
                assert!(near || *value == expected as f32, "{splice:?} {sample} {value}");
            }
            assert_eq!(window.row(0), window.row(1));
            for (class, share) in parts.shares() {
                let samples = window.row(0).iter().filter(|&&value| value == class as f32).count();
                assert!((samples as f64 / 64.0 - share).abs() < 1.0 / 64.0, "{splice:?}");
                assert!(share >= BOUNDARIES.start - 1e-9, "{splice:?}");
            }
            assert!(splice.other < 8);
        }
        assert!((400..600).contains(&spliced), "{spliced}");
    }

    #[test]
    fn a_whole_window_has_one_class_and_a_spliced_one_that_of_its_larger_part() {
        let whole = Parts::whole(4);
        assert_eq!((whole.at(0.0), whole.at(0.999), whole.largest()), (4, 4, 4));
        assert_eq!(whole.shares()[0], (4, 1.0));
        assert_eq!(Parts::new([1, 2], 0.3).largest(), 2);
        assert_eq!(Parts::new([1, 2], 0.7).largest(), 1);
    }
}
