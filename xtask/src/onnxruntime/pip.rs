//! Downloads the wheel with the machine's pip.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::library::Build;
use super::{OTHERWISE, VERSION};
use crate::workspace::{words, works};

/// The ways to call pip, in order of preference.
const CALLS: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];

/// How pip ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Downloaded,
    /// The package index could not be reached.
    NoNetwork,
    /// Anything else; most often there is no wheel for pip's own Python.
    Failed,
}

/// Downloads the wheel into `folder`, which contains no other, and returns its path.
pub(super) fn download(build: &Build, folder: &Path) -> Result<PathBuf> {
    let Some(call) = CALLS.iter().find(|call| works(command(call).arg("--version"))) else {
        bail!(
            "pip is needed for the download, and none of pip, pip3 and python3 -m pip works: install pip \
             (Debian and Ubuntu: apt install python3-pip), {OTHERWISE}"
        );
    };
    eprintln!("Downloading ONNX Runtime {VERSION} (about 24 MB) with {}", call.join(" "));
    let mut ending = run(&mut fetch(call, folder))?;
    if ending == Ending::Failed {
        // The library is the same in every wheel, so another Python's will do.
        eprintln!("There is no wheel for the Python of this pip; downloading that of Python 3.12");
        ending = run(fetch(call, folder)
            .args(["--python-version", "3.12", "--implementation", "cp"])
            .args(["--platform", &build.platform()]))?;
    }
    match ending {
        Ending::Downloaded => wheel_in(folder),
        Ending::NoNetwork => bail!(
            "pip cannot reach the package index (its messages are above): check network, proxy and \
             PIP_INDEX_URL, {OTHERWISE}"
        ),
        Ending::Failed => bail!(
            "pip cannot download it (its messages are above): update pip (pip install --upgrade pip), {OTHERWISE}"
        ),
    }
}

fn command(call: &[&str]) -> Command {
    let mut command = Command::new(call[0]);
    command.args(&call[1..]);
    command
}

fn fetch(call: &[&str], folder: &Path) -> Command {
    let mut command = command(call);
    command
        .args(["download", "--no-input", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:"])
        .arg(format!("onnxruntime=={VERSION}"))
        .arg("--dest")
        .arg(folder);
    command
}

/// Runs pip with its progress on standard error, and reads its messages.
fn run(command: &mut Command) -> Result<Ending> {
    let context = words(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {context}"))?;
    let mut unreachable = false;
    if let Some(messages) = child.stderr.take() {
        for line in BufReader::new(messages).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            eprintln!("{line}");
            unreachable |= tells_of_the_network(&line);
        }
    }
    let status = child.wait()?;
    Ok(match (status.success(), unreachable) {
        (true, _) => Ending::Downloaded,
        (false, true) => Ending::NoNetwork,
        (false, false) => Ending::Failed,
    })
}

/// Whether a line of pip's output says that it could not reach the index; its last line only says
/// that it found nothing.
fn tells_of_the_network(line: &str) -> bool {
    [
        "Retrying (",
        "Could not fetch URL",
        "Connection",
        "ConnectTimeout",
        "ReadTimeout",
        "ProxyError",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

/// The only wheel in `folder`.
fn wheel_in(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip reports success but left no wheel in {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(script: &str) -> Ending {
        run(Command::new("/bin/sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_missing_network_is_told_from_a_missing_wheel() {
        assert_eq!(ending("exit 0"), Ending::Downloaded);
        assert_eq!(
            ending(
                "echo 'ERROR: No matching distribution found for onnxruntime==1.31.1' >&2; exit 1"
            ),
            Ending::Failed
        );
        assert_eq!(
            ending(
                "echo 'WARNING: Retrying (Retry(total=4)) after connection broken' >&2
                 echo 'ERROR: No matching distribution found for onnxruntime==1.31.1' >&2; exit 1"
            ),
            Ending::NoNetwork
        );
    }

    #[test]
    fn a_network_that_recovers_is_no_failure() {
        assert_eq!(ending("echo 'WARNING: Retrying (Retry(total=4))' >&2"), Ending::Downloaded);
    }

    #[test]
    fn the_wheel_is_found_beside_other_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(wheel_in(folder.path()).is_err());

        let wheel = folder.path().join("onnxruntime-1.31.1-cp312-cp312-any.whl");
        fs::write(&wheel, "").unwrap();
        assert_eq!(wheel_in(folder.path()).unwrap(), wheel);
    }
}
