//! The allocator, mimalloc, and its settings; and the CPU time of a thread.
//!
//! Built with `override`, mimalloc is the `malloc` of the whole process, which Rust's default
//! allocator and ONNX Runtime call (`docs/decisions/0016-allocator.md`).

use std::time::Duration;

use libmimalloc_sys::{mi_option_t, mi_option_use_numa_nodes};

/// mimalloc's option `purge_delay`, in milliseconds. The binding names only its neighbours.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// Makes the allocator return freed memory to the system after ten milliseconds, or after one while
/// requests hold much memory. By default it waits a second, and a burst of bodies would need memory
/// beside what was freed before it. The variable `MIMALLOC_PURGE_DELAY` takes precedence.
#[expect(unsafe_code, reason = "calls the allocator directly")]
pub fn return_freed_soon(holds_much: bool) {
    let delay = if holds_much { 1 } else { 10 };
    // SAFETY: an option is a number that the allocator reads when it needs it.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, delay) };
}

/// Returns all freed memory to the system, which takes some milliseconds.
#[expect(unsafe_code, reason = "calls the allocator directly")]
pub(super) fn return_freed() {
    // SAFETY: any thread may call it at any time, and it does not touch memory that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// The CPU time of this thread; `None` if the system does not tell it.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "calls the system directly")]
pub(super) fn thread_cpu_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call, and the kernel only writes to it.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    (status == 0).then(|| Duration::new(seconds, time.tv_nsec as u32))
}

/// The CPU time of this thread; `None` if the system does not tell it.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_cpu_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "calls the allocator directly")]
    fn the_option_is_the_delay_of_purging() {
        // SAFETY: the call only reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // No other option has this default.
        assert_eq!(delay(), 1000);
        return_freed_soon(true);
        assert_eq!(delay(), 1);
        return_freed_soon(false);
        assert_eq!(delay(), 10);
    }

    #[test]
    #[expect(unsafe_code, reason = "calls the allocator directly")]
    fn what_rust_allocates_is_the_allocators() {
        for size in [1, 100, 10_000, 10_000_000] {
            let bytes = vec![0_u8; size];
            // SAFETY: the call only looks up the address.
            assert!(unsafe { libmimalloc_sys::mi_is_in_heap_region(bytes.as_ptr().cast()) });
        }
    }

    #[test]
    fn a_thread_that_sleeps_has_little_of_the_processor() {
        let Some(before) = thread_cpu_time() else { return };
        std::thread::sleep(Duration::from_millis(50));
        let after = thread_cpu_time().unwrap_or_default();
        assert!(after >= before && after.saturating_sub(before) < Duration::from_millis(25));
    }
}
