//! Measures whether y is x shrunk by one threshold in each channel.

use ndarray::Array2;

use crate::report::Form;

/// Allowed difference, relative to the largest feature, of 32-bit floats.
pub(crate) const FINE: f32 = 2e-6;
/// The same of 16-bit floats.
pub(crate) const ROUGH: f32 = 2e-3;

/// What was measured and not refuted.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// The threshold, `[row, channel]`; NaN where no feature survived.
    pub(super) tau: Array2<f32>,
    /// Features that are zero, without those that were zero before.
    pub(super) zeroed: usize,
    /// Features that were reduced, but not to zero.
    pub(super) reduced: usize,
    /// Whether what should be zero is so only up to rounding.
    pub(super) is_rounded: bool,
}

/// Features that lie in memory as `[rows, outer, channels, inner]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) rows: usize,
    outer: usize,
    pub(super) channels: usize,
    inner: usize,
}

impl Layout {
    /// Of an array with rows as its first axis and channels as the given one.
    pub(super) fn new(shape: &[usize], axis: usize) -> Self {
        Self {
            rows: shape[0],
            outer: shape[1..axis].iter().product(),
            channels: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }

    /// The positions of one channel's features of a row.
    pub(super) fn channel(self, row: usize, channel: usize) -> impl Iterator<Item = usize> + Clone {
        (0..self.outer).flat_map(move |outer| {
            let start = ((row * self.outer + outer) * self.channels + channel) * self.inner;
            start..start + self.inner
        })
    }
}

/// Whether a few of the numbers already show that y is not x shrunk.
pub(super) fn seem_unlike(x: &[f32], y: impl Fn(usize) -> f32) -> bool {
    const SAMPLES: usize = 1024;
    let step = x.len().div_ceil(SAMPLES).max(1);
    let largest = x.iter().step_by(step).fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let differs = |at: usize| y(at).abs() > 1e-2 * largest && y(at).signum() != x[at].signum();
    (0..x.len()).step_by(step).any(differs)
}

/// Whether each y is zero, up to rounding, or has the sign of x. Most pairs are refuted by the first
/// numbers.
pub(super) fn keeps_signs(x: &[f32], y: &[f32], tolerance: f32) -> bool {
    let allowed = tolerance * largest(x);
    let keeps = |(x, y): (&f32, &f32)| {
        x.is_finite() && y.is_finite() && (y.abs() <= allowed || x.signum() == y.signum())
    };
    x.len() == y.len() && x.iter().zip(y).all(keeps)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Measures; `None` if y is not x shrunk in this form. The first channel that does not fit refutes it.
pub(super) fn measure(
    x: &[f32],
    y: &[f32],
    layout: Layout,
    form: Form,
    tolerance: f32,
) -> Option<Measured> {
    let allowed = tolerance * largest(x);
    let mut measured = Measured {
        tau: Array2::zeros((layout.rows, layout.channels)),
        zeroed: 0,
        reduced: 0,
        is_rounded: false,
    };
    for row in 0..layout.rows {
        for channel in 0..layout.channels {
            let features =
                layout.channel(row, channel).map(|position| (x[position].abs(), y[position].abs()));
            measured.add((row, channel), features, form, allowed)?;
        }
    }
    Some(measured)
}

impl Measured {
    /// Adds a channel with the magnitudes of its features before and after; `None` if it does not fit.
    fn add(
        &mut self,
        place: (usize, usize),
        features: impl Iterator<Item = (f32, f32)> + Clone,
        form: Form,
        allowed: f32,
    ) -> Option<()> {
        let tau = estimate(features.clone().filter(|(_, y)| *y > allowed), form);
        self.tau[place] = tau;
        for (x, y) in features {
            if y <= allowed {
                self.zeroed += usize::from(x > allowed);
                self.is_rounded |= y != 0.0 && x < tau - allowed;
                // Where nothing survived, the threshold is unknown.
                if x > tau + allowed {
                    return None;
                }
                continue;
            }
            self.reduced += usize::from(x - y > allowed);
            let expected = match form {
                Form::Soft => x - tau,
                Form::Garrote => x - tau * tau / x,
            };
            let fits = (expected - y).abs() <= allowed;
            if !fits || (form == Form::Garrote && x < tau - allowed) {
                return None;
            }
        }
        Some(())
    }
}

/// The threshold that fits surviving features best; NaN if there are none.
fn estimate(survivors: impl Iterator<Item = (f32, f32)>, form: Form) -> f32 {
    let (mut sum, mut weight) = (0.0_f64, 0.0_f64);
    for (x, y) in survivors {
        let (x, y) = (f64::from(x), f64::from(y));
        match form {
            Form::Soft => {
                sum += x - y;
                weight += 1.0;
            }
            // |x| − |y| = τ²/|x|, by least squares.
            Form::Garrote => {
                sum += (x - y) / x;
                weight += 1.0 / (x * x);
            }
        }
    }
    match form {
        _ if weight == 0.0 => f32::NAN,
        Form::Soft => (sum / weight) as f32,
        Form::Garrote => (sum / weight).max(0.0).sqrt() as f32,
    }
}
