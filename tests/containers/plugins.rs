//! The plugins compose and buildx: the docker client's own, or unpacked from a later Debian's
//! packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::command::{attempt, cache, works};

/// The release whose packages are used if this machine's own has none.
pub(crate) const RELEASE: &str = "trixie";
const PLUGINS: [&str; 2] = ["compose", "buildx"];
/// Tests run side by side; one of them unpacks.
static UNPACKING: Mutex<()> = Mutex::new(());

/// A folder for `DOCKER_CONFIG` with the plugins; `None` if the client finds them by itself.
///
/// # Errors
/// A sentence, if they are neither installed nor available.
pub(crate) fn obtain() -> Result<Option<PathBuf>, String> {
    let _alone = UNPACKING.lock().unwrap_or_else(PoisonError::into_inner);
    let found = |config: Option<&Path>, plugin: &str| {
        let mut docker = Command::new("docker");
        docker.args([plugin, "version"]).envs(config.map(|folder| ("DOCKER_CONFIG", folder)));
        works(&mut docker)
    };
    if PLUGINS.iter().all(|plugin| found(None, plugin)) {
        return Ok(None);
    }
    let config = cache().join("docker-config");
    if !PLUGINS.iter().all(|plugin| found(Some(&config), plugin)) {
        unpack(&config.join("cli-plugins"))?;
    }
    match PLUGINS.iter().find(|plugin| !found(Some(&config), plugin)) {
        None => Ok(Some(config)),
        Some(plugin) => Err(format!("docker {plugin} of Debian {RELEASE} does not run here")),
    }
}

/// Unpacks the plugins into a folder, without installing anything or changing the system's package
/// lists.
fn unpack(folder: &Path) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(cache()).map_err(|error| error.to_string())?;
    let path = |name: &str| scratch.path().join(name);
    for name in ["lists/partial", "cache/archives/partial", "unpacked"] {
        fs::create_dir_all(path(name)).map_err(|error| error.to_string())?;
    }
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {} {RELEASE} main\n",
        mirror()?
    );
    fs::write(path("sources.list"), source).map_err(|error| error.to_string())?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.current_dir(scratch.path())
            .arg("--quiet=2")
            .arg(format!("--option=Dir::State::lists={}", path("lists").display()))
            .arg(format!("--option=Dir::Cache={}", path("cache").display()))
            .arg(format!("--option=Dir::Etc::sourcelist={}", path("sources.list").display()))
            .args(["--option=Dir::Etc::sourceparts=/dev/null", "--option=APT::Sandbox::User=root"]);
        apt
    };
    attempt(apt().arg("update"))?;
    attempt(apt().args(["download", "docker-compose", "docker-buildx"]))?;
    for entry in fs::read_dir(scratch.path()).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            attempt(Command::new("dpkg").arg("-x").arg(entry.path()).arg(path("unpacked")))?;
        }
    }
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    for plugin in PLUGINS {
        let name = format!("docker-{plugin}");
        let unpacked = path("unpacked/usr/libexec/docker/cli-plugins").join(&name);
        fs::copy(&unpacked, folder.join(&name))
            .map_err(|error| format!("cannot copy {}: {error}", unpacked.display()))?;
    }
    Ok(())
}

/// This machine's source of Debian packages.
///
/// # Errors
/// A sentence, if this is not Debian.
pub(crate) fn mirror() -> Result<String, String> {
    let mut targets = Command::new("apt-get");
    targets.args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Origin: Debian",
    ]);
    let uris = attempt(&mut targets)?;
    let archive = uris.lines().find(|uri| !uri.contains("security"));
    archive.map(str::to_owned).ok_or_else(|| "apt-get knows no archive of Debian".to_owned())
}
