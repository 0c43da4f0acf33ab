//! A server on a free port, in this process or as a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::Parser as _;
use drsn_bundle::{InputSpec, Manifest, runtime::Runtime};
use drsn_serve::{config::Config, server};
use reqwest::Response;
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{skip, tiny};

/// How long a test waits for a server to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether ONNX Runtime is installed; if not, reports the test as skipped.
pub(crate) fn has_runtime() -> bool {
    match Runtime::start(None) {
        Ok(_) => true,
        Err(error) => {
            skip::skip(&error.to_string());
            false
        }
    }
}

/// The device of the servers: the CPU, unless `DRSN_TEST_DEVICE` names another.
fn device() -> String {
    std::env::var("DRSN_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned())
}

/// The execution provider of that device.
pub(crate) fn provider() -> &'static str {
    if device() == "cpu" { "CPUExecutionProvider" } else { "CUDAExecutionProvider" }
}

/// Writes tiny models into a new repository.
pub(crate) fn repository(models: &[(&str, InputSpec)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, input) in models {
        write_tiny(folder.path(), name, "1", input.clone());
    }
    folder
}

/// Writes one tiny model and returns its folder.
pub(crate) fn write_tiny(
    repository: &Path,
    name: &str,
    version: &str,
    input: InputSpec,
) -> PathBuf {
    write_manifest(repository, tiny::manifest(name, version, input))
}

/// Writes the tiny model with this manifest and returns its folder.
pub(crate) fn write_manifest(repository: &Path, manifest: Manifest) -> PathBuf {
    let (model, golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    drsn_bundle::write(repository, manifest, &model, &golden, false).unwrap()
}

/// A server in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server with these flags, and returns when it is ready.
    pub(crate) async fn start(models: &Path, flags: &[&str]) -> Self {
        Self::start_with(models, flags, |_| ()).await
    }

    /// The same, after a change of the configuration that no flag makes.
    pub(crate) async fn start_with(
        models: &Path,
        flags: &[&str],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let models = models.to_str().unwrap();
        let device = device();
        let fixed =
            ["drsn-serve", "--http", "127.0.0.1:0", "--models", models, "--device", &device];
        let quick = ["--linger-ms", "0", "--grpc", "127.0.0.1:0"];
        let mut config = Config::try_parse_from(fixed.iter().chain(&quick).chain(flags)).unwrap();
        config.models.trial_program = Some(PathBuf::from(env!("CARGO_BIN_EXE_drsn-serve")));
        change(&mut config);
        let listeners = server::bind(&config).await.unwrap();
        let address = listeners.http.local_addr().unwrap();
        let grpc = listeners.grpc.as_ref().unwrap().local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            server::run(config, listeners, shutdown).await.unwrap();
        });
        let client = reqwest::Client::new();
        let server = Self { address, grpc, client, stop: Some(stop), task };
        let ready = async {
            while server.get("/readyz").await.status() != 200 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.unwrap();
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Response {
        self.client
            .post(self.url(path))
            .header("content-type", content_type)
            .body(body.into())
            .send()
            .await
            .unwrap()
    }

    /// Posts a body and expects status 200.
    pub(crate) async fn classify(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Value {
        let response = self.post(path, content_type, body).await;
        let status = response.status();
        let answer = json(response).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Posts JSON and expects status 200.
    pub(crate) async fn classify_json(&self, path: &str, body: Value) -> Value {
        self.classify(path, "application/json", body.to_string()).await
    }

    /// Bytes that stay reserved; those of an answer are released shortly after it was read.
    pub(crate) async fn idle_bytes(&self) -> u64 {
        let mut bytes = u64::MAX;
        for _ in 0..100 {
            let text = self.get("/metrics").await.text().await.unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("drsn_inflight_bytes "));
            bytes = line.unwrap().parse().unwrap();
            if bytes == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bytes
    }

    /// Shuts the server down and waits for it.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap();
    }
}

pub(crate) async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Repeats a check until it is true.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let right = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, right).await.is_ok(), "not so in time: {what}");
}

/// A server as a process.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) grpc: SocketAddr,
    lines: mpsc::Receiver<String>,
}

/// The command, with its log as JSON and the library that the tests use.
pub(crate) fn command(models: &Path, flags: &[&str]) -> Command {
    command_on(&device(), models, flags)
}

/// The same, for a given device.
pub(crate) fn command_on(device: &str, models: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-serve"));
    command
        .args(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--device", device])
        .args(["--log-format", "json", "--models"])
        .arg(models)
        .args(flags)
        .stderr(Stdio::piped());
    command
}

impl Process {
    /// Starts a server, and returns when it is ready.
    pub(crate) fn start(models: &Path, flags: &[&str]) -> Self {
        Self::spawn(command(models, flags))
    }

    /// Starts a server, and returns when it listens.
    pub(crate) fn listening(models: &Path, flags: &[&str]) -> Self {
        Self::begin(command(models, flags))
    }

    /// Starts this command, and returns when the server is ready.
    pub(crate) fn spawn(command: Command) -> Self {
        let process = Self::begin(command);
        process.wait_for("ready");
        process
    }

    /// Starts this command, and returns when the server listens.
    pub(crate) fn begin(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, address: unknown, grpc: unknown, lines };
        // The HTTP listener is logged first.
        let [address, grpc] = ["http", "grpc"].map(|protocol| {
            let listening = process.wait_for("listening");
            assert_eq!(listening["protocol"], protocol);
            listening["addr"].as_str().unwrap().parse().unwrap()
        });
        (process.address, process.grpc) = (address, grpc);
        process
    }

    /// The next line of the log with this message.
    pub(crate) fn wait_for(&self, message: &str) -> Value {
        self.lines_until(message).pop().unwrap()
    }

    /// The lines of the log up to the next one with this message.
    pub(crate) fn lines_until(&self, message: &str) -> Vec<Value> {
        let mut lines: Vec<Value> = Vec::new();
        while lines.last().is_none_or(|line| line["message"] != message) {
            let line = self.lines.recv_timeout(PATIENCE).unwrap();
            lines.push(serde_json::from_str(&line).unwrap());
        }
        lines
    }

    /// The lines logged within this time.
    pub(crate) fn lines_for(&self, time: Duration) -> Vec<Value> {
        let end = Instant::now() + time;
        let next = || self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok();
        std::iter::from_fn(next).map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In most tests the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
