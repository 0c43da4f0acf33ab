//! `ClassifyStream`: samples in pieces of any size, a prediction for each full window.
//!
//! One task serves a stream. It reads no further piece while a full window is waiting, cuts no further window while
//! [`WINDOWS_AHEAD`] are being classified, and takes no further answer while the client has not read the last ones:
//! a client that is too fast is held back by the flow control of HTTP/2.

mod windows;

use std::{
    future::pending,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::InputSpec;
use futures_util::{
    FutureExt as _,
    stream::{FuturesOrdered, StreamExt as _},
};
use prost::Message as _;
use tokio::{sync::mpsc::Sender, time::sleep};
use tonic::{Code, Status, Streaming};

use super::{
    call::{Call, by_library},
    classifier::{check_overlap, check_rate, find, predictions, wanted},
    prediction,
    proto::drsn::{
        ClassifyStreamRequest, ClassifyStreamResponse, StreamEnd, StreamPrediction, StreamStart,
        classify_stream_request::Message, classify_stream_response::Message as Answer,
    },
};
use crate::{
    admission::Reservation,
    batcher::StreamId,
    classify::Options,
    decode::Decoder,
    diagnostics::{Detail, Wanted},
    error::{ApiError, ErrorKind},
    model::Model,
    server::{App, Phase},
};
use windows::{Window, Windows};

/// Windows of one stream that are classified at once.
const WINDOWS_AHEAD: usize = 8;

type Answers = Sender<Result<ClassifyStreamResponse, Status>>;
type Pending = Pin<Box<dyn Future<Output = Result<StreamPrediction, ApiError>> + Send>>;

/// Why a stream ended before its client ended it.
enum Ended {
    /// A fault, for the client.
    Failed(ApiError),
    /// What the library found.
    Broken(Status),
    /// The client does not listen any more.
    Gone,
}

impl From<ApiError> for Ended {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// Serves a stream to its end, and counts it.
pub(super) async fn serve(
    app: Arc<App>,
    call: Arc<Call>,
    messages: Streaming<ClassifyStreamRequest>,
    answers: Answers,
) {
    let running = AssertUnwindSafe(run(&app, &call, messages, &answers)).catch_unwind();
    let ended = tokio::select! {
        ended = running => {
            ended.unwrap_or_else(|panic| Err(Ended::Failed(ApiError::panicked(&*panic))))
        }
        () = answers.closed() => Err(Ended::Gone),
        () = until(call.client_deadline) => Err(Ended::Failed(
            ErrorKind::DeadlineExceeded.because("the stream's time was up before it ended"),
        )),
    };
    let status = match ended {
        Ok(()) => return call.finish(Code::Ok),
        Err(Ended::Failed(error)) => call.refuse(&error),
        Err(Ended::Broken(status)) => Status::new(by_library(status.code()), status.message()),
        Err(Ended::Gone) => return,
    };
    call.finish(status.code());
    // A client that does not read its answers is not waited for.
    let _ = tokio::time::timeout(app.config.stream_idle(), answers.send(Err(status))).await;
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

async fn run(
    app: &Arc<App>,
    call: &Call,
    mut messages: Streaming<ClassifyStreamRequest>,
    answers: &Answers,
) -> Result<(), Ended> {
    let idle = app.config.stream_idle();
    let first = tokio::select! {
        first = messages.message() => first.map_err(Ended::Broken)?,
        () = sleep(idle) => return Err(silent(idle).into()),
        () = app.reached(Phase::Closing) => return Err(ending().into()),
    };
    let Some(ClassifyStreamRequest { message: Some(Message::Start(start)) }) = first else {
        return Err(invalid("the first message of a stream must be start").into());
    };
    call.release_message();
    let mut stream = Stream::open(app, call, &start)?;
    let (mut is_open, mut is_draining) = (true, false);
    loop {
        stream.cut()?;
        let is_reading = is_open && !is_draining && !stream.windows.has_window();
        tokio::select! {
            biased;
            answer = stream.pending.next(), if !stream.pending.is_empty() => {
                if let Some(answer) = answer {
                    send(answers, Answer::Prediction(answer?), idle).await?;
                    stream.answered += 1;
                }
            }
            () = app.reached(Phase::Closing), if is_open && !is_draining => is_draining = true,
            message = messages.message(), if is_reading => match message.map_err(Ended::Broken)? {
                Some(message) => stream.take(call, message)?,
                None => is_open = false,
            },
            () = sleep(idle), if is_reading && stream.pending.is_empty() => return Err(silent(idle).into()),
            else => break,
        }
    }
    if is_open {
        return Err(ending().into());
    }
    let end = StreamEnd { windows: stream.answered, left_over: stream.windows.left_over() };
    send(answers, Answer::End(end), idle).await
}

/// A stream between its first and its last message.
struct Stream<'a> {
    app: &'a Arc<App>,
    model: Arc<Model>,
    /// Its place in the model's queue.
    place: StreamId,
    wanted: Wanted,
    windows: Windows,
    /// Memory of the samples that wait.
    memory: Reservation,
    /// Windows that are being classified, in their order.
    pending: FuturesOrdered<Pending>,
    answered: u64,
}

impl<'a> Stream<'a> {
    fn open(app: &'a Arc<App>, call: &Call, start: &StreamStart) -> Result<Self, ApiError> {
        let model = find(app, &start.model, &start.version)?;
        call.asks(&model);
        let spec = &model.manifest().input;
        let InputSpec::Signal(signal) = spec else {
            return Err(invalid("a stream brings a signal, and this model takes images"));
        };
        if start.channels != 0 && start.channels as usize != signal.channels {
            return Err(invalid(format!(
                "the model takes signals of {} channels, and the stream has {}",
                signal.channels, start.channels
            )));
        }
        check_rate(start.sample_rate_hz, spec)?;
        check_overlap(start.overlap)?;
        let wanted = wanted(start.top_k, start.diagnostics)?;
        let windows = Windows::new(signal.channels, signal.window, start.overlap);
        // A stream that was let in is held back, and not ended, where others are many.
        let place = model.admit()?;
        let memory = app.budget.open();
        let pending = FuturesOrdered::new();
        Ok(Self { app, place, wanted, windows, memory, pending, answered: 0, model })
    }

    /// Takes a piece in.
    fn take(&mut self, call: &Call, message: ClassifyStreamRequest) -> Result<(), ApiError> {
        let bytes = message.encoded_len() as u64;
        let Some(Message::Samples(samples)) = message.message else {
            return Err(invalid("each message of a stream but the first must be samples"));
        };
        // From now on they are counted here.
        call.release_message();
        let waiting = self.windows.bytes();
        self.memory.shrink_to(waiting);
        self.memory.grow((waiting + bytes).saturating_sub(self.memory.bytes()))?;
        self.windows.push(&samples.planar)
    }

    /// Cuts full windows and puts them to work, as many as may be ahead.
    fn cut(&mut self) -> Result<(), ApiError> {
        while self.pending.len() < WINDOWS_AHEAD {
            let Some(window) = self.windows.cut() else { break };
            let classified = self.classify(window)?;
            self.pending.push_back(classified);
        }
        Ok(())
    }

    fn classify(&self, window: Window) -> Result<Pending, ApiError> {
        let deadline = Instant::now() + self.app.config.request_timeout();
        let mut memory = self.app.budget.open();
        memory.grow(size_of_val(&window.samples[..]) as u64)?;
        let mut decoder = Decoder {
            spec: &self.model.manifest().input,
            baseline: self.model.manifest().baseline.as_ref(),
            options: &Options::default(),
            most_recording_bytes: 0,
            most_pixels: self.app.config.max_image_pixels.get(),
            most_inputs: 1,
            deadline,
            memory: &mut memory,
        };
        let inputs = decoder.prepared(window.samples, &[]).map_err(|error| ApiError {
            detail: format!("samples {} to {}: {}", window.start, window.end, error.detail),
            ..error
        });
        let mut inputs = inputs?;
        let (model, place, wanted) = (Arc::clone(&self.model), self.place, self.wanted);
        Ok(Box::pin(async move {
            let levels = inputs.take_levels();
            let zeroed = wanted.detail == Detail::Full;
            let share = model.infer_for(place, inputs, zeroed, deadline).await?;
            drop(memory);
            let prediction = predictions(&model, &[share], &levels, wanted)?.pop();
            Ok(StreamPrediction {
                model: Some(prediction::model(&model)),
                start: window.start,
                end: window.end,
                prediction,
            })
        }))
    }
}

async fn send(answers: &Answers, message: Answer, idle: Duration) -> Result<(), Ended> {
    let answer = ClassifyStreamResponse { message: Some(message) };
    match tokio::time::timeout(idle, answers.send(Ok(answer))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Gone),
        Err(_) => Err(ErrorKind::RequestTimeout
            .because("the client took no answer for too long; read them while you send")
            .into()),
    }
}

fn ending() -> ApiError {
    ErrorKind::Draining.because("the server is about to end; open a new stream to another")
}

fn silent(idle: Duration) -> ApiError {
    ErrorKind::RequestTimeout.because(format!(
        "no message came for {} ms; end a stream that has no more samples",
        idle.as_millis()
    ))
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ErrorKind::InvalidArgument.because(detail)
}
