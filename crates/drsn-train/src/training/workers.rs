//! Threads that compute in parallel.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::TrainingError;

/// How long the first thread waits for the others before it sleeps.
const SPIN_TIME: Duration = Duration::from_millis(20);

/// Threads, each with its own pool for Burn's computations, so that no result depends on the number
/// of threads.
pub struct Workers(Vec<ThreadPool>);

impl Workers {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// [`TrainingError::Threads`] if the system refuses to start them.
    pub fn new(threads: usize) -> Result<Self, TrainingError> {
        let pool = || ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<Vec<_>, _> = (0..threads.max(1)).map(|_| pool()).collect();
        let failed = |e: rayon::ThreadPoolBuildError| TrainingError::Threads {
            threads,
            reason: e.to_string(),
        };
        Ok(Self(pools.map_err(failed)?))
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Runs `work` on the first thread, which then computes its share of each [`Self::map`] without
    /// being woken for it.
    ///
    /// Two threads woken at once by a thread that then sleeps are often scheduled on the same core,
    /// where they take turns for some milliseconds while another core is idle.
    pub(crate) fn lead<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.0.first() {
            Some(first) => first.install(work),
            None => work(),
        }
    }

    /// Applies `work` to each item, distributed over the threads round-robin, and returns the
    /// results in the order of the items.
    pub fn map<I: Send, T: Send>(&self, items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
        let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
        let mut shares: Vec<Vec<(I, &mut Option<T>)>> = self.0.iter().map(|_| Vec::new()).collect();
        let threads = shares.len();
        for (place, task) in items.into_iter().zip(&mut results).enumerate() {
            shares[place % threads].push(task);
        }
        let work = |(item, result): (I, &mut Option<T>)| *result = Some(work(item));
        self.lead(|| {
            let mut shares = shares.into_iter();
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> = self.0.iter().skip(1).zip(shares).collect();
            let unfinished = AtomicUsize::new(others.len());
            let finish = |share: Vec<_>| {
                share.into_iter().for_each(&work);
                unfinished.fetch_sub(1, Ordering::Release);
            };
            beside(others, &finish, || {
                own.into_iter().for_each(&work);
                let since = Instant::now();
                while unfinished.load(Ordering::Acquire) > 0 && since.elapsed() < SPIN_TIME {
                    thread::yield_now();
                }
            });
        });
        results.into_iter().flatten().collect()
    }
}

/// Processes each share on its thread while this thread runs `meanwhile`. A panic of one thread
/// propagates.
fn beside<I: Send>(
    mut shares: Vec<(&ThreadPool, I)>,
    work: &(impl Fn(I) + Sync),
    meanwhile: impl FnOnce(),
) {
    match shares.pop() {
        Some((pool, share)) => pool.in_place_scope(|scope| {
            scope.spawn(move |_| work(share));
            beside(shares, work, meanwhile);
        }),
        None => meanwhile(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_the_number_of_threads() {
        for threads in 1..5 {
            let workers = Workers::new(threads).unwrap();
            let squares = workers.map((0..7_u64).collect(), |n| n * n);
            assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36]);
        }
    }
}
