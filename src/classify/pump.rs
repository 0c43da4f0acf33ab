//! Windows to the batcher: a few pieces in flight at a time, so that the memory of a recording does not grow with it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::{InputSpec, Manifest, baseline::Level};

use super::{
    INLINE_BYTES, Plan, Stopwatch,
    answer::{Found, Outcome, Timing},
    summary::Summary,
};
use crate::{
    admission::Reservation,
    batcher::StreamId,
    decode::{BLOCK, Samples, Source, Track, named, refused},
    error::{ApiError, ErrorKind},
    judgement::Judgement,
    model::{Model, Pending, answer_of},
    server::App,
    statistics::Tally,
};

/// Pieces of one request that wait or are computed.
const IN_FLIGHT: usize = 4;
/// Numbers of a piece beyond which it has one window only.
const PIECE_BYTES: usize = 1 << 20;
/// Windows for which memory is reserved at a time.
const WINDOWS_AT_A_TIME: usize = 256;

/// Feeds the windows of one request to its model.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    app: &'a App,
    model: &'a Arc<Model>,
    plan: Plan,
    memory: &'a mut Reservation,
    place: StreamId,
    flying: VecDeque<Flight>,
    piece: Piece,
    /// Windows of a full piece.
    capacity: usize,
    summaries: Vec<Summary>,
    /// Windows of all inputs.
    windows: usize,
    timing: Timing,
    tally: Tally,
    started: Instant,
    decoding: Stopwatch,
}

/// Prepared windows that are given to the batcher together.
#[derive(Debug, Default)]
struct Piece {
    values: Vec<f32>,
    slots: Vec<Slot>,
    /// The raw levels of each window's channels.
    levels: Vec<Level>,
}

/// Whose window it is, and where it starts.
#[derive(Debug, Clone, Copy)]
struct Slot {
    input: usize,
    start: usize,
}

/// A piece on its way.
#[derive(Debug)]
struct Flight {
    answer: Pending,
    slots: Vec<Slot>,
    levels: Vec<Level>,
}

