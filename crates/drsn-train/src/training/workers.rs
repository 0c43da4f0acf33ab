//! Threads that compute side by side.

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
        let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
        let mut shares: Vec<Vec<(I, &mut Option<T>)>> = self.0.iter().map(|_| Vec::new()).collect();
        let threads = shares.len();
        for (place, task) in items.into_iter().zip(&mut results).enumerate() {
            shares[place % threads].push(task);
        }
        side_by_side(&self.0, shares, &|(item, result)| *result = Some(work(item)));
        results.into_iter().flatten().collect()
    }
}

/// Works through each share on a thread of its own; a panic of one is a panic of the whole.
fn side_by_side<I: Send>(pools: &[ThreadPool], shares: Vec<Vec<I>>, work: &(impl Fn(I) + Sync)) {
    let mut shares = shares.into_iter();
    if let (Some((pool, pools)), Some(share)) = (pools.split_first(), shares.next()) {
        pool.in_place_scope(|scope| {
            scope.spawn(move |_| share.into_iter().for_each(work));
            side_by_side(pools, shares.collect(), work);
        });
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
