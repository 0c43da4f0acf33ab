//! The most common shutdown: `docker compose stop`, also in every upgrade.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{command::run, engine::say, load::Load, project::Project, serving::text};

/// A connection that begins this shortly before the listener closes may reach only the engine's
/// proxy, which accepts every connection at the published port before it connects to the server.
const HAND_OVER: Duration = Duration::from_millis(50);
/// Requests are lost only now and then, so the test repeats.
const ENDS: usize = 3;
const LINGER: Duration = Duration::from_secs(1);

/// Step of the test: requests begun before the server closed its listener are answered.
pub(crate) async fn a_stop_under_load_loses_no_request_in_flight(project: &Project<'_>) {
    for _ in 0..ENDS {
        project.ask(&["up", "--detach", "--wait", "drsn-serve"]);
        let load = Load::start(&project.url("DRSN_PORT", "/classify"), 0, true);
        let upload = SlowUpload::begin(project).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut stop = project.compose(&["stop", "drsn-serve"]);
        let stopping = tokio::task::spawn_blocking(move || run(&mut stop));
        tokio::time::sleep(LINGER + Duration::from_millis(1500)).await;
        assert!(!stopping.is_finished(), "the server ended before the upload did");
        upload.finish().await;
        stopping.await.unwrap();
        let outcome = load.finish().await;
        let closing = draining(project) + LINGER;
        let lost = outcome.lost_before(closing - HAND_OVER);
        assert!(lost.is_empty(), "lost while the server listened: {lost:?}");
        assert!(outcome.answered > 100, "{} answers are no load", outcome.answered);
        let container = project.container("drsn-serve");
        let ended = project.engine.ask(&["inspect", "--format", "{{.State.ExitCode}}", &container]);
        assert_eq!(ended, "0");
        say(&format!(
            "docker compose stop under load: {} answers, none in flight lost",
            outcome.answered
        ));
    }
}

/// When the server last logged that it drains.
fn draining(project: &Project<'_>) -> SystemTime {
    let log = project.log("drsn-serve");
    let mut entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said = entries.rfind(|entry| entry["message"] == "draining").unwrap();
    OffsetDateTime::parse(text(&said, "/timestamp"), &Rfc3339).unwrap().into()
}

/// A request whose body is sent in two halves.
struct SlowUpload {
    stream: TcpStream,
}

impl SlowUpload {
    /// Bytes of a picture of 28 by 28 numbers.
    const BYTES: usize = 28 * 28 * 4;

    async fn begin(project: &Project<'_>) -> Self {
        let mut stream = TcpStream::connect(project.address("DRSN_PORT")).await.unwrap();
        let head = format!(
            "POST /models/mnist/classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n\
             content-length: {}\r\n\r\n",
            Self::BYTES
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[0; Self::BYTES / 2]).await.unwrap();
        Self { stream }
    }

    /// Sends the second half after the listener has closed; the request must still be answered.
    async fn finish(mut self) {
        self.stream.write_all(&[0; Self::BYTES / 2]).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
