//! Overload: refused requests are told why, counted, and hold nothing afterwards.

use std::{
    collections::HashSet,
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

use crate::{
    harness::{self, Process, Server, eventually, has_runtime},
    hostile::{FLOATS, floats, refusal},
    tiny,
};

async fn metrics(server: &Server) -> String {
    server.get("/metrics").await.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_requests_at_once_a_queue_of_8_refuses_as_many_as_are_counted() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    // A batch that never fills keeps requests waiting for half a second.
    let flags = ["--queue", "8", "--workers", "1", "--max-batch", "64", "--max-wait-us", "500000"];
    let server = Arc::new(Server::start(models.path(), &flags).await);
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let response = server.post("/classify", FLOATS, floats(&[1.0; 8])).await;
            match response.status().as_u16() {
                200 => 0,
                429 => {
                    assert_eq!(response.headers()["retry-after"], "1");
                    refusal(response, 429, "queue_full").await;
                    1
                }
                status => panic!("{status}"),
            }
        });
    }
    let refused: usize = clients.join_all().await.into_iter().sum();
    assert!((100..=192).contains(&refused), "{refused}");
    let line = format!("drsn_rejected_total{{model=\"tiny\",reason=\"queue_full\"}} {refused}");
    let text = metrics(&server).await;
    assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    Arc::into_inner(server).unwrap().stop().await;
}

/// Reading and decoding a body cost more than an answer, and were done before the queue was looked
/// at.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_full_queue_is_not_asked_for_its_body() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    // A batch that never fills keeps its request waiting.
    let flags = ["--queue", "1", "--workers", "1", "--max-batch", "64", "--max-wait-us", "3000000"];
    let server = Server::start(models.path(), &flags).await;
    let first = server.post("/classify", FLOATS, floats(&[1.0; 8]));
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // A body of JSON can name a model; here no model has room.
        for media_type in [FLOATS, "application/json", "multipart/form-data; boundary=x"] {
            let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
            let head = format!(
                "POST /classify HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                content-type: {media_type}\r\ncontent-length: 32\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 429", "{media_type}");
        }
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.status(), 200);
    server.stop().await;
}

