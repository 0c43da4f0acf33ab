//! The signal of one stream: cuts samples into windows, and classifies them.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use drsn_bundle::{InputSpec, PaddingError, baseline::ChangeDetector};
use ndarray::ArrayView2;
use prost::Message as _;

use super::super::{
    call::Call,
    classify_messages, options,
    proto::drsn::{
        ClassifyStreamRequest, Notice, StreamChange, StreamPrediction, StreamStart,
        classify_stream_request::Message,
    },
};
use crate::{
    admission::Reservation,
    app::App,
    engine::{model::Model, queue::StreamId},
    error::ApiError,
    inference::{
        classify::{
            in_flight::{Completed, InFlight, Piece, Span},
            tally::WindowTally,
        },
        decode::{WindowCutter, prepare_error},
        diagnostics::{Detail, NoticeText, Wanted, reader::read},
        origin::Origin,
    },
};

/// Number of windows of a stream that may be in flight.
const MAX_IN_FLIGHT: usize = 8;

/// The state of a stream after its start message.
pub(super) struct SignalStream<'a> {
    app: &'a App,
    model: Arc<Model>,
    /// The stream's place in the model's queue.
    place: StreamId,
    wanted: Wanted,
    cutter: WindowCutter,
    channels: usize,
    /// Memory of the samples that wait to be cut.
    memory: Reservation,
    /// The windows that are being classified.
    in_flight: InFlight,
    tally: WindowTally,
    /// Whether windows were left out since the last one that was queued.
    is_gap: bool,
    /// For each window in flight, what is told of windows that were left out before it.
    gaps: VecDeque<Option<drsn_recording::Notice>>,
    /// The samples of a signal that was extended to a window, and the notice.
    padded: Option<(usize, drsn_recording::Notice)>,
    /// The test for a change, after the windows that were answered.
    detector: Option<ChangeDetector>,
}

impl<'a> SignalStream<'a> {
    pub(super) fn open(app: &'a App, call: &Call, start: &StreamStart) -> Result<Self, ApiError> {
        let model = options::find(app, &start.model, &start.version)?;
        call.set_model(&model);
        let spec = &model.manifest().input;
        let InputSpec::Signal(signal) = spec else {
            return Err(ApiError::invalid(
                "a stream carries a signal, but this model classifies images",
            ));
        };
        let channels = signal.channels;
        if start.channels != 0 && start.channels as usize != channels {
            return Err(ApiError::invalid(format!(
                "the model expects signals of {channels} channels, but the stream has {}",
                start.channels
            )));
        }
        options::check_rate(start.sample_rate_hz, spec)?;
        options::check_overlap(start.overlap)?;
        let wanted = options::wanted(start.top_k, start.diagnostics)?;
        let cutter = WindowCutter::new(channels, signal.window, start.overlap);
        // Once admitted, a stream waits for room in a full queue instead of being refused.
        let place = model.admit()?;
        let (memory, in_flight) = (app.budget.open(), InFlight::new(MAX_IN_FLIGHT));
        let every = app.config.diagnostics.false_alarm_every.get() as u64;
        let baseline = model.manifest().baseline.as_ref();
        let detector = baseline.and_then(|baseline| baseline.change_detector(every));
        Ok(Self {
            app,
            model,
            place,
            wanted,
            cutter,
            channels,
            memory,
            in_flight,
            tally: WindowTally::default(),
            is_gap: false,
            gaps: VecDeque::new(),
            padded: None,
            detector,
        })
    }

    /// Adds the samples of a message.
    pub(super) fn push(
        &mut self,
        call: &Call,
        message: ClassifyStreamRequest,
    ) -> Result<(), ApiError> {
        let bytes = message.encoded_len() as u64;
        let Some(Message::Samples(samples)) = message.message else {
            return Err(ApiError::invalid(
                "every message of a stream after the first must be samples",
            ));
        };
        // The samples are counted in `self.memory` from now on.
        call.release_message();
        let waiting = self.cutter.bytes();
        self.memory.shrink_to(waiting);
        self.memory.grow((waiting + bytes).saturating_sub(self.memory.bytes()))?;
        self.cutter.push(signal(&samples.planar, self.channels)?);
        Ok(())
    }

    /// Whether a window is full.
    pub(super) fn has_window(&self) -> bool {
        self.cutter.has_window()
    }

    /// Number of samples of each channel after the last window.
    pub(super) fn left_over(&self) -> u64 {
        self.cutter.left_over() as u64
    }

    /// Cuts full windows and queues them, until the allowed number is in flight. Constant ones are
    /// left out, at most that number at a time.
    pub(super) fn cut(&mut self) -> Result<(), ApiError> {
        let window = self.cutter.window();
        for _ in 0..MAX_IN_FLIGHT {
            if self.in_flight.is_full() {
                break;
            }
            let mut piece = Piece::of(&self.model);
            if piece.cut(|values| self.cutter.next_window(values), window).is_none() {
                break;
            }
            let mut memory = self.app.budget.open();
            // Twice if it is kept as it was before its preparation.
            let copies = 1 + usize::from(self.model.capture.is_some());
            memory.grow((copies * window * self.channels * size_of::<f32>()) as u64)?;
            let constant = piece.prepare_last(self.model.manifest())?;
            let is_left_out = constant.is_some();
            self.tally.add(constant);
            if is_left_out {
                self.is_gap = true;
                continue;
            }
            let gap = std::mem::take(&mut self.is_gap).then(|| self.tally.notice());
            self.gaps.push_back(gap.flatten());
            let detailed = self.wanted.detail == Detail::Full;
            let deadline = Instant::now() + self.app.config.request_timeout();
            self.in_flight.offer(&self.model, self.place, piece, detailed, deadline, memory)?;
        }
        Ok(())
    }

