//! A container engine: the running one, or a private one from Debian's docker.io.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    command::{attempt, run, works},
    plugins,
    traces::Traces,
};

/// Longest start, and longest stop, of an engine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running engine.
pub(crate) struct Engine {
    /// `DOCKER_HOST`, unless it is the client's default.
    host: Option<String>,
    /// `DOCKER_CONFIG`, if the client lacks plugins.
    config: Option<PathBuf>,
    private: Option<Private>,
}

impl Engine {
    /// The engine that the client finds, or a private one.
    ///
    /// # Errors
    /// A sentence, if no engine can run on this machine.
    pub(crate) fn find() -> Result<Self, String> {
        if !works(Command::new("docker").arg("--version")) {
            return Err("docker, the client, is not installed (Debian: docker.io)".to_owned());
        }
        let mut engine = Self { host: None, config: plugins::obtain()?, private: None };
        if engine.answers() {
            say("using the engine that runs here");
            return Ok(engine);
        }
        let private = Private::start()?;
        engine.host = Some(format!("unix://{}", private.socket().display()));
        // From here on it is stopped, whatever happens.
        engine.private = Some(private);
        let begun = Instant::now();
        while !engine.answers() {
            engine.private.as_mut().map_or(Ok(()), Private::lives)?;
            if begun.elapsed() > PATIENCE {
                return Err("dockerd started, and does not answer".to_owned());
            }
            thread::sleep(Duration::from_millis(100));
        }
        say("started a private dockerd");
        Ok(engine)
    }

    /// `docker` with these arguments, for this engine.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(arguments)
            .envs(self.host.as_ref().map(|host| ("DOCKER_HOST", host)))
            .envs(self.config.as_ref().map(|config| ("DOCKER_CONFIG", config)));
        command
    }

    /// Runs `docker`, which must succeed, and returns its output without the trailing newline.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        run(&mut self.docker(arguments)).trim_end().to_owned()
    }

    fn answers(&self) -> bool {
        // The client also succeeds without an engine, unless it is asked about the engine.
        works(&mut self.docker(&["version", "--format", "{{.Server.Version}}"]))
    }

    /// Stops a private engine; the machine must be as it was before.
    pub(crate) fn stop(mut self) {
        let Some(mut private) = self.private.take() else { return };
        private.end();
        assert_eq!(Traces::now(&private.mark), private.before, "the engine left something behind");
        let folder = private.folder.path().to_owned();
        drop(private);
        assert!(!folder.exists(), "{} is still there", folder.display());
    }
}

/// Reports progress on standard error; a test of minutes needs that.
pub(crate) fn say(what: &str) {
    eprintln!("containers: {what}");
}

/// A dockerd with everything in a folder of its own. It does not change the machine's packet filter
/// and forwarding, has only the bridges of created networks, and publishes ports by its proxy.
struct Private {
    daemon: Child,
    folder: TempDir,
    /// Name of its control group and its folder.
    mark: String,
    before: Traces,
    has_ended: bool,
}

impl Private {
    fn start() -> Result<Self, String> {
        if fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
            return Err("no engine answers, and only root can start one".to_owned());
        }
        if !works(Command::new("dockerd").arg("--version")) {
            return Err("no engine answers, and there is no dockerd (Debian: docker.io)".to_owned());
        }
        let mark = format!("drsn-containers-{}", std::process::id());
        let before = Traces::now(&mark);
        let folder = tempfile::Builder::new().prefix(&mark).tempdir().map_err(|e| e.to_string())?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("daemon.json"), "{}").map_err(|error| error.to_string())?;
        let log = fs::File::create(path("log")).map_err(|error| error.to_string())?;
        // It ends with this thread, even if no destructor runs any more.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "dockerd"])
            .arg(format!("--host=unix://{}", path("docker.sock").display()))
            .arg(format!("--config-file={}", path("daemon.json").display()))
            .arg(format!("--data-root={}", path("data").display()))
            .arg(format!("--exec-root={}", path("exec").display()))
            .arg(format!("--pidfile={}", path("pid").display()))
            .arg(format!("--cgroup-parent=/{mark}"))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--ip-forward=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let daemon = command.spawn().map_err(|error| format!("dockerd: {error}"))?;
        Ok(Self { daemon, folder, mark, before, has_ended: false })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// # Errors
    /// The end of its log, if it has exited by itself.
    fn lives(&mut self) -> Result<(), String> {
        if matches!(self.daemon.try_wait(), Ok(None)) {
            return Ok(());
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        Err(format!("dockerd cannot run here: {last}"))
    }

    /// Stops it with all its containers, and restores the machine.
    fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if matches!(self.daemon.try_wait(), Ok(None)) {
            let id = self.daemon.id().to_string();
            if let Err(failure) = attempt(Command::new("kill").arg(&id)) {
                eprintln!("Cleaning up: {failure}");
            }
        }
        let begun = Instant::now();
        while matches!(self.daemon.try_wait(), Ok(None)) {
            if begun.elapsed() > PATIENCE {
                eprintln!("Cleaning up: dockerd does not end and is killed");
                let _ = self.daemon.kill();
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.before.restore(&self.mark);
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.end();
    }
}
