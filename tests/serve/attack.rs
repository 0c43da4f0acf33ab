//! Peak memory of the process under many hostile clients: no more than the memory budget and what
//! connections need. Linux only, as the figures come from /proc.

use std::{
    io::{ErrorKind, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use drsn_bundle::{Geometry, InputSpec};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::sleep};

use crate::{
    harness::{self, Process, has_runtime},
    hostile::png,
    memory::resident,
    tiny::{image_input, signal_input},
};

/// The default of `--max-inflight-bytes`, in megabytes.
const BUDGET_MB: u64 = 256;
/// What a thousand connections may need besides: up to 64 KiB of read buffer each, and their state.
const CONNECTIONS_MB: u64 = 96;
const CLIENTS: usize = 1000;
/// The length that each client declares, and how much of it it sends before it waits.
const BODY: usize = 16 << 20;
const BEGUN: usize = 2 << 20;

fn server() -> (tempfile::TempDir, Process) {
    let InputSpec::Image(mut spec) = image_input() else { unreachable!() };
    spec.geometry = Geometry::Stretch;
    let image = InputSpec::Image(spec);
    let models = harness::repository(&[("image", image), ("signal", signal_input(1))]);
    // Long enough that no request times out during the test.
    let process = Process::start(models.path(), &["--request-timeout-ms", "60000"]);
    (models, process)
}

/// Sends the beginning of a body, until the server refuses more.
async fn begin(
    address: SocketAddr,
    path: &'static str,
    content_type: &'static str,
    filler: &'static [u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: {BODY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut sent = 0;
    while sent < BEGUN && stream.write_all(filler).await.is_ok() {
        sent += filler.len();
    }
    stream
}

/// The status that was received, or `None` if the server waits for the rest of the body.
fn status(stream: &TcpStream) -> Option<String> {
    let mut answer = [0; 12];
    match stream.try_read(&mut answer) {
        Ok(12) => Some(String::from_utf8_lossy(&answer[9..]).into_owned()),
        Ok(_) => Some("closed".to_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_bodies_that_begin_stay_within_the_budget() {
    if !has_runtime() {
        return;
    }
    let faces: [(&str, &str, &[u8]); 4] = [
        ("/models/signal/classify", "application/octet-stream", b"\0\0\0\0"),
        ("/models/signal/classify", "application/json", b"[[[[[[[[[[[[[[[["),
        ("/models/image/classify", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("/v2/models/signal/infer", "application/json", b"{\"inputs\": [       "),
    ];
    for (path, content_type, filler) in faces {
        let (_models, process) = server();
        let before = resident(process.child.id(), "VmRSS:");
        let filler: &'static [u8] = filler.repeat((1 << 16) / filler.len()).leak();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(begin(process.address, path, content_type, filler));
        }
        // No client hangs up before all have connected.
        let streams = clients.join_all().await;
        // A refused client has five seconds to stop sending before it is answered.
        sleep(Duration::from_secs(6)).await;
        let ends: Vec<Option<String>> = streams.iter().map(status).collect();
        let waiting = ends.iter().filter(|end| end.is_none()).count();
        // On a busy machine some clients still send after five seconds: their connections are cut.
        let mut answers: Vec<&String> = ends.iter().flatten().collect();
        let refused = answers.len();
        answers.sort_unstable();
        answers.dedup();
        let grown = resident(process.child.id(), "VmHWM:") - before;
        eprintln!(
            "{path} {content_type}: {waiting} wait, {refused} refused: {answers:?}, {grown} MB more"
        );
        assert!(!answers.iter().any(|answer| answer.starts_with(['2', '5'])), "{answers:?}");
        assert!(refused > CLIENTS / 2, "{refused} refused");
        assert!(grown < BUDGET_MB + CONNECTIONS_MB, "{grown} MB");
        drop(streams);
        assert_recovers(&process).await;
    }
}

/// Many small files at once that decode to much data: each request is answered, within the budget.
#[tokio::test(flavor = "multi_thread")]
async fn bombs_stay_within_the_budget() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server();
    let before = resident(process.child.id(), "VmRSS:");
    let zeros = vec![0; 1 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    (0..512).for_each(|_| gzip.write_all(&zeros).unwrap());
    let gzip = gzip.finish().unwrap();
    let infer = "/v2/models/signal/infer";
    for (name, path, content_type, encoding, body) in [
        ("50 megapixels", "/models/image/classify", "image/png", None, png(7071, 7070)),
        ("MAT", "/models/signal/classify", "application/x-matlab-data", None, mat(&zeros)),
        ("gzip", infer, "application/json", Some("gzip"), gzip),
    ] {
        assert!(body.len() < BODY, "{}", body.len());
        let client = reqwest::Client::new();
        let mut answers = JoinSet::new();
        let started = Instant::now();
        for _ in 0..12 {
            let request = client
                .post(format!("http://{}{path}", process.address))
                .header("content-type", content_type)
                .body(body.clone());
            let request = match encoding {
                Some(encoding) => request.header("content-encoding", encoding),
                None => request,
            };
            answers.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
        let mut statuses = answers.join_all().await;
        statuses.sort_unstable();
        statuses.dedup();
        let grown = resident(process.child.id(), "VmHWM:") - before;
        eprintln!("{name}: {statuses:?} in {:?}, {grown} MB more", started.elapsed());
        assert!(statuses.iter().all(|s| matches!(s, 200 | 400 | 413 | 429)), "{statuses:?}");
        assert!(grown < BUDGET_MB + CONNECTIONS_MB, "{name}: {grown} MB");
        assert_recovers(&process).await;
    }
}

/// A compressed MAT file of 67 million doubles.
fn mat(zeros: &[u8]) -> Vec<u8> {
    const MEGABYTES: u32 = 512;
    let element = |kind: u32, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap();
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), bytes].concat()
    };
    let (double, count) = ([6, 0, 0, 0, 0, 0, 0, 0], (MEGABYTES << 17).to_le_bytes());
    let dimensions = [&count[..], &[1, 0, 0, 0]].concat();
    let parts =
        [element(6, &double), element(5, &dimensions), element(1, b"x\0\0\0\0\0\0\0")].concat();
    let data = [9_u32.to_le_bytes(), (MEGABYTES << 20).to_le_bytes()].concat();
    let whole = u32::try_from(parts.len() + data.len()).unwrap() + (MEGABYTES << 20);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    let matrix = [14_u32.to_le_bytes(), whole.to_le_bytes()].concat();
    for bytes in [matrix, parts, data] {
        packed.write_all(&bytes).unwrap();
    }
    (0..MEGABYTES).for_each(|_| packed.write_all(zeros).unwrap());
    let mut file = vec![b' '; 124];
    file[..10].copy_from_slice(b"MATLAB 5.0");
    file.extend([0, 1, b'I', b'M']);
    file.extend(element(15, &packed.finish().unwrap()));
    file
}

/// The server still answers, and holds no memory for disconnected clients.
async fn assert_recovers(process: &Process) {
    let url = |path: &str| format!("http://{}{path}", process.address);
    let client = reqwest::Client::new();
    let mut left = String::new();
    for _ in 0..100 {
        let text = client.get(url("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with("drsn_inflight_bytes ")).unwrap();
        left = line.to_owned();
        if left.ends_with(" 0") {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left, "drsn_inflight_bytes 0");
    let request = client.post(url("/models/signal/classify"));
    let request = request.header("content-type", "application/octet-stream").body(vec![0; 32]);
    assert_eq!(request.send().await.unwrap().status(), 200);
}
