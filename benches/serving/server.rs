//! The real program, started as users do.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::client;

/// A running server; it is ended when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// From its start until `/readyz` said so.
    pub(crate) ready_after: Duration,
}

impl Server {
    pub(crate) fn start(bundle: &Path, name: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let started = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
            .args(["--models".as_ref(), bundle.as_os_str()])
            .args(["--model-name", name, "--device", "cpu", "--http", &address.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server");
        while client::get(address, "/readyz") != Some(200) {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the server does not become ready"
            );
            thread::sleep(Duration::from_millis(1));
        }
        Self { process, address, ready_after: started.elapsed() }
    }

    /// CPU time that the process's threads have taken.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("threads");
        let nanoseconds = threads.filter_map(|thread| {
            // A thread may have ended meanwhile.
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        });
        nanoseconds.sum::<f64>() / 1e9
    }

    pub(crate) fn resident_mib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(path).expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
        kib.expect("a number") / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
