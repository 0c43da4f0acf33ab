//! The sample rate of a recording, which its file may state, tell by a clock or leave open.

use crate::Recording;

/// The largest deviation of a rate that is told by a clock, as a share of it.
const CLOCK_ERROR: f64 = 0.01;

/// Where a sample rate is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateSource {
    /// The file states it, or its times determine it.
    #[default]
    Stated,
    /// The mean of times that are rounded or uneven.
    Clock,
    /// Times without a unit, which were taken as seconds.
    ClockWithoutUnit,
}

/// The sample rate that a recording declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeclaredRate {
    /// Samples per second.
    pub hz: f64,
    /// Where it is from.
    pub source: RateSource,
}

/// Why a recording cannot be read with one sample rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateConflict {
    /// The recording declares this rate, and another one was given.
    Contradiction(f64),
    /// Its times have no unit: taken as seconds they mean this rate, and another one is expected.
    WithoutUnit(f64),
}

/// Whether two sample rates in Hz are equal, apart from the rounding of rates written as text.
pub fn same_rate(rate: f64, expected: f64) -> bool {
    (rate - expected).abs() <= 1e-6 * expected.abs()
}

impl DeclaredRate {
    /// The rate of a recording, if it declares one.
    pub fn of(recording: &Recording) -> Option<Self> {
        Some(Self { hz: recording.sample_rate_hz?, source: recording.rate_source })
    }

    /// A rate that a file states in its header.
    pub fn stated(hz: f64) -> Self {
        Self { hz, source: RateSource::Stated }
    }

    /// Whether it is this rate in Hz, as exactly as its source tells it: no clock is exact.
    pub fn is_near(self, rate: f64) -> bool {
        match self.source {
            RateSource::Stated => same_rate(self.hz, rate),
            RateSource::Clock | RateSource::ClockWithoutUnit => {
                (self.hz - rate).abs() <= CLOCK_ERROR * rate
            }
        }
    }

    /// Whether it cannot be this rate: times without a unit can be any.
    fn contradicts(self, rate: f64) -> bool {
        self.source != RateSource::ClockWithoutUnit && !self.is_near(rate)
    }
}

/// The sample rate in Hz with which a recording is read: the one that was `given` for it, or else
/// the declared one. A clock that is near the `expected` rate means that one. `None` if nothing
/// tells the rate.
///
/// # Errors
/// [`RateConflict`] if the recording contradicts the given rate, or its times have no unit and are
/// far from the expected one.
pub fn settled_rate(
    declared: Option<DeclaredRate>,
    given: Option<f64>,
    expected: Option<f64>,
) -> Result<Option<f64>, RateConflict> {
    match (declared, given, expected) {
        (Some(declared), Some(given), _) if declared.contradicts(given) => {
            Err(RateConflict::Contradiction(declared.hz))
        }
        (_, Some(given), _) => Ok(Some(given)),
        (Some(declared), None, Some(expected)) if declared.is_near(expected) => Ok(Some(expected)),
        (Some(DeclaredRate { hz, source: RateSource::ClockWithoutUnit }), None, Some(_)) => {
            Err(RateConflict::WithoutUnit(hz))
        }
        (declared, None, _) => Ok(declared.map(|declared| declared.hz)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_as_exact_as_its_source() {
        let clock = |hz| Some(DeclaredRate { hz, source: RateSource::Clock });
        let bare = |hz| Some(DeclaredRate { hz, source: RateSource::ClockWithoutUnit });
        let stated = |hz| Some(DeclaredRate::stated(hz));
        let contradiction = |hz| Err(RateConflict::Contradiction(hz));
        for (declared, given, expected, settled) in [
            (None, None, Some(8e3), Ok(None)),
            (None, Some(9e3), Some(8e3), Ok(Some(9e3))),
            (stated(7990.0), None, Some(8e3), Ok(Some(7990.0))),
            (clock(7990.0), None, Some(8e3), Ok(Some(8e3))),
            (clock(4e3), None, Some(8e3), Ok(Some(4e3))),
            (bare(7990.0), None, Some(8e3), Ok(Some(8e3))),
            (bare(8.0), None, Some(8e3), Err(RateConflict::WithoutUnit(8.0))),
            (bare(8.0), None, None, Ok(Some(8.0))),
            (stated(7990.0), Some(8e3), None, contradiction(7990.0)),
            (clock(7990.0), Some(8e3), None, Ok(Some(8e3))),
            (clock(4e3), Some(8e3), Some(8e3), contradiction(4e3)),
            (bare(8.0), Some(8e3), Some(8e3), Ok(Some(8e3))),
        ] {
            assert_eq!(settled_rate(declared, given, expected), settled, "{declared:?} {given:?}");
        }
    }
}
