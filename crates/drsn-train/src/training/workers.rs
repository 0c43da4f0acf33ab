//! Threads that compute side by side.

use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::TrainError;

/// A few threads, each with a pool of its own for what Burn computes on it: so nothing that one of them computes
/// depends on how many there are.
pub struct Workers(Vec<ThreadPool>);

impl Workers {
    /// So many threads.
    ///
    /// # Errors
    /// [`TrainError::Threads`] where the system refuses them.
    pub fn new(threads: usize) -> Result<Self, TrainError> {
        let pool = || ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<Vec<_>, _> = (0..threads.max(1)).map(|_| pool()).collect();
        let failed =
            |e: rayon::ThreadPoolBuildError| TrainError::Threads { threads, reason: e.to_string() };
        Ok(Self(pools.map_err(failed)?))
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Applies `work` to each item, the n-th on the n-th thread in turn, and gives the results in the items' order.
    pub fn map<I: Send, T: Send>(&self, items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
        let mut shares: Vec<Vec<(usize, I)>> = self.0.iter().map(|_| Vec::new()).collect();
        let threads = shares.len();
        for (place, item) in items.into_iter().enumerate() {
            shares[place % threads].push((place, item));
        }
        let work = &work;
        let done = |pool: &ThreadPool, share: Vec<(usize, I)>| {
            pool.install(|| share.into_iter().map(|(place, item)| (place, work(item))).collect())
        };
        let mut results: Vec<(usize, T)> = thread::scope(|scope| {
            let running: Vec<_> = self
                .0
                .iter()
                .zip(shares)
                .map(|(pool, share)| scope.spawn(move || done(pool, share)))
                .collect();
            let ended = running.into_iter().flat_map(|thread| {
                // A panic of a worker is a panic of the whole.
                let part: Vec<_> =
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                part
            });
            ended.collect()
        });
        results.sort_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
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
