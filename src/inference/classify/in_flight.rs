//! A request's windows on their way through the model: pieces of prepared windows, a few of which
//! are queued or computed at a time and answered in order.

use std::{sync::Arc, time::Instant};

use drsn_bundle::{Manifest, PrepareError, baseline::Level};
use futures_util::{
    future::BoxFuture,
    stream::{FuturesOrdered, StreamExt as _},
};
use ndarray::ArrayView2;

use crate::{
    admission::Reservation,
    engine::{
        inputs::{BeforePreparation, Inputs, RawInputs},
        model::{Model, answer_of},
        queue::{BatchSlice, StreamId},
        session::Outputs,
    },
    error::ApiError,
    inference::decode::{array, batch, level_channels, prepare_error},
};

/// The samples of a signal that a window covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first sample.
    pub(crate) start: usize,
    /// One past the last sample.
    pub(crate) end: usize,
}

impl Span {
    /// An error of the window, with its place.
    pub(super) fn error(self, error: &ApiError) -> ApiError {
        let Self { start, end } = self;
        let detail = format!("the window of samples {start} to {end}: {}", error.detail);
        ApiError { kind: error.kind, detail }
    }
}

/// A window in which a channel is constant, so that it cannot be normalised.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConstantWindow {
    pub(super) span: Span,
    /// Which channel, and its value.
    pub(super) reason: PrepareError,
}

/// Prepared windows that are given to the model together.
#[derive(Debug)]
pub(crate) struct Piece {
    values: Vec<f32>,
    /// The windows before they were prepared, if inputs are captured.
    raw: Option<Vec<f32>>,
    /// The levels of each window's raw channels.
    levels: Vec<Level>,
    spans: Vec<Span>,
}

impl Piece {
    /// An empty piece for a model.
    pub(crate) fn of(model: &Model) -> Self {
        let raw = model.capture.is_some().then(Vec::new);
        Self { values: Vec::new(), raw, levels: Vec::new(), spans: Vec::new() }
    }

    /// Number of windows.
    pub(crate) fn count(&self) -> usize {
        self.spans.len()
    }

    /// Cuts the next raw window, which `next_window` appends; [`Piece::prepare_last`] must follow.
    pub(crate) fn cut(
        &mut self,
        next_window: impl FnOnce(&mut Vec<f32>) -> Option<usize>,
        window: usize,
    ) -> Option<Span> {
        let start = next_window(&mut self.values)?;
        let span = Span { start, end: start + window };
        self.spans.push(span);
        Some(span)
    }

    /// Checks and normalises the window that was cut last. One in which a channel is constant is
    /// taken out again and returned.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if it has a
    /// non-finite number, or one that is too large for a network.
    pub(crate) fn prepare_last(
        &mut self,
        manifest: &Manifest,
    ) -> Result<Option<ConstantWindow>, ApiError> {
        let input = &manifest.input;
        let window = self.values.rchunks_exact_mut(input.elements()).next();
        let window = window.ok_or_else(ApiError::internal)?;
        let span = *self.spans.last().ok_or_else(ApiError::internal)?;
        let channels = level_channels(input, manifest.baseline.as_ref());
        let levels = if channels == 0 {
            Vec::new()
        } else {
            let shape = (channels, input.elements() / channels);
            let channels = ArrayView2::from_shape(shape, &*window);
            Level::of_channels(&channels.map_err(|_| ApiError::internal())?)
        };
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(window);
        }
        match input.prepare_measured(window, &levels) {
            Ok(()) => self.levels.extend(levels),
            Err(reason @ PrepareError::Constant { .. }) => {
                self.spans.pop();
                let kept = self.spans.len() * input.elements();
                self.values.truncate(kept);
                if let Some(raw) = &mut self.raw {
                    raw.truncate(kept);
                }
                return Ok(Some(ConstantWindow { span, reason }));
            }
            Err(error) => return Err(span.error(&prepare_error(&error))),
        }
        Ok(None)
    }

    /// The windows as inputs, `[N, C, L]`, with what is known of them before they were prepared, and
    /// their spans.
    fn into_inputs(self, manifest: &Manifest) -> Result<(Inputs, Vec<Span>), ApiError> {
        let count = self.spans.len();
        let levels = array((count, self.levels.len() / count.max(1)), self.levels)?;
        let starts = || self.spans.iter().map(|span| span.start).collect();
        let raw = self.raw.map(|values| Box::new(RawInputs { values, starts: starts() }));
        let before = BeforePreparation { levels, raw };
        Ok((Inputs::new(batch(self.values, &manifest.input)?, before), self.spans))
    }
}

/// A piece with its outputs.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) slice: BatchSlice<Outputs>,
    pub(crate) before: BeforePreparation,
    pub(crate) spans: Vec<Span>,
    /// The memory of a window of a stream.
    _memory: Option<Reservation>,
}

/// Pieces that are queued or computed, in order.
#[derive(Debug)]
pub(crate) struct InFlight {
    pieces: FuturesOrdered<BoxFuture<'static, Result<Completed, ApiError>>>,
    limit: usize,
}

impl InFlight {
    /// At most `limit` pieces at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self { pieces: FuturesOrdered::new(), limit }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pieces.len() >= self.limit
    }

    /// Queues a piece of a recording, which was admitted at `place`.
    ///
    /// # Errors
    /// [`ErrorKind::Draining`](crate::error::ErrorKind::Draining) if the model accepts no more
    /// requests.
    pub(crate) fn submit(
        &mut self,
        model: &Model,
        place: StreamId,
        piece: Piece,
        detailed: bool,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let (mut inputs, spans) = piece.into_inputs(model.manifest())?;
        let before = inputs.take_before();
        let answer = model.submit(place, inputs, detailed, deadline)?;
        self.pieces.push_back(Box::pin(async move {
            let slice = answer_of(answer, deadline).await?;
            Ok(Completed { slice, before, spans, _memory: None })
        }));
        Ok(())
    }

    /// Queues a window of a stream of any length: it waits for room in the queue and keeps `memory`
    /// until it is answered.
    ///
    /// # Errors
    /// [`ApiError::internal`] if the piece is not one window.
    pub(crate) fn offer(
        &mut self,
        model: &Arc<Model>,
        place: StreamId,
        piece: Piece,
        detailed: bool,
        deadline: Instant,
        memory: Reservation,
    ) -> Result<(), ApiError> {
        let (mut inputs, spans) = piece.into_inputs(model.manifest())?;
        let before = inputs.take_before();
        let model = Arc::clone(model);
        self.pieces.push_back(Box::pin(async move {
            let slice = model.infer_for(place, inputs, detailed, deadline).await?;
            Ok(Completed { slice, before, spans, _memory: Some(memory) })
        }));
        Ok(())
    }

    /// Waits for the oldest piece; `None` if there is none.
    pub(crate) async fn next(&mut self) -> Option<Result<Completed, ApiError>> {
        self.pieces.next().await
    }
}
