//! The allocator of the system, which ONNX Runtime uses, and the two things that a server whose models come and go must
//! tell it.
//!
//! glibc keeps an arena for each few threads, eight times as many as there are cores, and returns only what is free at
//! an arena's end. With an arena a core, and freed memory returned when a model has gone, a server whose models are
//! reloaded holds less, and grows less; the figures are in `docs/decisions/0011-models-that-come-and-go.md`.

use std::time::Duration;

/// Keeps the arenas to one a core, at least two; the environment's `MALLOC_ARENA_MAX` goes before. To be called before
/// threads are started.
pub fn limit_arenas() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        glibc::limit_arenas(i32::try_from(cores.max(2)).unwrap_or(i32::MAX));
    }
}

/// Returns to the system what glibc keeps of freed memory. It takes some milliseconds.
pub fn return_freed() {
    glibc::return_freed();
}

/// The processor's time that this thread has had; none where the system does not tell.
pub fn processor_time() -> Option<Duration> {
    glibc::processor_time()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::time::Duration;

    #[expect(unsafe_code, reason = "glibc is asked directly")]
    pub(super) fn limit_arenas(most: i32) {
        // SAFETY: it takes two numbers, and no other thread allocates yet.
        let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, most) };
        debug_assert_eq!(taken, 1);
    }

    #[expect(unsafe_code, reason = "glibc is asked directly")]
    pub(super) fn return_freed() {
        // SAFETY: it takes a number, may be called from any thread at any time, and changes nothing that is in use.
        unsafe { libc::malloc_trim(0) };
    }

    #[expect(unsafe_code, reason = "glibc is asked directly")]
    pub(super) fn processor_time() -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a local that outlives the call, and the kernel only writes to it.
        let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        (told == 0).then(|| Duration::new(seconds, time.tv_nsec as u32))
    }
}

/// Other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    pub(super) fn limit_arenas(_most: i32) {}
    pub(super) fn return_freed() {}
    pub(super) fn processor_time() -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_has_little_of_the_processor() {
        let Some(before) = processor_time() else { return };
        std::thread::sleep(Duration::from_millis(50));
        let after = processor_time().unwrap_or_default();
        assert!(after >= before && after.saturating_sub(before) < Duration::from_millis(25));
    }
}
