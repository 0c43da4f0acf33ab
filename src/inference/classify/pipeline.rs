//! Passes windows to the queue, a few pieces at a time, so that memory does not grow with the
//! length of a recording.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::{InputSpec, SignalSpec, baseline::Level};
use drsn_recording::Notice;
use ndarray::{Array2, Axis};
use tokio::task::yield_now;

use super::{
    Plan, Stopwatch,
    answer::{Outcome, RawOutputs, Timing},
    in_flight::{Completed, InFlight, Piece},
    summary::Summary,
};
use crate::{
    admission::Reservation,
    app::App,
    engine::{model::Model, queue::StreamId},
    error::{ApiError, ErrorKind},
    inference::{
        INLINE_BYTES,
        context::RequestContext,
        decode::{BLOCK, RawInput, Samples, Windower, array, for_input, level_channels},
        diagnostics::reader::read,
        origin::{Origin, Taken},
    },
    observability::statistics::Tally,
};

/// Pieces of one request that are queued or computed at a time.
const IN_FLIGHT: usize = 4;
/// Limit of a piece's bytes; a piece has at least one window.
const PIECE_BYTES: usize = 1 << 20;
/// Windows for which memory is reserved at a time.
const WINDOWS_AT_A_TIME: usize = 256;

/// Feeds the windows of one request to its model.
#[derive(Debug)]
pub(super) struct Pipeline<'a> {
    app: &'a App,
    model: &'a Arc<Model>,
    plan: Plan,
    memory: &'a mut Reservation,
    place: StreamId,
    in_flight: InFlight,
    piece: Piece,
    /// The index of the input of each window in flight or in the piece, oldest first.
    owners: VecDeque<usize>,
    /// Windows in a full piece.
    capacity: usize,
    summaries: Vec<Summary>,
    /// Windows of all inputs.
    windows: usize,
    timing: Timing,
    tally: Tally,
    started: Instant,
    decoding: Stopwatch,
}

impl<'a> Pipeline<'a> {
    /// Reserves a place in the model's queue and memory for the windows in flight.
    pub(super) fn open(
        context: &'a mut RequestContext<'_>,
        model: &'a Arc<Model>,
        plan: Plan,
    ) -> Result<Self, ApiError> {
        let place = model.admit()?;
        let input = &model.manifest().input;
        let window_bytes = input.elements() * size_of::<f32>();
        let capacity = (PIECE_BYTES / window_bytes).clamp(1, model.max_batch());
        let levels = level_channels(input, model.manifest().baseline.as_ref()) * size_of::<Level>();
        let app = context.app;
        let memory = &mut context.memory;
        let map = if plan.wants_details() { model.map_bytes() } else { 0 };
        // Once more, as it was before its preparation.
        let captured = if model.capture.is_some() { window_bytes } else { 0 };
        let of_window = (window_bytes + captured + levels) as u64 + map;
        memory.grow((IN_FLIGHT + 1) as u64 * capacity as u64 * of_window)?;
        Ok(Self {
            app,
            model,
            plan,
            memory,
            place,
            in_flight: InFlight::new(IN_FLIGHT),
            piece: Piece::of(model),
            owners: VecDeque::new(),
            capacity,
            summaries: Vec::new(),
            windows: 0,
            timing: Timing::default(),
            tally: Tally::default(),
            started: Instant::now(),
            decoding: Stopwatch::default(),
        })
    }

    pub(super) fn memory(&mut self) -> &mut Reservation {
        self.memory
    }

    /// The share of each window that the next one repeats.
    pub(super) fn overlap(&self) -> f64 {
        self.plan.overlap
    }

    /// Runs a step of decoding and counts its time; a long one waits for its turn.
    pub(super) async fn decode<T: Send>(
        &mut self,
        is_long: bool,
        step: impl FnOnce() -> T + Send,
    ) -> Result<T, ApiError> {
        let Self { app, plan, decoding, .. } = self;
        app.compute(is_long, plan.caller, || decoding.time(step)).await
    }

