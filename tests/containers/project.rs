//! The compose project, under a name and with ports of its own.

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
    time::{Duration, Instant},
};

use reqwest::Response;
use serde_json::Value;

use crate::{
    command::{attempt, root, run},
    engine::{Engine, say},
    images::Images,
};

/// Longest wait for anything that must happen by itself.
const PATIENCE: Duration = Duration::from_secs(90);

/// Ports on this machine; compose.yaml has a variable for each.
const PORTS: [&str; 7] = [
    "DRSN_PORT",
    "DRSN_GRPC_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
    "HAPROXY_PORT",
    "HAPROXY_GRPC_PORT",
    "GRAFANA_PORT",
];

/// `docker compose` in the project's root; dropping it removes everything that it started.
pub(crate) struct Project<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) images: &'a Images,
    pub(crate) name: String,
    pub(crate) client: reqwest::Client,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Project<'a> {
    pub(crate) fn new(engine: &'a Engine, images: &'a Images) -> Self {
        let name = format!("drsn-test-{}", std::process::id());
        let mut variables = images.variables.clone();
        variables.push(("DRSN_IMAGE", format!("{name}-image")));
        variables.push(("COMPOSE_PROJECT_NAME", name.clone()));
        variables.push(("BUILD_NETWORK", "host".to_owned()));
        // All at once, so that the ports differ.
        let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port().to_string());
        variables.extend(PORTS.into_iter().zip(ports));
        // Connections to a stopped server must not be retried silently.
        let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
        Self { engine, images, name, client, variables }
    }

    /// The server's image.
    pub(crate) fn image(&self) -> &str {
        self.variable("DRSN_IMAGE")
    }

    fn variable(&self, name: &str) -> &str {
        &self.variables.iter().find(|(variable, _)| *variable == name).unwrap().1
    }

    /// `docker compose` with these arguments.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = self.engine.docker(&["compose"]);
        command.current_dir(root()).envs(self.variables.iter().cloned()).args(arguments);
        command
    }

    /// Runs `docker compose`, which must succeed, and returns its output without the trailing
    /// newline.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        run(&mut self.compose(arguments)).trim_end().to_owned()
    }

    /// The log of a service.
    pub(crate) fn log(&self, service: &str) -> String {
        let log = self.ask(&["logs", "--no-log-prefix", "--no-color", service]);
        // Compose clears the terminal's line before each line of the log, even without a terminal.
        log.replace("\x1b[2K", "")
    }

    /// The container of a service that has one.
    pub(crate) fn container(&self, service: &str) -> String {
        self.ask(&["ps", "--all", "--quiet", service])
    }

    /// An address on this machine behind a variable of compose.yaml.
    pub(crate) fn address(&self, port: &str) -> SocketAddr {
        format!("127.0.0.1:{}", self.variable(port)).parse().unwrap()
    }

    pub(crate) fn url(&self, port: &str, path: &str) -> String {
        format!("http://{}{path}", self.address(port))
    }

    /// Gets JSON that must be there.
    pub(crate) async fn json(&self, port: &str, path: &str) -> Result<Value, String> {
        let response =
            self.client.get(self.url(port, path)).send().await.map_err(|e| e.to_string())?;
        let status = response.status();
        let body = text(response).await?;
        if status != 200 {
            return Err(format!("{path} answers {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{path} answers {body}: {error}"))
    }

    /// Classifies through a published port.
    pub(crate) async fn classify(
        &self,
        port: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, String> {
        let request = self.client.post(self.url(port, path)).header("content-type", content_type);
        let response = request.body(body).send().await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = text(response).await?;
        if status != 200 {
            return Err(format!("{path} answers {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| error.to_string())
    }

    /// Takes down everything that was started, with its volumes; nothing may remain.
    pub(crate) fn down(self) {
        self.remove();
        let label = format!("label=com.docker.compose.project={}", self.name);
        for kind in ["container", "network", "volume"] {
            let all = if kind == "container" { "--all" } else { "--quiet" };
            let left = self.engine.ask(&[kind, "ls", all, "--quiet", "--filter", &label]);
            assert_eq!(left, "", "a {kind} is left");
        }
        say("docker compose down left nothing behind");
    }

    fn remove(&self) {
        let mut down =
            self.compose(&["--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=20"]);
        let mut image = self.engine.docker(&["image", "rm", "--force", self.image()]);
        for command in [&mut down, &mut image] {
            if let Err(failure) = attempt(command) {
                eprintln!("Cleaning up: {failure}");
            }
        }
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        // After a failure only the logs show the cause.
        if std::thread::panicking() {
            let logs =
                attempt(&mut self.compose(&["--profile=*", "logs", "--tail=30", "--no-color"]));
            eprintln!("{}", logs.unwrap_or_else(|failure| failure));
            self.remove();
        }
    }
}

async fn text(response: Response) -> Result<String, String> {
    response.text().await.map_err(|error| error.to_string())
}

/// Retries until it succeeds.
pub(crate) async fn eventually<T, F>(what: &str, attempt: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(outcome) => return outcome,
            Err(last) if begun.elapsed() > PATIENCE => {
                panic!("{what}: not within {PATIENCE:?}: {last}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
