//! What a stranger on the network can do before anything is known of them: begin requests, open
//! connections, send bodies in pieces of a byte, and messages that are small only on the wire. Memory
//! stays bounded, probes are answered, and another client gets its answers.

mod messages;

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    harness::{self, Process, has_runtime},
    memory::resident,
    tiny::signal_input,
};

/// The longest that a probe may take here, where nothing is optimised and tests run beside each other.
/// The trial of `hostility` holds an optimised server to the goal, 100 ms.
const PROBE: Duration = Duration::from_secs(3);

fn server(flags: &[&str]) -> (tempfile::TempDir, Process) {
    let models = harness::repository(&[("signal", signal_input(1))]);
    let process = Process::start(models.path(), flags);
    (models, process)
}

/// A body of these bytes that never ends.
fn endless(bytes: Vec<u8>) -> reqwest::Body {
    let begun = stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from(bytes)))]);
    reqwest::Body::wrap(StreamBody::new(begun.chain(stream::pending())))
}

fn http2() -> Client {
    Client::builder().http2_prior_knowledge().build().unwrap()
}

/// Probes and an honest client get their answers.
async fn assert_serves(process: &Process) {
    let client = Client::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(client.get(process.url("/healthz")).send().await.unwrap().status(), 200);
        assert!(started.elapsed() < PROBE, "a probe took {:?}", started.elapsed());
        let request = client.post(process.url("/classify"));
        let request = request.header("content-type", "application/octet-stream");
        let response = request.body(vec![0x3f; 32]).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    }
}

fn grown(process: &Process, before: u64) -> u64 {
    resident(process.child.id(), "VmHWM:").saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_only_begin_leave_places_for_others() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    let before = resident(process.child.id(), "VmRSS:");
    let mut begun = JoinSet::new();
    for _ in 0..60 {
        let client = http2();
        for _ in 0..120 {
            let request = client.post(process.url("/classify")).body(endless(vec![0; 4]));
            let request = request.header("content-type", "application/octet-stream");
            begun.spawn(async move { request.send().await.map(|response| response.status()) });
        }
    }
    let mut refused = 0;
    while let Ok(Some(ended)) = timeout(Duration::from_secs(3), begun.join_next()).await {
        let status = ended.unwrap().unwrap();
        assert_eq!(status, 429);
        refused += 1;
    }
    assert!(refused > 60 * 120 / 2, "{refused} refused");
    assert_serves(&process).await;
    assert!(grown(&process, before) < 150, "{} MB", grown(&process, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_pieces_of_a_byte_holds_no_more_than_its_bytes() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    let before = resident(process.child.id(), "VmRSS:");
    let zeros = format!("{}1\r\nx\r\n", "0".repeat(3000));
    for (framing, piece) in [
        ("content-length: 100000", "x"),
        ("transfer-encoding: chunked", "1\r\nx\r\n"),
        ("transfer-encoding: chunked", zeros.as_str()),
    ] {
        let head = format!(
            "POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n{framing}\r\n\r\n"
        );
        let mut clients = JoinSet::new();
        for _ in 0..200 {
            let (address, head, piece) = (process.address, head.clone(), piece.to_owned());
            clients.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                for _ in 0..300 {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    sleep(Duration::from_millis(2)).await;
                }
                stream
            });
        }
        let streams = clients.join_all().await;
        assert_serves(&process).await;
        drop(streams);
        let grown = grown(&process, before);
        eprintln!("{framing} {piece:.6}: {grown} MB more");
        assert!(grown < 60, "{framing}: {grown} MB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_nothing_make_room_for_others() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&["--max-connections", "8"]);
    let mut idle = Vec::new();
    for beginning in ["", "POST /classify HT", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"].repeat(8)
    {
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(5)).await;
        idle.push(stream);
    }
    assert_serves(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_when_every_connection_is_busy() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&["--max-connections", "4"]);
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        let head = "POST /classify HTTP/1.1\r\nhost: x\r\n\
            content-type: application/octet-stream\r\ncontent-length: 32\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        busy.push(stream);
    }
    sleep(Duration::from_millis(100)).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let response = Client::new().get(process.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let request = Client::new().post(process.url("/classify")).body(vec![0x3f; 32]);
    let response = request.header("content-type", "application/octet-stream").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["connection"]),
        (429, &"close".parse().unwrap())
    );
    assert_eq!(response.headers()["retry-after"], "1");
    let problem: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("as many connections as it may have"));
    // Those that were there first are answered.
    for stream in &mut busy {
        stream.write_all(&[0x3f; 32]).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[9..], b"200");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_a_part_must_end() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    for filler in ["x", "x: y\r\n", "\r", "x: \r\n "] {
        let mut body = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n".to_owned();
        body += &filler.repeat((8 << 20) / filler.len());
        let request = Client::new().post(process.url("/classify")).body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        let started = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{filler:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{filler:?}: {:?}", started.elapsed());
    }
    assert_serves(&process).await;
}