/// Regression: a client that asked again at once whenever it was refused cost a quarter of an answer
/// each time, and nine of ten refused ones left a third of the cores for answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_wait_after_a_refusal_is_held_back() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    // The queue is full for 6 s; the third refusal comes after at most 4.3.
    let flags = ["--queue", "1", "--workers", "1", "--max-batch", "64", "--max-wait-us", "6000000"];
    let server = Server::start(models.path(), &flags).await;
    let first = server.post("/classify", FLOATS, floats(&[1.0; 8]));
    let impatient = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..3 {
            let head = "POST /classify HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                content-type: application/octet-stream\r\ncontent-length: 0\r\n\r\n";
            let asked = Instant::now();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let read = stream.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 429"));
            times.push(asked.elapsed());
        }
        // Another connection is refused at once.
        let asked = Instant::now();
        assert_eq!(server.post("/classify", FLOATS, floats(&[1.0; 8])).await.status(), 429);
        (times, asked.elapsed())
    };
    let (first, (times, other)) = tokio::join!(first, impatient);
    assert_eq!(first.status(), 200);
    let second = Duration::from_millis(900);
    assert!(times[0] < second && other < second, "{times:?}, {other:?}");
    assert!(times[1] >= second && times[2] >= second, "{times:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_answer_does_not_keep_its_memory() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--write-timeout-ms", "500"]).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let body = floats(&vec![1.0; 8 * 20_000]);
    let head = format!(
        "POST /classify?batch=20000&diagnostics=full HTTP/1.1\r\nhost: x\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let in_memory = async || {
        let text = metrics(&server).await;
        let line = text.lines().find_map(|l| l.strip_prefix("drsn_inflight_bytes ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let is_sending = async || {
        let text = metrics(&server).await;
        text.contains(
            "drsn_requests_total{model=\"tiny\",version=\"1\",protocol=\"http\",code=\"200\"} 1",
        )
    };
    eventually("the answer is being sent", is_sending).await;
    assert!(in_memory().await > 1 << 20);
    eventually("its memory is given back", async || in_memory().await == 0).await;
    // Bytes in flight can still be read; then the connection ends before the answer is complete.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.ends_with(b"}"));
    server.stop().await;
}

/// Over HTTP/2 the connection works, and only the flow-control window of the answer is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_open_its_window_does_not_keep_an_answers_memory() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--write-timeout-ms", "300"]).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(1024)
        .http2_initial_connection_window_size(1 << 20)
        .build()
        .unwrap();
    let ask = async |inputs: usize| {
        let request = client.post(server.url(&format!("/classify?batch={inputs}")));
        let body = floats(&vec![1.0; 8 * inputs]);
        request.header("content-type", FLOATS).body(body).send().await.unwrap()
    };
    let unread = ask(2000).await;
    assert_eq!(unread.status(), 200);
    assert!(server.idle_bytes().await == 0, "the memory of the answer is given back");
    assert!(unread.bytes().await.is_err(), "the answer was cut off");
    // A client that reads, however slowly, gets the whole answer.
    let read = ask(2000).await;
    assert!(read.bytes().await.unwrap().len() > 100_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_shorten_the_time_limit_of_its_request() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--max-wait-us", "1500000", "--max-batch", "8", "--workers", "1"];
    let server = Server::start(models.path(), &flags).await;
    let ask = async |time: &'static str| {
        let request = server.client.post(server.url("/classify"));
        let request = request.header("content-type", FLOATS).header("x-request-timeout-ms", time);
        request.body(floats(&[1.0; 8])).send().await.unwrap()
    };
    let begun = std::time::Instant::now();
    let detail = refusal(ask("100").await, 504, "deadline_exceeded").await;
    assert!(detail.contains("time was up") && begun.elapsed() < Duration::from_secs(1), "{detail}");
    for wrong in ["0", "-1", "soon", "1.5"] {
        refusal(ask(wrong).await, 400, "invalid_argument").await;
    }
    assert_eq!(ask("60000").await.status(), 200);
    let text = metrics(&server).await;
    assert!(text.contains("drsn_rejected_total{model=\"tiny\",reason=\"deadline\"} 1"), "{text}");
    // The job of the disconnected client was in no batch: the answered job was alone in its batch.
    let count = "drsn_batch_size_sum{model=\"tiny\",version=\"1\"} 1.0";
    assert!(text.lines().any(|line| line == count), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_how_long_it_took_and_which_trace_it_belongs_to() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = server.client.post(server.url("/classify"));
    let request = request
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("content-type", FLOATS);
    let response = request.body(floats(&[1.0; 8])).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let traceparent = header("traceparent");
    assert!(traceparent.starts_with(&format!("00-{trace}-")) && traceparent.ends_with("-01"));
    assert!(!traceparent.contains("00f067aa0ba902b7"), "{traceparent}");
    assert!(header("server-timing").contains("total;dur="));
    let other = server.get("/nowhere").await;
    assert_eq!(other.headers()["traceparent"].len(), 55);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_request_and_trace() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let mut child = harness::command(models.path(), &[]);
    child.env("RUST_LOG", "drsn_serve=debug");
    let server = Process::spawn(child);
    let id = "11111111-2222-4333-8444-555555555555";
    let request = reqwest::Client::new().get(server.url("/models")).header("x-request-id", id);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let line = server.wait_for("answered");
    assert_eq!((&line["request_id"], &line["status"]), (&json!(id), &json!(200)));
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
}

/// Local and remote addresses of a process's TCP and UDP sockets, from /proc.
fn sockets(process: u32) -> Vec<(String, SocketAddr, SocketAddr)> {
    let inodes: HashSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let target = fs::read_link(entry.unwrap().path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(inode)
        })
        .collect();
    let address = |text: &str| -> SocketAddr {
        let (ip, port) = text.split_once(':').unwrap();
        let port = u16::from_str_radix(port, 16).unwrap();
        match u32::from_str_radix(ip, 16) {
            Ok(v4) => (v4.to_ne_bytes(), port).into(),
            // A loopback address would count as well: the test itself listens on none.
            Err(_) => ([0_u16; 8], port).into(),
        }
    };
    let mut sockets = Vec::new();
    for kind in ["tcp", "tcp6", "udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{kind}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.contains(fields[9]) {
                sockets.push((kind.to_owned(), address(fields[1]), address(fields[2])));
            }
        }
    }
    sockets
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_opens_no_connection_outward() {
    if !has_runtime() || !cfg!(target_os = "linux") {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let mut command =
        harness::command(models.path(), &["--model-control", "poll", "--poll-seconds", "1"]);
    // The program itself must turn telemetry off in the runtime, without the environment.
    command.env_remove("ORT_DISABLE_TELEMETRY");
    let server = Process::spawn(command);
    let client = reqwest::Client::new();
    let mut seen = 0;
    for round in 0..60 {
        if round == 20 {
            harness::write_tiny(models.path(), "tiny", "2", tiny::signal_input(1));
        }
        let request = client.post(server.url("/classify")).header("content-type", FLOATS);
        assert_eq!(request.body(floats(&[1.0; 8])).send().await.unwrap().status(), 200);
        for (kind, local, remote) in sockets(server.child.id()) {
            seen += 1;
            let is_ours = [server.address, server.grpc].contains(&local);
            assert!(kind == "tcp" && is_ours, "{kind} from {local} to {remote}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen >= 60, "the listener is seen each time");
}
