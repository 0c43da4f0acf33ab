//! A real HAProxy in front of servers, with health checks, a log of every request, and its runtime
//! commands.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    skip,
    tools::{Running, free_ports},
};

/// Pause between two health checks.
const INTERVAL: Duration = Duration::from_millis(250);
/// Checks that fail before a server gets no more requests.
const FALL: u32 = 2;
/// Longest start, and longest wait for a server to be found up or down.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long after it says that it is not ready a server still gets requests.
pub(crate) const NOTICE: Duration = INTERVAL.saturating_mul(FALL + 1);

/// HAProxy, until it is dropped.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
    _running: Running,
}

/// A request in HAProxy's log.
#[derive(Debug)]
pub(crate) struct Logged {
    /// Name of the server that got the request.
    pub(crate) server: String,
    /// 200, or HAProxy's status for a server without an answer; negative if it could only close the
    /// client's connection.
    pub(crate) status: i32,
}

impl Balancer {
    /// Starts one in front of these servers, with room for one more of the name `spare`; says that
    /// the test is skipped if HAProxy is not installed.
    pub(crate) fn start(servers: &[(&str, SocketAddr)], spare: &str) -> Option<Self> {
        if Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().is_err() {
            skip::skip("haproxy is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let [port] = free_ports();
        let configuration = folder.path().join("haproxy.cfg");
        fs::write(&configuration, configure(port, &folder.path().join("socket"), servers, spare))
            .unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let running = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(configuration)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let balancer = Self { address, folder, _running: Running(running.unwrap()) };
        for (server, _) in servers {
            balancer.wait_until(server, "UP");
        }
        Some(balancer)
    }

    /// Tells HAProxy the address of its spare server, and to send requests there.
    pub(crate) fn add(&self, server: &str, address: SocketAddr) {
        let (ip, port) = (address.ip(), address.port());
        let told = self.command(&format!("set server replicas/{server} addr {ip} port {port}"));
        assert!(told.contains("changed"), "{told}");
        self.command(&format!("set server replicas/{server} state ready"));
        self.wait_until(server, "UP");
    }

    /// Waits until HAProxy has found a server to be `UP` or `DOWN`.
    pub(crate) fn wait_until(&self, server: &str, state: &str) {
        let end = Instant::now() + PATIENCE;
        let row = format!("replicas,{server},");
        loop {
            let table = self.command("show stat");
            let found = table.lines().find(|line| line.starts_with(&row)).and_then(|line| {
                // Neither word is in another column that comes before it, and a check has answered.
                line.split(',').nth(17).filter(|_| !line.contains("INI")).map(str::to_owned)
            });
            if found.as_deref() == Some(state) {
                return;
            }
            assert!(Instant::now() < end, "{server} is {found:?}, not {state}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first `count` requests that HAProxy answers: it logs each a moment after its answer.
    pub(crate) fn requests(&self, count: usize) -> Vec<Logged> {
        let read = |line: &str| {
            let mut words = line.strip_prefix("request ")?.split(' ').map(str::to_owned);
            Some(Logged { server: words.next()?, status: words.next()?.parse().ok()? })
        };
        let end = Instant::now() + PATIENCE;
        loop {
            let requests: Vec<Logged> = self.log().lines().filter_map(read).collect();
            if requests.len() >= count {
                return requests;
            }
            let found = requests.len();
            assert!(Instant::now() < end, "HAProxy has logged {found} requests, and not {count}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All that it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn command(&self, command: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut stream = loop {
            match UnixStream::connect(self.folder.path().join("socket")) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "{error}\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        writeln!(stream, "{command}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// If HAProxy cannot connect to a server, it sends the request to another one; it does not resend a
/// request that a server may have begun. It has one thread, because two threads lose log lines when
/// both write at once.
fn configure(port: u16, socket: &Path, servers: &[(&str, SocketAddr)], spare: &str) -> String {
    let (socket, interval) = (socket.display(), INTERVAL.as_millis());
    let servers = servers.iter().fold(String::new(), |lines, (name, address)| {
        lines
            + &format!(
                "  server {name} {address}
"
            )
    });
    format!(
        "global
  log stdout format raw daemon
  stats socket {socket} mode 600 level admin
  maxconn 256
  nbthread 1
defaults
  mode http
  log global
  log-format \"request %s %ST %ts\"
  timeout connect 1s
  timeout client 40s
  timeout server 40s
  timeout check 2s
  retries 3
  option redispatch 1
frontend requests
  bind 127.0.0.1:{port}
  default_backend replicas
backend replicas
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter {interval}ms fall {FALL} rise 1
{servers}  server {spare} 127.0.0.1:1 disabled
"
    )
}
