//! Threads for long computations, which yield to those that serve connections and run batches.
//!
//! On a machine whose cores are all busy, the system lets threads of lower priority wait for others:
//! so costly files delay each other, and hardly the requests that need no such computation. A thread
//! of the async runtime cannot do that for a while only: a lowered priority is not given back.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::task::block_in_place;

/// The threads, started for the first computation.
#[derive(Debug)]
pub(crate) struct ComputeThreads {
    count: usize,
    /// Called by each thread first.
    on_start: fn(),
    /// None if the system has no threads for them.
    threads: OnceLock<Option<ThreadPool>>,
}

impl ComputeThreads {
    /// As many threads, each of which calls `on_start` first.
    pub(crate) const fn new(count: usize, on_start: fn()) -> Self {
        Self { count, on_start, threads: OnceLock::new() }
    }

    /// Runs a computation on one of the threads and waits for it, while another thread takes over the
    /// tasks of this one. What the computation logs belongs to the current span.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let span = tracing::Span::current();
        let work = || span.in_scope(work);
        block_in_place(|| match self.threads.get_or_init(|| self.start()) {
            Some(threads) => threads.install(work),
            None => work(),
        })
    }

    fn start(&self) -> Option<ThreadPool> {
        let on_start = self.on_start;
        let threads = ThreadPoolBuilder::new()
            .num_threads(self.count)
            .thread_name(|number| format!("compute-{number}"))
            .start_handler(move |_| on_start())
            .build();
        threads
            .inspect_err(|error| {
                tracing::warn!(%error, "no threads can be started for long computations; those that serve connections run them");
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        thread,
    };

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_computation_runs_on_a_thread_of_its_own_and_may_borrow_and_panic() {
        let threads = ComputeThreads::new(2, || ());
        let mut sum = 0;
        let numbers = [1, 2, 3];
        let name = threads.run(|| {
            sum = numbers.iter().sum();
            thread::current().name().map(str::to_owned)
        });
        assert_eq!(sum, 6);
        assert!(name.is_some_and(|name| name.starts_with("compute-")));
        let panicked = catch_unwind(AssertUnwindSafe(|| threads.run(|| panic!("a damaged file"))));
        assert!(panicked.is_err());
        assert_eq!(threads.run(|| 7), 7);
    }
}
