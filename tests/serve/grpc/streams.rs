//! Streams of samples.

use std::time::Duration;

use drsn_serve::proto::drsn::{
    ClassifyStreamRequest, ClassifyStreamResponse, Detail, Samples, StreamEnd, StreamPrediction,
    StreamStart, classify_stream_request::Message, classify_stream_response::Message as Answer,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{Classifier, assert_close, channel, models, signal};
use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

/// The client side of a stream.
pub(crate) struct Stream {
    messages: mpsc::Sender<ClassifyStreamRequest>,
    answers: Streaming<ClassifyStreamResponse>,
}

impl Stream {
    pub(crate) async fn open(client: &mut Classifier, start: StreamStart) -> Self {
        let (messages, receiver) = mpsc::channel(1);
        messages
            .send(ClassifyStreamRequest { message: Some(Message::Start(start)) })
            .await
            .unwrap();
        let answers = client.classify_stream(ReceiverStream::new(receiver)).await.unwrap();
        Self { messages, answers: answers.into_inner() }
    }

    pub(crate) async fn send(&self, planar: Vec<f32>) {
        let samples = Samples { planar };
        let message = ClassifyStreamRequest { message: Some(Message::Samples(samples)) };
        self.messages.send(message).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Result<Answer, Status> {
        let answer = tokio::time::timeout(Duration::from_secs(20), self.answers.message()).await;
        Ok(answer.unwrap()?.unwrap().message.unwrap())
    }

    pub(crate) async fn prediction(&mut self) -> (u64, u64, f32) {
        match self.next().await.unwrap() {
            Answer::Prediction(found) => {
                let probabilities = found.prediction.unwrap().probabilities;
                let first = probabilities.iter().find(|class| class.class_index == 0).unwrap();
                (found.start, found.end, first.probability)
            }
            Answer::End(end) => panic!("the stream ended: {end:?}"),
        }
    }

    /// Sends no more, and reads all predictions and the end.
    pub(crate) async fn end(self) -> (Vec<StreamPrediction>, StreamEnd) {
        let Self { messages, answers } = self;
        drop(messages);
        let mut predictions = Vec::new();
        let mut stream = Self { messages: mpsc::channel(1).0, answers };
        loop {
            match stream.next().await.unwrap() {
                Answer::Prediction(prediction) => predictions.push(prediction),
                Answer::End(end) => return (predictions, end),
            }
        }
    }

    /// Sends no more, and is refused.
    pub(crate) async fn refusal_at_end(self) -> Status {
        let Self { messages, answers } = self;
        drop(messages);
        Self { messages: mpsc::channel(1).0, answers }.refusal().await
    }

    pub(crate) async fn refusal(mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_each_window_as_soon_as_it_is_full() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &[]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart { channels: 2, overlap: 0.5, ..StreamStart::default() };
    let mut stream = Stream::open(&mut client, start).await;
    // 21 samples of each channel: 8 fill a window, and every 4 more the next.
    let first: Vec<f32> = (0..21).map(|n| (n as f32 * 0.7).sin()).collect();
    let pieces = [0..3, 3..3, 3..9, 9..21];
    let piece = |range: std::ops::Range<usize>| [&first[range.clone()], &first[range]].concat();
    for range in &pieces[..3] {
        stream.send(piece(range.clone())).await;
    }
    let expected = |from: usize| {
        let probability = tiny::answer(&first[from..from + 8]).probabilities[0];
        (from as u64, from as u64 + 8, probability)
    };
    let check = |found: (u64, u64, f32), from: usize| {
        let expected = expected(from);
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert_close(&[found.2], &[expected.2]);
    };
    // The stream is still open.
    check(stream.prediction().await, 0);
    stream.send(piece(pieces[3].clone())).await;
    for from in [4, 8, 12] {
        check(stream.prediction().await, from);
    }
    let Stream { messages, mut answers } = stream;
    drop(messages);
    let end = answers.message().await.unwrap().unwrap().message.unwrap();
    let Answer::End(end) = end else { panic!("no end: {end:?}") };
    assert_eq!((end.windows, end.left_over), (4, 1));
    assert!(answers.message().await.unwrap().is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_the_rules_is_told_which() {
    if !has_runtime() {
        return;
    }
    let repository = tempfile::tempdir().unwrap();
    let drsn_bundle::InputSpec::Signal(mut spec) = tiny::signal_input(2) else { unreachable!() };
    spec.sample_rate_hz = Some(1000.0);
    harness::write_tiny(repository.path(), "tiny", "1", drsn_bundle::InputSpec::Signal(spec));
    let server = Server::start(repository.path(), &["--stream-idle-ms", "300"]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart::default;
    for (wrong, code, part) in [
        (StreamStart { sample_rate_hz: 999.0, ..start() }, Code::InvalidArgument, "1000 Hz"),
        (StreamStart { channels: 3, ..start() }, Code::InvalidArgument, "2 channels"),
        (StreamStart { overlap: 1.0, ..start() }, Code::InvalidArgument, "overlap"),
        (StreamStart { model: "none".to_owned(), ..start() }, Code::NotFound, "tiny"),
        // No message follows this one.
        (StreamStart { sample_rate_hz: 1000.0, ..start() }, Code::DeadlineExceeded, "300 ms"),
    ] {
        let stream = Stream::open(&mut client, wrong).await;
        let status = stream.refusal().await;
        assert_eq!(status.code(), code);
        assert!(status.message().contains(part), "{status}");
    }
    let stream = Stream::open(&mut client, start()).await;
    stream.send(vec![0.0; 3]).await;
    assert!(stream.refusal().await.message().contains("the same number of samples"));
    let stream = Stream::open(&mut client, start()).await;
    stream.send(vec![f32::NAN; 16]).await;
    assert!(stream.refusal().await.message().contains("samples 0 to 8"));
    server.stop().await;
}

/// A client that sends without reading is slowed down, and its windows need bounded memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_reads_nothing_is_slowed_down() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &["--stream-idle-ms", "1500"]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart { diagnostics: Detail::Full.into(), ..StreamStart::default() };
    let stream = Stream::open(&mut client, start).await;
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(500), stream.send(vec![0.5; 16 * 256]))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 500, "nothing held the client back");
    }
    server
        .classify_json("/classify", json!({"signal": [signal(0.0)[..8], signal(1.0)[..8]]}))
        .await;
    drop(stream);
    server.stop().await;
}

/// Regression: five bytes of each message stayed reserved, so that a sensor that sent for a week
/// exhausted the memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_needs_no_more_memory_than_a_short_one() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &[]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let mut stream = Stream::open(&mut client, StreamStart::default()).await;
    for _ in 0..500 {
        stream.send(signal(0.0)).await;
        stream.prediction().await;
    }
    let text = server.get("/metrics").await.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("drsn_inflight_bytes "));
    let bytes: u64 = line.unwrap().parse().unwrap();
    assert!(bytes < 500, "{bytes} bytes are reserved, and nothing waits");
    drop(stream);
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// Regression: each window was admitted separately, so that many streams ended each other.
#[tokio::test(flavor = "multi_thread")]
async fn streams_wait_for_one_another_and_do_not_end_each_other() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--queue", "4", "--max-batch", "1", "--workers", "1"];
    let server = Server::start(models.path(), &flags).await;
    let channel = channel(server.grpc).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut client = Classifier::new(channel.clone());
        let mut stream = Stream::open(&mut client, StreamStart::default()).await;
        // From here on it has a place in the queue.
        stream.send(signal(0.0)).await;
        stream.prediction().await;
        streams.push(stream);
    }
    let tasks = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            // 100 windows in one message.
            stream.send([vec![0.5; 800], vec![0.25; 800]].concat()).await;
            for _ in 0..100 {
                stream.prediction().await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    server.stop().await;
}