    /// Begins the next input.
    pub(super) fn begin(&mut self, origin: Origin) -> Result<(), ApiError> {
        let (manifest, detailed) = (self.model.manifest(), self.plan.wants_details());
        self.memory.grow(Summary::bytes(manifest, detailed))?;
        let map = self.model.map.filter(|_| detailed);
        let every = self.plan.false_alarm_every;
        self.summaries.push(Summary::new(origin, manifest, map, every));
        Ok(())
    }

    /// Tells what was taken of the input that was begun last.
    pub(super) fn describe(&mut self, taken: Taken) {
        if let Some(summary) = self.summaries.last_mut() {
            summary.origin.taken = Some(Arc::new(taken));
        }
    }

    /// Rejects more windows than a request may have.
    pub(super) fn check_windows(&self, more: u64) -> Result<(), ApiError> {
        let (count, max) = (self.windows as u64 + more, self.plan.max_windows as u64);
        if count <= max {
            return Ok(());
        }
        Err(ErrorKind::TooLarge.because(format!(
            "the request has {count} windows; at most {max} are allowed per request: send shorter recordings or reduce the overlap"
        )))
    }

    /// Queues the windows that are ready.
    pub(super) async fn drain(&mut self, windower: &mut Windower) -> Result<(), ApiError> {
        // Overlapping windows of a block can be many times its length.
        let is_long = self.capacity * self.model.manifest().input.elements() > INLINE_BYTES;
        loop {
            let (app, caller) = (self.app, self.plan.caller);
            if !app.compute(is_long, caller, || self.fill(windower)).await?? {
                return Ok(());
            }
            if self.piece.count() < self.capacity {
                yield_now().await;
            } else {
                self.submit().await?;
            }
        }
    }

    /// Cuts as many windows as the piece has room for; returns whether there were that many.
    /// Those that are left out give no room, so that each step is short.
    fn fill(&mut self, windower: &mut Windower) -> Result<bool, ApiError> {
        let mut decoding = self.decoding;
        let filled = decoding.time(|| {
            for _ in self.piece.count()..self.capacity {
                let window = windower.window();
                if self.piece.cut(|values| windower.next_window(values), window).is_none() {
                    return Ok(false);
                }
                self.prepare()?;
            }
            Ok(true)
        });
        self.decoding = decoding;
        filled
    }

    /// Admits and prepares the window that was cut last.
    fn prepare(&mut self) -> Result<(), ApiError> {
        self.check_windows(1)?;
        if self.windows.is_multiple_of(WINDOWS_AT_A_TIME) {
            self.memory.grow(WINDOWS_AT_A_TIME as u64 * Summary::BYTES_OF_A_WINDOW)?;
        }
        self.windows += 1;
        let left_out = self.piece.prepare_last(self.model.manifest())?;
        let owner = self.summaries.len().saturating_sub(1);
        let summary = self.summaries.last_mut().ok_or_else(ApiError::internal)?;
        if left_out.is_none() {
            self.owners.push_back(owner);
        }
        summary.tally.add(left_out);
        Ok(())
    }

    /// Ends the input that was begun last; `padded` tells that it was extended.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if none of its windows can be classified.
    pub(super) fn end(&mut self, padded: Option<Notice>) -> Result<(), ApiError> {
        let summary = self.summaries.last_mut().ok_or_else(ApiError::internal)?;
        summary.padded = padded;
        summary.tally.check()
    }

    /// Queues the piece once there is room in flight.
    async fn submit(&mut self) -> Result<(), ApiError> {
        if self.piece.count() == 0 {
            return Ok(());
        }
        while self.in_flight.is_full() {
            self.complete().await?;
        }
        let piece = std::mem::replace(&mut self.piece, Piece::of(self.model));
        let (detailed, deadline) = (self.plan.wants_details(), self.plan.caller.deadline);
        self.in_flight.submit(self.model, self.place, piece, detailed, deadline)
    }

