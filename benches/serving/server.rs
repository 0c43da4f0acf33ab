//! The real program, started as users start it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::client;

/// A running server; dropping this stops it.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Time from its start until `/readyz` answered ready.
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

    /// CPU time of the process, including threads that have ended.
    #[expect(unsafe_code, reason = "the system is asked directly")]
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
        let process = libc::pid_t::try_from(self.process.id()).expect("a process");
        // SAFETY: both only write to locals that outlive the calls.
        let told = unsafe {
            libc::clock_getcpuclockid(process, &raw mut clock) == 0
                && libc::clock_gettime(clock, &raw mut time) == 0
        };
        assert!(told, "the process's clock");
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
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
        // It may have exited by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
