//! Attacks by the way of sending: in pieces of a byte, idle, or without reading what is answered.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

use super::{
    random::Random,
    send::{hold, repeat},
    target::{Link, Listener, Target, Windows},
};

const ROUTES: [(&str, &str); 5] = [
    ("/classify", "application/octet-stream"),
    ("/models/bearing/classify", "audio/wav"),
    ("/classify", "application/json"),
    ("/classify", "multipart/form-data; boundary=b"),
    ("/v2/models/mnist/infer", "application/json"),
];

/// Bodies in segments or chunks of a byte, whose chunk headers are as long as the server allows.
pub(crate) async fn bytewise(target: &Target, mut random: Random) {
    let filler = "0".repeat(random.pick(&[1, 15, 500, 3000]));
    let extension = format!("1;{}=\"{}\"\r\nx\r\n", "a".repeat(20), "b".repeat(filler.len()));
    let (framing, piece) = random.pick(&[
        ("content-length: 1000000".to_owned(), "x".to_owned()),
        ("transfer-encoding: chunked".to_owned(), "1\r\nx\r\n".to_owned()),
        ("transfer-encoding: chunked".to_owned(), format!("{filler}1\r\nx\r\n")),
        ("transfer-encoding: chunked".to_owned(), extension),
        // The headers themselves.
        (format!("x-{filler}: "), "y".to_owned()),
    ]);
    let (path, content_type) = random.pick(&ROUTES);
    let head = target.head("POST", path, content_type) + &framing;
    let head = if piece == "y" { head } else { head + "\r\n\r\n" };
    let pause = Duration::from_micros(random.pick(&[200, 2000, 10_000]));
    let send = move |target: Target| {
        let (head, piece) = (head.clone(), piece.clone());
        async move {
            let mut link = target.http1().await?;
            link.write_all(head.as_bytes()).await?;
            loop {
                link.write_all(piece.as_bytes()).await?;
                link.flush().await?;
                sleep(pause).await;
            }
        }
    };
    repeat(random.within(20, 200), send, target).await;
}

/// Hundreds of connections that do nothing, or stop in the middle of a request.
pub(crate) async fn idle(target: &Target, mut random: Random) {
    let whole = format!("{}\r\n", target.head("GET", "/healthz", "x"));
    let beginning = random.pick(&[
        String::new(),
        "POST /classify HT".to_owned(),
        whole.clone(),
        target.head("POST", "/classify", "application/octet-stream") + "content-length: 9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM".to_owned(),
    ]);
    let listener = random.pick(&[Listener::Http, Listener::Http, Listener::Grpc]);
    let open = |_, target: Target| {
        let beginning = beginning.clone();
        async move {
            let mut link = target.connect(listener, b"http/1.1", true).await?;
            link.write_all(beginning.as_bytes()).await?;
            Ok::<Link, io::Error>(link)
        }
    };
    hold(random.within(200, 900), open, target).await;
}

/// A question with a big answer: many windows told in full, or what the server describes itself with.
fn question(target: &Target, random: &mut Random) -> Vec<u8> {
    let get = |path: &str| format!("{}\r\n", target.head("GET", path, "x")).into_bytes();
    match random.below(5) {
        // Many questions at once on one connection.
        0 => get("/openapi.json").repeat(300),
        1 => get("/metrics").repeat(300),
        2 => get("/models").repeat(300),
        _ => {
            let windows = random.within(20, 600);
            let (path, bytes) = random.pick(&[
                ("/models/bearing/classify?overlap=0.99&diagnostics=full", 2048 * 4 + windows * 80),
                ("/models/mnist/classify?diagnostics=full", windows * 28 * 28 * 4),
            ]);
            let head = target.head("POST", path, "application/octet-stream");
            let body: Vec<u8> =
                (0..bytes / 4).flat_map(|n| (n as f32 % 7.0).to_le_bytes()).collect();
            [format!("{head}content-length: {bytes}\r\n\r\n").as_bytes(), &body].concat()
        }
    }
}

/// Big answers that are read slowly or not at all.
pub(crate) async fn slow_readers(target: &Target, mut random: Random) {
    let clients = random.within(10, 60);
    if random.below(3) == 0 {
        return narrow_windows(target, &mut random, clients).await;
    }
    let question = question(target, &mut random);
    let pause = Duration::from_millis(random.pick(&[1, 20, 10_000]));
    let ask = |_, target: Target| {
        let question = question.clone();
        async move {
            let mut link = target.connect(Listener::Http, b"http/1.1", true).await?;
            // The server stops reading when its answers are not read.
            let sending = link.write_all(&question);
            let _ = tokio::time::timeout(Duration::from_millis(300), sending).await;
            let mut byte = [0];
            while link.read(&mut byte).await? > 0 {
                sleep(pause).await;
            }
            Ok::<Link, io::Error>(link)
        }
    };
    hold(clients, ask, target).await;
}

/// The same over HTTP/2, by a client that lets the server send hardly anything.
async fn narrow_windows(target: &Target, random: &mut Random, clients: usize) {
    let path = random.pick(&["/openapi.json", "/metrics", "/models", "/docs/swagger-ui-bundle.js"]);
    let stream = random.pick(&[0, 1, 100, 20_000]);
    let ask = |_, target: Target| async move {
        let windows = Windows { stream, connection: 1 << 20 };
        let sender = target.http2(Listener::Http, windows).await?;
        let mut answers = Vec::new();
        for _ in 0..200 {
            let request = target.request(Listener::Http, "GET", path, "x");
            let ready = sender.clone().ready().await.map_err(io::Error::other)?;
            let Ok((answer, _)) = { ready }.send_request(request, true) else { break };
            answers.push(answer);
        }
        Ok::<_, io::Error>((sender, answers))
    };
    hold(clients, ask, target).await;
}
