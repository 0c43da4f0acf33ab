//! The sample rates of the recordings, checked against the recipe and against each other.

use drsn_recording::{
    DeclaredRate, Limits, NoticeCode, RateConflict, RateSource, Recording, resample, same_rate,
    settled_rate,
};

use crate::{
    dataset::{files::Entry, note::Note},
    recipe::SignalConfig,
};

/// Reason to reject a recording that would have to be resampled from an unknown rate.
const UNKNOWN_RATE: &str = "its sample rate is unknown: add it to the index as sample_rate_hz";

/// The sample rates of the recordings so far.
#[derive(Debug)]
pub(super) struct Rates<'a> {
    config: &'a SignalConfig,
    /// The first known one, or a stated one instead of a clock's that is near it; and its file.
    common: Option<(DeclaredRate, String)>,
    /// Names of the recordings whose rate nothing tells.
    unknown: Vec<String>,
}

impl<'a> Rates<'a> {
    pub(super) fn new(config: &'a SignalConfig) -> Self {
        Self { config, common: None, unknown: Vec::new() }
    }

    /// Gives a recording the rate that its file, the index and the recipe tell, and resamples it if
    /// the recipe asks for it. What is assumed is added to its notices.
    pub(super) fn settle(
        &self,
        mut recording: Recording,
        entry: &Entry,
        limits: &Limits,
    ) -> Result<Recording, String> {
        let (given, wanted) = (entry.sample_rate_hz, self.config.sample_rate_hz);
        let rate = settled_rate(DeclaredRate::of(&recording), given, wanted)
            .map_err(|conflict| refusal(conflict, given, wanted))?;
        if given.is_some() || rate == wanted {
            recording.rate_source = RateSource::Stated;
        }
        recording.sample_rate_hz = rate;
        match (rate, wanted) {
            (None, Some(_)) if self.config.resample => Err(UNKNOWN_RATE.to_owned()),
            (Some(rate), Some(wanted)) if self.config.resample && !same_rate(rate, wanted) => {
                resample(&recording, wanted, limits).map_err(|error| error.to_string())
            }
            _ => {
                recording.notices.extend(assumed(&recording, wanted));
                Ok(recording)
            }
        }
    }

    /// Rejects a rate that differs from the recipe's, or from that of the other files.
    pub(super) fn check(&self, recording: &Recording) -> Result<(), String> {
        let Some(rate) = DeclaredRate::of(recording) else { return Ok(()) };
        let DeclaredRate { hz, .. } = rate;
        match (self.config.sample_rate_hz, &self.common) {
            (Some(wanted), _) if !same_rate(hz, wanted) => Err(format!(
                "its sample rate is {hz} Hz, but the recipe's is {wanted} Hz: train with --set \
                 data.sample_rate_hz={hz}, or --set data.resample=true to resample"
            )),
            (None, Some((common, file))) if !are_near(rate, *common) => Err(format!(
                "its sample rate is {hz} Hz, but that of {file} is {0} Hz: train with --set \
                 data.sample_rate_hz={0} --set data.resample=true to resample",
                common.hz
            )),
            _ => Ok(()),
        }
    }

    /// Adds the rate of a recording that is used.
    pub(super) fn add(&mut self, recording: &Recording, entry: &Entry) {
        let is_clock = |(rate, _): &(DeclaredRate, String)| rate.source != RateSource::Stated;
        match DeclaredRate::of(recording) {
            None => self.unknown.push(entry.name.clone()),
            Some(rate)
                if self
                    .common
                    .as_ref()
                    .is_none_or(|common| is_clock(common) && rate.source == RateSource::Stated) =>
            {
                self.common = Some((rate, entry.name.clone()));
            }
            Some(_) => {}
        }
    }

    /// The rate of all recordings, and what should be known if there is none.
    pub(super) fn finish(self) -> (Option<f64>, Option<Note>) {
        if self.config.sample_rate_hz.is_some() {
            return (self.config.sample_rate_hz, None);
        }
        if self.unknown.is_empty() {
            return (self.common.map(|(rate, _)| rate.hz), None);
        }
        let text = "nothing tells the sample rate of some files, so that the model has none and \
                    takes recordings of every rate: set data.sample_rate_hz";
        (None, Some(Note::new(text, self.unknown)))
    }
}

/// Whether two rates are the same, as exactly as the less exact one tells it.
fn are_near(a: DeclaredRate, b: DeclaredRate) -> bool {
    a.is_near(b.hz) || b.is_near(a.hz)
}

/// Tells that the rate of a recording is not certain, if it is not.
fn assumed(recording: &Recording, wanted: Option<f64>) -> Option<drsn_recording::Notice> {
    let told = match (recording.sample_rate_hz, recording.rate_source, wanted) {
        (None, _, Some(wanted)) => {
            format!("nothing tells its sample rate, and the recipe's, {wanted} Hz, was taken")
        }
        (Some(rate), RateSource::ClockWithoutUnit, None) => {
            format!("its times have no unit, and were taken as seconds, which gives {rate} Hz")
        }
        _ => return None,
    };
    let cure = "the column sample_rate_hz of an index tells it";
    Some(NoticeCode::RateAssumed.because(format!("{told}; {cure}")))
}

fn refusal(conflict: RateConflict, given: Option<f64>, wanted: Option<f64>) -> String {
    match conflict {
        RateConflict::Contradiction(own) => format!(
            "its sample rate is {own} Hz, but the index says {} Hz",
            given.unwrap_or_default()
        ),
        RateConflict::WithoutUnit(hz) => format!(
            "its times have no unit: taken as seconds they mean {hz} Hz, but the recipe's rate is \
             {} Hz: add its rate to the index as sample_rate_hz",
            wanted.unwrap_or_default()
        ),
    }
}
