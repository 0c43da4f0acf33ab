//! The log of a process: it cannot stop the server, and it says a thing once.

use std::{
    io::Read as _,
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    harness::{self, Process, eventually, has_runtime},
    tiny,
};

struct KilledAtTheEnd(Child);

impl Drop for KilledAtTheEnd {
    fn drop(&mut self) {
        // In a test that passes it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every thread that logged waited for a pipe that nobody read: the server answered nothing more,
/// probes included, and did not end at SIGTERM.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_does_not_stop_the_server() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .args(["--http", &format!("127.0.0.1:{port}"), "--grpc", "off", "--linger-ms", "0"])
        .args(["--device", "cpu", "--log-format", "json", "--models"])
        .arg(models.path())
        // A line of each request, and of what its libraries do.
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = KilledAtTheEnd(server);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let get = async |path: &str| client.get(url(path)).send().await;
    eventually("it is ready", async || get("/readyz").await.is_ok_and(|r| r.status() == 200)).await;
    let dropped = async || {
        let text = get("/metrics").await.unwrap().text().await.unwrap();
        let name = "drsn_log_lines_dropped_total ";
        text.lines().find_map(|l| l.strip_prefix(name)).unwrap().parse::<u64>().unwrap()
    };
    eventually("lines are dropped", async || {
        for _ in 0..200 {
            assert_eq!(get("/models").await.unwrap().status(), 200);
        }
        dropped().await > 0
    })
    .await;
    let asked = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success());
    // What the pipe held is whole lines, but for the last one.
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    assert!(whole.lines().count() > 10);
    assert!(whole.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{whole}");
}

/// It logged 20 lines a second for as long as it had no descriptors left.
#[test]
fn a_process_without_file_descriptors_says_so_once() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = harness::command(models.path(), &["--workers", "1"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(server.get_program());
    command.args(server.get_args()).stderr(Stdio::piped());
    let server = Process::spawn(command);
    let clients: Vec<_> =
        (0..80).map(|_| TcpStream::connect(server.address)).map_while(Result::ok).collect();
    let refused = "cannot accept a connection";
    server.wait_for(refused);
    let again = server.lines_for(Duration::from_secs(2));
    assert!(again.iter().all(|line| line["message"] != refused), "{again:?}");
    drop(clients);
}