    /// Waits for the oldest piece in flight and adds its windows to their summaries.
    async fn complete(&mut self) -> Result<(), ApiError> {
        let Some(completed) = self.in_flight.next().await else { return Ok(()) };
        let completed = completed.inspect_err(|_| {
            self.model.metrics.statistics.answered(self.started.elapsed(), None);
        })?;
        let Completed { slice, before, spans, .. } = &completed;
        self.timing.add(slice);
        self.tally = self.tally.then(slice.tally());
        let readings = read(self.model, std::slice::from_ref(slice), before);
        let detail = self.plan.wanted.detail;
        for (reading, span) in readings.zip(spans) {
            let owner = self.owners.pop_front().and_then(|owner| self.summaries.get_mut(owner));
            if let Some(summary) = owner {
                summary.add(span.start, &reading?, self.model.manifest(), detail)?;
            }
        }
        Ok(())
    }

    /// Waits for all windows in flight and returns the outcome.
    pub(super) async fn finish(mut self, decoded_before: Duration) -> Result<Outcome, ApiError> {
        self.submit().await?;
        while !self.in_flight.is_empty() {
            self.complete().await?;
        }
        self.model.metrics.statistics.answered(self.started.elapsed(), Some(self.tally));
        let decode_time = decoded_before + self.decoding.0;
        self.model.metrics.decode.observe(decode_time.as_secs_f64());
        let raw = RawOutputs::Windows { summaries: self.summaries, timing: self.timing };
        Ok(Outcome::new(Arc::clone(self.model), self.plan.wanted, decode_time, raw))
    }
}

/// Classifies inputs in memory of which some have another length or rate than the model.
pub(super) async fn classify(
    context: &mut RequestContext<'_>,
    model: &Arc<Model>,
    recordings: Vec<RawInput>,
    plan: Plan,
    decode_time: Duration,
) -> Result<Outcome, ApiError> {
    let InputSpec::Signal(spec) = &model.manifest().input else { return Err(ApiError::internal()) };
    context.memory.shrink_to(recordings.iter().map(RawInput::bytes).sum());
    let mut pipeline = Pipeline::open(context, model, plan)?;
    let count = recordings.len();
    let mut windower_bytes = 0;
    for (index, RawInput { origin, samples }) in recordings.into_iter().enumerate() {
        let name = origin.name.clone();
        let for_input = |error| for_input(error, index, name.as_deref(), count);
        let (channels, rates) = match samples {
            Samples::Whole(values) => (array((spec.channels, spec.window), values)?, None),
            Samples::Signal { channels, rates } => (channels, rates),
        };
        let bytes = Windower::bytes(spec, plan.overlap, rates).map_err(for_input)?;
        // One windower exists at a time, so the largest one's memory is enough.
        pipeline.memory().grow(bytes.saturating_sub(windower_bytes))?;
        windower_bytes = windower_bytes.max(bytes);
        // The conversion of rates is planned here, which can take long.
        let plan_windows = || Windower::new(spec, plan.overlap, rates);
        let planned = pipeline.decode(rates.is_some(), plan_windows).await?;
        let mut windower = planned.map_err(for_input)?;
        let length = channels.ncols();
        pipeline.check_windows(windower.count_of_windows(length as u64)).map_err(for_input)?;
        pipeline.begin(origin)?;
        feed(&mut pipeline, spec, &mut windower, &channels).await.map_err(for_input)?;
    }
    pipeline.finish(decode_time).await
}

/// Passes a whole signal through its windower.
async fn feed(
    pipeline: &mut Pipeline<'_>,
    spec: &SignalSpec,
    windower: &mut Windower,
    channels: &Array2<f32>,
) -> Result<(), ApiError> {
    let is_long = windower.resamples();
    for block in channels.axis_chunks_iter(Axis(1), BLOCK) {
        pipeline.decode(is_long, || windower.push(block)).await??;
        pipeline.drain(windower).await?;
    }
    let padded = pipeline.decode(is_long, || windower.finish(spec)).await??;
    pipeline.drain(windower).await?;
    pipeline.end(padded)
}
