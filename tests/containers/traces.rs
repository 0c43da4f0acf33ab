//! Traces that our engine could leave on the machine: compared before and after, and removed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::command::attempt;

/// Paths that an engine writes to, whatever its data folder is.
const PLACES: [&str; 5] =
    ["/run/docker", "/run/containerd", "/var/lib/docker", "/etc/docker/key.json", "/etc/docker"];

/// The part of the machine's state that an engine changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Mounts that belong to containers.
    mounts: BTreeSet<String>,
    /// Bridges, and the host's ends of containers' interfaces.
    links: BTreeSet<String>,
    /// Rules of the packet filter.
    rules: BTreeSet<String>,
    /// Whether the machine forwards packets.
    forwards: String,
    control_groups: BTreeSet<PathBuf>,
    places: BTreeSet<&'static str>,
}

impl Traces {
    /// Reads the machine's state; `mark` is in the name of all our mounts and control groups.
    pub(crate) fn now(mark: &str) -> Self {
        let rules = attempt(&mut Command::new("iptables-save")).unwrap_or_default();
        Self {
            mounts: mounts(mark).into_iter().collect(),
            links: links(),
            // Comments and counters differ from call to call.
            rules: rules.lines().filter(|line| line.starts_with('-')).map(str::to_owned).collect(),
            forwards: fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default(),
            control_groups: control_groups(mark).into_iter().collect(),
            places: PLACES.into_iter().filter(|path| Path::new(path).exists()).collect(),
        }
    }

    /// Removes everything added since then.
    pub(crate) fn restore(&self, mark: &str) {
        // The last mount covers the others.
        for mount in mounts(mark).iter().rev().filter(|mount| !self.mounts.contains(*mount)) {
            note(attempt(Command::new("umount").arg("--lazy").arg(mount)));
        }
        for link in links().difference(&self.links) {
            note(attempt(Command::new("ip").args(["link", "delete", link])));
        }
        // Innermost first.
        for group in control_groups(mark).iter().rev() {
            note(fs::remove_dir(group).map_err(|error| format!("{}: {error}", group.display())));
        }
        let new = |path: &&str| !self.places.contains(path) && Path::new(path).exists();
        for path in PLACES.into_iter().filter(new) {
            let is_folder = Path::new(path).is_dir();
            let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            note(removed.map_err(|error| format!("{path}: {error}")));
        }
    }
}

fn note<T>(outcome: Result<T, String>) {
    if let Err(failure) = outcome {
        eprintln!("Cleaning up: {failure}");
    }
}

/// Mounts with the mark, in the order of mounting.
fn mounts(mark: &str) -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = all.lines().filter_map(|line| line.split(' ').nth(1));
    places.filter(|place| place.contains(mark)).map(str::to_owned).collect()
}

fn links() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| ["docker", "br-"].iter().any(|start| name.starts_with(start))).collect()
}

/// Control groups below the one with the mark, in each hierarchy, the outermost first.
fn control_groups(mark: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let tops = hierarchies.chain([root.to_owned()]).map(|folder| folder.join(mark));
    let mut groups: Vec<PathBuf> = tops.filter(|top| top.is_dir()).collect();
    let mut next = 0;
    while let Some(group) = groups.get(next) {
        let below: Vec<PathBuf> = fs::read_dir(group)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        groups.extend(below);
        next += 1;
    }
    groups
}