impl<'a> Pump<'a> {
    /// Takes a place in the model's queue, and the memory for what is in flight.
    pub(super) fn open(
        app: &'a App,
        model: &'a Arc<Model>,
        plan: Plan,
        memory: &'a mut Reservation,
    ) -> Result<Self, ApiError> {
        let place = model.admit()?;
        let input = &model.manifest().input;
        let window_bytes = input.elements() * size_of::<f32>();
        let capacity = (PIECE_BYTES / window_bytes).clamp(1, model.max_batch());
        let levels = input.channels() * size_of::<Level>();
        memory.grow(((IN_FLIGHT + 1) * capacity * (window_bytes + levels)) as u64)?;
        Ok(Self {
            app,
            model,
            plan,
            memory,
            place,
            flying: VecDeque::new(),
            piece: Piece::default(),
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

    pub(super) fn decoding(&mut self) -> &mut Stopwatch {
        &mut self.decoding
    }

    /// Begins the next input.
    pub(super) fn begin(&mut self, name: Option<String>) -> Result<(), ApiError> {
        self.memory.grow(Summary::bytes(self.model.manifest()))?;
        self.summaries.push(Summary::new(name, self.model.manifest()));
        Ok(())
    }

    /// Refuses more windows than a request may have.
    pub(super) fn check_windows(&self, more: u64) -> Result<(), ApiError> {
        let (count, most) = (self.windows as u64 + more, self.plan.most_windows as u64);
        if count <= most {
            return Ok(());
        }
        Err(ErrorKind::TooLarge.because(format!(
            "the request has {count} windows, and at most {most} are taken at once: send shorter recordings, or let windows overlap less"
        )))
    }

    /// Sends on the windows that are ready.
    pub(super) async fn drain(&mut self, track: &mut Track) -> Result<(), ApiError> {
        // Overlapping windows of a block can be many times its length.
        let is_long = self.capacity * self.model.manifest().input.elements() * 4 > INLINE_BYTES * 4;
        loop {
            let (app, deadline) = (self.app, self.plan.deadline);
            if !app.compute(is_long, deadline, || self.fill(track)).await?? {
                return Ok(());
            }
            self.submit().await?;
        }
    }

    /// Fills the piece; whether it is full.
    fn fill(&mut self, track: &mut Track) -> Result<bool, ApiError> {
        let mut decoding = self.decoding;
        let filled = decoding.time(|| {
            while self.piece.slots.len() < self.capacity {
                let before = self.piece.values.len();
                let Some(start) = track.next_window(&mut self.piece.values) else {
                    return Ok(false);
                };
                self.prepare(start, before).map_err(|error| {
                    let end = start
                        + (self.piece.values.len() - before)
                            / self.model.manifest().input.channels();
                    let detail =
                        format!("the window of samples {start} to {end}: {}", error.detail);
                    ApiError { kind: error.kind, detail }
                })?;
            }
            Ok(true)
        });
        self.decoding = decoding;
        filled
    }

    /// Checks and normalises the window at the end of the piece.
    fn prepare(&mut self, start: usize, before: usize) -> Result<(), ApiError> {
        self.check_windows(1)?;
        if self.windows.is_multiple_of(WINDOWS_AT_A_TIME) {
            self.memory.grow(WINDOWS_AT_A_TIME as u64 * Summary::BYTES_OF_A_WINDOW)?;
        }
        self.windows += 1;
        let manifest = self.model.manifest();
        let window = &mut self.piece.values[before..];
        let levels = channels_with_levels(manifest)
            .map_or_else(Vec::new, |channels| Level::of_channels(window, channels));
        manifest.input.prepare_measured(window, &levels).map_err(|error| refused(&error))?;
        self.piece.levels.extend(levels);
        self.piece.slots.push(Slot { input: self.summaries.len().saturating_sub(1), start });
        Ok(())
    }

    /// Gives the piece to the batcher; waits where enough of them are in flight.
    async fn submit(&mut self) -> Result<(), ApiError> {
        if self.piece.slots.is_empty() {
            return Ok(());
        }
        while self.flying.len() >= IN_FLIGHT {
            self.land().await?;
        }
        let Piece { values, slots, levels } = std::mem::take(&mut self.piece);
        let (zeroed, deadline) = (self.plan.wants_zeroed(), self.plan.deadline);
        let answer = self.model.submit(self.place, values, slots.len(), zeroed, deadline)?;
        self.flying.push_back(Flight { answer, slots, levels });
        Ok(())
    }

    /// Waits for the piece that has been in flight longest.
    async fn land(&mut self) -> Result<(), ApiError> {
        let Some(Flight { answer, slots, levels }) = self.flying.pop_front() else {
            return Ok(());
        };
        let answer = answer_of(answer, self.plan.deadline).await;
        let share = answer.inspect_err(|_| {
            self.model.metrics.statistics.answered(self.started.elapsed(), None);
        })?;
        self.timing.add(&share);
        self.tally.add(&share);
        let manifest = self.model.manifest();
        let channels = channels_with_levels(manifest).unwrap_or_default();
        for (row, Slot { input, start }) in slots.into_iter().enumerate() {
            let levels = &levels[row * channels..(row + 1) * channels];
            let judgement = Judgement::of(&share, row, manifest, levels)?;
            judgement.observe(&self.model.metrics.baseline);
            if let Some(summary) = self.summaries.get_mut(input) {
                summary.add(start, &share, row, judgement, manifest)?;
            }
        }
        Ok(())
    }

    /// Waits for everything.
    pub(super) async fn finish(mut self, decoded_before: Duration) -> Result<Outcome, ApiError> {
        self.submit().await?;
        while !self.flying.is_empty() {
            self.land().await?;
        }
        self.model.metrics.statistics.answered(self.started.elapsed(), Some(self.tally));
        let decode_time = decoded_before + self.decoding.0;
        self.model.metrics.decode.observe(decode_time.as_secs_f64());
        let found = Found::Windows { summaries: self.summaries, timing: self.timing };
        Ok(Outcome::new(Arc::clone(self.model), self.plan.wanted, decode_time, found))
    }
}

/// Channels whose raw levels the model's baseline judges.
fn channels_with_levels(manifest: &Manifest) -> Option<usize> {
    let has_levels = manifest.baseline.as_ref().is_some_and(|baseline| baseline.level.is_some());
    match &manifest.input {
        InputSpec::Signal(signal) if has_levels => Some(signal.channels),
        InputSpec::Signal(_) | InputSpec::Image(_) => None,
    }
}

/// Classifies inputs that are in memory, some of which are longer than a window.
pub(super) async fn classify(
    app: &App,
    model: &Arc<Model>,
    sources: Vec<Source>,
    plan: Plan,
    memory: &mut Reservation,
    decode_time: Duration,
) -> Result<Outcome, ApiError> {
    let InputSpec::Signal(spec) = &model.manifest().input else { return Err(ApiError::internal()) };
    memory.shrink_to(sources.iter().map(Source::bytes).sum());
    let mut pump = Pump::open(app, model, plan, memory)?;
    let count = sources.len();
    let mut tracks_bytes = 0;
    for (index, Source { name, samples }) in sources.into_iter().enumerate() {
        let named = |error| named(error, index, name.as_deref(), count);
        let (channels, rates) = match samples {
            Samples::Whole(values) => {
                (values.chunks_exact(spec.window).map(<[f32]>::to_vec).collect(), None)
            }
            Samples::Signal { channels, rates } => (channels, rates),
        };
        let bytes = Track::bytes(spec, plan.overlap, rates).map_err(named)?;
        // The memory of one track is enough for all that come after it.
        pump.memory().grow(bytes.saturating_sub(tracks_bytes))?;
        tracks_bytes = tracks_bytes.max(bytes);
        let mut track = Track::new(spec, plan.overlap, rates).map_err(named)?;
        let length = channels.first().map_or(0, Vec::len);
        pump.check_windows(track.count_of_windows(length as u64)).map_err(named)?;
        pump.begin(name.clone())?;
        feed(&mut pump, &mut track, &channels).await.map_err(named)?;
    }
    pump.finish(decode_time).await
}

/// Sends all of a signal through its track.
async fn feed(
    pump: &mut Pump<'_>,
    track: &mut Track,
    channels: &[Vec<f32>],
) -> Result<(), ApiError> {
    let length = channels.first().map_or(0, Vec::len);
    for first in (0..length).step_by(BLOCK) {
        let block: Vec<&[f32]> = channels
            .iter()
            .map(|samples| &samples[first..(first + BLOCK).min(samples.len())])
            .collect();
        pump.decoding().time(|| track.push(&block))?;
        pump.drain(track).await?;
    }
    pump.decoding().time(|| track.finish())?;
    pump.drain(track).await
}
