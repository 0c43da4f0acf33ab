//! How much memory this process could still take: what the machine has free, and what each group
//! of processes (cgroup) that it belongs to may still use.

use std::{fs, path::Path};

/// Where version 2 of the control groups is mounted.
const GROUPS: &str = "/sys/fs/cgroup";

/// The free memory, in bytes; `None` if the system does not tell it.
pub(super) fn bytes() -> Option<u64> {
    let of_machine = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| own_group(&text));
    let group = Path::new(GROUPS).join(group.unwrap_or_default());
    let above = group.ancestors().take_while(|folder| folder.starts_with(GROUPS));
    Some(above.filter_map(left_in).fold(of_machine, u64::min))
}

/// `MemAvailable` in /proc/meminfo, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The path of the group in /proc/self/cgroup, without the leading slash.
fn own_group(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("0::/")).map(str::to_owned)
}

/// What the group in `folder` may still use, in bytes; `None` if it has no limit. Pages of files
/// that were not used lately do not count as used: the system takes them back.
fn left_in(folder: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let most = number("memory.max")?;
    let used = number("memory.current")?;
    let statistics = read("memory.stat").unwrap_or_default();
    let unused = statistics.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let unused = unused.and_then(|number| number.parse().ok()).unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(unused)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_the_limit_without_what_is_used_and_cannot_be_taken_back() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2 kB\n"), Some(2048));
        assert_eq!(own_group("1:memory:/x\n0::/a/b\n").as_deref(), Some("a/b"));
        let folder = tempfile::tempdir();
        let folder = folder.as_ref().map_or(Path::new("/nowhere"), tempfile::TempDir::path);
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).is_ok();
        assert!(write("memory.max", "max\n") && write("memory.current", "700\n"));
        assert_eq!(left_in(folder), None);
        assert!(write("memory.max", "1000\n"));
        assert_eq!(left_in(folder), Some(300));
        assert!(write("memory.stat", "file 500\ninactive_file 200\n"));
        assert_eq!(left_in(folder), Some(500));
        assert!(write("memory.current", "5000\n"));
        assert_eq!(left_in(folder), Some(0));
    }

    #[test]
    fn this_machine_has_free_memory() {
        assert!(!cfg!(target_os = "linux") || bytes().is_some_and(|free| free > 1 << 20));
    }
}
