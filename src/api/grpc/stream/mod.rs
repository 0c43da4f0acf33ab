//! `ClassifyStream`: receives samples in pieces of any size, returns a prediction for each full
//! window.
//!
//! One task serves a stream. It reads no piece while a full window is waiting, cuts no window while
//! the allowed number of windows is in flight, and collects no prediction while the client has not
//! read the last ones: HTTP/2 flow control slows down a client that is too fast.

mod signal;

use std::{
    future::pending,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::{sync::mpsc::Sender, task::yield_now, time::sleep};
use tonic::{Code, Status, Streaming};

use super::{
    call::Call,
    messages::aside,
    proto::drsn::{
        ClassifyStreamRequest, ClassifyStreamResponse, StreamEnd, StreamStart,
        classify_stream_request::Message, classify_stream_response::Message as Answer,
    },
    status::corrected,
};
use crate::{
    app::{App, Phase},
    error::{ApiError, ErrorKind},
};
use signal::SignalStream;

type Responses = Sender<Result<ClassifyStreamResponse, Status>>;

/// Why a stream ended before its client ended it.
enum Ended {
    /// An error that the client is told.
    Failed(ApiError),
    /// tonic could not read a message.
    Broken(Status),
    /// The client is gone.
    Gone,
}

impl From<ApiError> for Ended {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// Serves a stream until it ends, and counts it.
pub(super) async fn serve(
    app: Arc<App>,
    call: Arc<Call>,
    messages: Streaming<ClassifyStreamRequest>,
    answers: Responses,
) {
    let running = aside(&call, run(&app, &call, messages, &answers));
    let running = AssertUnwindSafe(running).catch_unwind();
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
        Err(Ended::Broken(status)) => Status::new(corrected(status.code()), status.message()),
        Err(Ended::Gone) => return,
    };
    call.finish(status.code());
    // Does not wait forever for a client that stopped reading.
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
    answers: &Responses,
) -> Result<(), Ended> {
    let idle = app.config.stream_idle();
    let start = start_message(app, &mut messages).await?;
    call.release_message();
    let mut stream = SignalStream::open(app, call, &start)?;
    let (mut is_open, mut is_draining, mut answered) = (true, false, 0);
    loop {
        stream.cut()?;
        let is_reading = is_open && !is_draining && !stream.has_window();
        tokio::select! {
            biased;
            prediction = stream.next(), if stream.is_classifying() => {
                if let Some(prediction) = prediction {
                    send(answers, Answer::Prediction(prediction?), idle).await?;
                    answered += 1;
                }
            }
            () = app.reached(Phase::Closing), if is_open && !is_draining => is_draining = true,
            message = messages.message(), if is_reading => {
                if let Some(message) = message.map_err(Ended::Broken)? {
                    stream.push(call, message)?;
                } else {
                    is_open = false;
                    stream.end()?;
                }
            }
            () = sleep(idle), if is_reading && !stream.is_classifying() => {
                return Err(silent(idle).into());
            }
            // Windows that are left out keep nobody from sending and receiving.
            () = yield_now(), if stream.can_cut() => {}
            else => break,
        }
    }
    if is_open {
        return Err(draining().into());
    }
    let (left_over, notices) = (stream.left_over(), stream.notices()?);
    let end = StreamEnd { windows: answered, left_over, notices };
    send(answers, Answer::End(end), idle).await
}

async fn start_message(
    app: &App,
    messages: &mut Streaming<ClassifyStreamRequest>,
) -> Result<StreamStart, Ended> {
    let idle = app.config.stream_idle();
    let first = tokio::select! {
        first = messages.message() => first.map_err(Ended::Broken)?,
        () = sleep(idle) => return Err(silent(idle).into()),
        () = app.reached(Phase::Closing) => return Err(draining().into()),
    };
    match first {
        Some(ClassifyStreamRequest { message: Some(Message::Start(start)) }) => Ok(start),
        _ => Err(ApiError::invalid("the first message of a stream must be start").into()),
    }
}

async fn send(answers: &Responses, message: Answer, idle: Duration) -> Result<(), Ended> {
    let answer = ClassifyStreamResponse { message: Some(message) };
    match tokio::time::timeout(idle, answers.send(Ok(answer))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Gone),
        Err(_) => Err(ErrorKind::RequestTimeout
            .because("the client read no response for too long; read responses while sending")
            .into()),
    }
}

fn draining() -> ApiError {
    ErrorKind::Draining.because("the server is shutting down; open a new stream to another server")
}

fn silent(idle: Duration) -> ApiError {
    ErrorKind::RequestTimeout.because(format!(
        "no message arrived for {} ms; end the stream if it has no more samples",
        idle.as_millis()
    ))
}
