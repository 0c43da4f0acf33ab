//! TLS: both versions of HTTP, a new certificate without a restart, and unusable files.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    harness::{self, Process, has_runtime},
    skip, tiny,
};

/// A certificate for localhost and its key, in files.
pub(crate) fn certificate(folder: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    pair
}

struct Setup {
    _models: TempDir,
    files: TempDir,
    server: Process,
}

impl Setup {
    fn start() -> Option<Self> {
        if !has_runtime() {
            return None;
        }
        if Command::new("curl").arg("--version").output().is_err() {
            skip::skip("curl is not there");
            return None;
        }
        let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
        let files = tempfile::tempdir().unwrap();
        certificate(files.path());
        let path = |name| files.path().join(name).to_str().unwrap().to_owned();
        let flags = ["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")];
        let server = Process::start(models.path(), &flags);
        Some(Self { _models: models, files, server })
    }

    /// Sends one request by curl: its exit code, and the version and status of HTTP.
    fn ask(&self, certificate: &Path, version: &str) -> (Option<i32>, String) {
        let output = Command::new("curl")
            .args(["-s", version, "--max-time", "10", "-o", "/dev/null", "--cacert"])
            .arg(certificate)
            .args(["-w", "%{http_version} %{http_code}"])
            .arg(format!("https://localhost:{}/models", self.server.address.port()))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn both_versions_of_http_are_served_over_tls_and_clear_text_is_not() {
    let Some(setup) = Setup::start() else { return };
    let certificate = setup.files.path().join("cert.pem");
    assert_eq!(setup.ask(&certificate, "--http1.1"), (Some(0), "1.1 200".to_owned()));
    assert_eq!(setup.ask(&certificate, "--http2"), (Some(0), "2 200".to_owned()));
    let clear = Command::new("curl")
        .args(["-s", "--max-time", "10", &setup.server.url("/models")])
        .output()
        .unwrap();
    assert!(!clear.status.success());
    let probe = Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .args(["healthcheck", "--url"])
        .arg(format!("https://{}/readyz", setup.server.address))
        .output()
        .unwrap();
    assert_eq!(probe.status.code(), Some(0), "{}", String::from_utf8_lossy(&probe.stderr));
}

#[test]
fn a_client_that_does_not_begin_the_handshake_is_disconnected() {
    use std::{io::Read as _, net::TcpStream, time::Duration};

    let Some(setup) = Setup::start() else { return };
    let mut silent = TcpStream::connect(setup.server.address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
}

/// Regression: the shutdown waited for it until the drain timeout, and warned of unanswered requests.
#[test]
fn a_handshake_that_does_not_begin_does_not_hold_up_the_end() {
    let Some(mut setup) = Setup::start() else { return };
    let _silent = std::net::TcpStream::connect(setup.server.address).unwrap();
    setup.server.signal("-TERM");
    let lines = setup.server.lines_until("stopped");
    assert!(!lines.iter().any(|line| line["level"] == "WARN"), "{lines:?}");
    assert_eq!(setup.server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_certificate_is_reloaded_at_sighup_and_a_bad_one_is_not_used() {
    let Some(setup) = Setup::start() else { return };
    let old = setup.files.path().join("old.pem");
    fs::copy(setup.files.path().join("cert.pem"), &old).unwrap();
    certificate(setup.files.path());
    setup.server.signal("-HUP");
    setup.server.wait_for("reloaded the certificate");
    let new = setup.files.path().join("new.pem");
    fs::copy(setup.files.path().join("cert.pem"), &new).unwrap();
    assert_eq!(setup.ask(&new, "--http2"), (Some(0), "2 200".to_owned()));
    // curl's exit code for a certificate that it does not trust.
    assert_eq!(setup.ask(&old, "--http2").0, Some(60));
    fs::write(setup.files.path().join("key.pem"), "nothing").unwrap();
    setup.server.signal("-HUP");
    let log = setup.server.lines_for(std::time::Duration::from_millis(500));
    let told = log.iter().filter_map(|line| line["message"].as_str());
    assert!(told.into_iter().any(|message| message.contains("keeping the old certificate")));
    assert_eq!(setup.ask(&new, "--http1.1"), (Some(0), "1.1 200".to_owned()));
}

#[test]
fn unusable_files_end_the_start_with_2_and_a_message() {
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(one.path());
    certificate(other.path());
    let of = |folder: &TempDir, name| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (of(&one, "cert.pem"), of(&one, "key.pem"));
    for (cert, key, fault) in [
        ("/nowhere/cert.pem", key.as_str(), "cannot use the certificate /nowhere/cert.pem"),
        (&cert, "/nowhere/key.pem", "cannot use the private key /nowhere/key.pem"),
        (&key, &key, "it contains no certificate"),
        (&cert, &of(&other, "key.pem"), "with the private key"),
    ] {
        let flags = ["--tls-cert", cert, "--tls-key", key];
        let output = harness::command(models.path(), &flags).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.lines().last().unwrap().contains(fault), "{log}");
    }
    let output = harness::command(models.path(), &["--tls-cert", &cert]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "a certificate without its key");
}

#[test]
fn files_are_classified_by_a_server_whose_authority_is_known() {
    let Some(setup) = Setup::start() else { return };
    let file = setup.files.path().join("a.csv");
    fs::write(&file, "value\n0.5\n-1\n0.25\n2\n-0.5\n1\n0\n3\n").unwrap();
    let classify = |further: &[&str]| {
        let url = format!("https://localhost:{}", setup.server.address.port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-serve"));
        command.arg("classify").arg(&file).args(["--format", "jsonl", "--server", &url]);
        let output = command.args(further).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let authority = setup.files.path().join("cert.pem");
    let (is_done, answers, errors) = classify(&["--ca-cert", authority.to_str().unwrap()]);
    assert!(is_done && answers.contains("\"predictions\""), "{answers}{errors}");
    let (is_done, answers, errors) = classify(&[]);
    assert!(!is_done && answers.is_empty());
    let is_told = errors.contains("--ca-cert") || errors.contains("ca-certificates");
    assert!(is_told, "{errors}");
}
