//! The allocator, mimalloc, and what it must be told; and the processor's time of a thread.
//!
//! Built with `override` it is `malloc` of the whole process: Rust's default allocator and ONNX Runtime call it
//! (`docs/decisions/0016-allocator.md`).

use std::time::Duration;

use libmimalloc_sys::{mi_option_t, mi_option_use_numa_nodes};

/// mimalloc's option `purge_delay`, in milliseconds. The binding has names for the options on both sides of it.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// Tells the allocator to return freed memory to the system after a second (ten times the option): by default it waits ten,
/// and a burst of bodies would be in memory beside what was freed before it. What the environment says
/// (`MIMALLOC_PURGE_DELAY`) goes before.
#[expect(unsafe_code, reason = "the allocator is asked directly")]
pub fn return_freed_soon() {
    // SAFETY: an option is a number that the allocator reads whenever it needs it.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 100) };
}

/// Returns to the system what the allocator keeps of freed memory. It takes some milliseconds.
#[expect(unsafe_code, reason = "the allocator is asked directly")]
pub(crate) fn return_freed() {
    // SAFETY: it may be called from any thread at any time, and changes nothing that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// The processor's time that this thread has had; none where the system does not tell.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system is asked directly")]
pub(crate) fn processor_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call, and the kernel only writes to it.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    (told == 0).then(|| Duration::new(seconds, time.tv_nsec as u32))
}

/// The processor's time that this thread has had; none where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn processor_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "the allocator is asked directly")]
    fn the_option_is_the_delay_of_purging() {
        // SAFETY: it only reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // No other option has this default.
        assert_eq!(delay(), 1000);
        return_freed_soon();
        assert_eq!(delay(), 100);
    }

    #[test]
    #[expect(unsafe_code, reason = "the allocator is asked directly")]
    fn what_rust_allocates_is_the_allocators() {
        for size in [1, 100, 10_000, 10_000_000] {
            let bytes = vec![0_u8; size];
            // SAFETY: it only looks the address up.
            assert!(unsafe { libmimalloc_sys::mi_is_in_heap_region(bytes.as_ptr().cast()) });
        }
    }

    #[test]
    fn a_thread_that_sleeps_has_little_of_the_processor() {
        let Some(before) = processor_time() else { return };
        std::thread::sleep(Duration::from_millis(50));
        let after = processor_time().unwrap_or_default();
        assert!(after >= before && after.saturating_sub(before) < Duration::from_millis(25));
    }
}
