//! The process itself: limits on what it may use, and its end.

use std::{fs, io};

/// The unit of memory in /proc/self/status, in bytes.
const KIB: u64 = 1024;

/// Ends the process with this exit code and without running destructors, for when a thread that was left
/// behind still uses ONNX Runtime.
#[expect(unsafe_code, reason = "calls the system directly")]
pub fn end_without_destructors(code: u8) -> ! {
    // SAFETY: the call does not return and touches no memory.
    unsafe { libc::_exit(code.into()) }
}

/// Makes the system end this process when its parent ends, and first of all processes if memory
/// runs out.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "calls the system directly")]
pub(crate) fn be_the_first_to_end() {
    // SAFETY: the call only sets a number in the kernel.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // Not allowed everywhere; the limit on memory holds without it.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// Only Linux has such settings.
#[cfg(not(target_os = "linux"))]
pub(crate) fn be_the_first_to_end() {}

/// Limits this process from now on to `memory` further bytes and `seconds` of CPU time in all. An
/// allocation beyond the first fails; the second ends the process.
///
/// # Errors
/// The error of the system if it refuses a limit.
pub(crate) fn confine(memory: u64, seconds: u64) -> io::Result<()> {
    // Pages that may be written: what was only reserved does not count, and neither do libraries.
    let used = kibibytes("VmData:").unwrap_or_default() * KIB;
    let memory = used.saturating_add(memory);
    limit(libc::RLIMIT_DATA, memory, memory)?;
    // At the first number the signal tells why (SIGXCPU), and at the second it could be any (SIGKILL).
    limit(libc::RLIMIT_CPU, seconds, seconds.saturating_add(1))?;
    limit(libc::RLIMIT_CORE, 0, 0)
}

/// Whether a message of ONNX Runtime says that an allocation failed.
pub(crate) fn is_lack_of_memory(message: &str) -> bool {
    ["bad_alloc", "bad allocation", "Failed to allocate", "out of memory"]
        .iter()
        .any(|sign| message.contains(sign))
}

/// The most memory that this process has had, in bytes; `None` if the system does not tell it.
pub(crate) fn peak_memory() -> Option<u64> {
    kibibytes("VmHWM:").map(|kib| kib * KIB)
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// Sets a limit and how far it could be raised, or leaves lower ones that the process has already.
#[expect(unsafe_code, reason = "calls the system directly")]
fn limit(resource: Resource, now: u64, most: u64) -> io::Result<()> {
    let done = |status| if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local that outlives the call, and the kernel only writes to it.
    done(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    let most = most.min(limit.rlim_max);
    let limit = libc::rlimit { rlim_cur: now.min(most), rlim_max: most };
    // SAFETY: as above, and the kernel only reads it.
    done(unsafe { libc::setrlimit(resource, &raw const limit) })
}

fn kibibytes(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}