    /// Ends the signal. One that is shorter than a window is extended, if the model was trained so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if a channel is
    /// constant.
    pub(super) fn end(&mut self) -> Result<(), ApiError> {
        let model = Arc::clone(&self.model);
        let InputSpec::Signal(spec) = &model.manifest().input else { return Ok(()) };
        let recorded = self.cutter.length();
        if recorded < spec.window && spec.padding.is_some() {
            // The window, and another one while it is made.
            self.memory.grow((2 * spec.window * self.channels * size_of::<f32>()) as u64)?;
        }
        self.padded = match self.cutter.pad(spec) {
            Ok(notice) => notice.map(|notice| (recorded, notice)),
            // Such a rest fills no window, and is counted as left over.
            Err(PaddingError::Unpadded { .. } | PaddingError::TooShort { .. }) => None,
            Err(PaddingError::Constant(constant)) => return Err(prepare_error(&constant)),
        };
        Ok(())
    }

    /// Whether more windows can be cut.
    pub(super) fn can_cut(&self) -> bool {
        self.has_window() && !self.in_flight.is_full()
    }

    /// The notices of the whole stream.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if all its windows
    /// were constant.
    pub(super) fn notices(&self) -> Result<Vec<Notice>, ApiError> {
        self.tally.check()?;
        let padded = self.padded.iter().map(|(_, notice)| notice.clone());
        let notices = padded.chain(self.tally.notice());
        Ok(notices.map(|told| NoticeText::from(told).into()).collect())
    }

    /// Whether windows are in flight.
    pub(super) fn is_classifying(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Waits for the prediction of the oldest window; `None` if none is in flight.
    pub(super) async fn next(&mut self) -> Option<Result<StreamPrediction, ApiError>> {
        let completed = self.in_flight.next().await?;
        let gap = self.gaps.pop_front().flatten();
        Some(completed.and_then(|completed| self.prediction(&completed, gap)))
    }

    /// The prediction of a window, and what is told of windows before it.
    fn prediction(
        &mut self,
        completed: &Completed,
        gap: Option<drsn_recording::Notice>,
    ) -> Result<StreamPrediction, ApiError> {
        let Completed { slice, before, spans, .. } = completed;
        let mut readings = read(&self.model, std::slice::from_ref(slice), before);
        let (Some(reading), [Span { start, end }]) = (readings.next(), &spans[..]) else {
            return Err(ApiError::internal());
        };
        let reading = reading?;
        if let (Some(detector), Some(shift)) = (&mut self.detector, reading.baseline.shift) {
            detector.add(*start as u64, shift.p_value);
        }
        let mut prediction = reading.prediction(Origin::default(), self.wanted)?;
        if let Some(diagnostics) = &mut prediction.diagnostics {
            diagnostics.map = diagnostics.map.take().map(|map| map.starting_at(*start));
        }
        prediction.notices.extend(gap.map(NoticeText::from));
        let mut end = *end;
        if let Some((recorded, notice)) = &self.padded {
            end = *recorded;
            prediction.notices.push(notice.clone().into());
        }
        Ok(StreamPrediction {
            model: Some(classify_messages::model(&self.model)),
            start: *start as u64,
            end: end as u64,
            prediction: Some(prediction.into()),
            change: self.detector.map(|detector| StreamChange {
                alarm: detector.alarm(),
                evidence: detector.evidence(),
                start: detector.start(),
            }),
        })
    }
}

/// The samples of a message, channel after channel, as `[C, T]`.
fn signal(planar: &[f32], channels: usize) -> Result<ArrayView2<'_, f32>, ApiError> {
    let length = planar.len() / channels;
    // A view may be smaller than its slice, so the sizes are compared first.
    let view = (planar.len() == channels * length)
        .then(|| ArrayView2::from_shape((channels, length), planar).ok());
    view.flatten().ok_or_else(|| {
        ApiError::invalid(format!(
            "expected the same number of samples for each of the {channels} channels, got {} samples \
             in all",
            planar.len()
        ))
    })
}

#[cfg(test)]
mod tests {
    use ndarray::aview2;

    use super::*;

    #[test]
    fn a_piece_has_the_same_number_of_samples_of_each_channel() {
        assert_eq!(signal(&[1.0, 2.0, 3.0, 4.0], 2), Ok(aview2(&[[1.0, 2.0], [3.0, 4.0]])));
        assert!(signal(&[], 2).is_ok_and(|samples| samples.is_empty()));
        assert!(signal(&[1.0], 2).is_err());
    }
}
