//! How a worker takes a batch from the queue.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::yield_now, time::timeout};

use super::{Job, JobError, Queue, State};

/// Jobs that are computed together. Their inputs count as being computed until this is dropped.
#[derive(Debug)]
pub(crate) struct Batch<O> {
    /// The jobs. Empty if nobody needs those that waited any more, or another worker was faster.
    pub(crate) jobs: Vec<Job<O>>,
    /// The maximum number of inputs when it was taken.
    pub(crate) cap: usize,
    inputs: usize,
    computing: Arc<AtomicUsize>,
}

impl<O> Batch<O> {
    /// The jobs, to be answered. Their inputs no longer count as being computed.
    pub(crate) fn into_jobs(mut self) -> Vec<Job<O>> {
        mem::take(&mut self.jobs)
    }
}

impl<O> Drop for Batch<O> {
    fn drop(&mut self) {
        self.computing.fetch_sub(self.inputs, Ordering::Relaxed);
    }
}

/// What a free worker does next.
enum NextStep {
    /// End: the queue is closed and empty.
    End,
    /// Wait for jobs.
    Wait,
    /// Wait at most this long for a batch to become full.
    WaitForMore(Duration),
    /// Take a batch now, of so many waiting requests.
    Take { requests: usize },
}

impl<O> Queue<O> {
    /// Waits for jobs and takes a worker's share of them, at most a full batch. `None` once the
    /// queue is closed and empty.
    ///
    /// Jobs whose client has hung up are dropped, and those whose deadline has passed are answered
    /// with that error, before they cost any work.
    pub(crate) async fn next_batch(&self) -> Option<Batch<O>> {
        // A worker that always finds a batch lets other tasks run all the same.
        let mut has_waited = false;
        loop {
            // Created before the state is read, so that no change after that is missed.
            let changed = self.changed.notified();
            match self.next_step() {
                NextStep::End => return None,
                NextStep::Wait => changed.await,
                NextStep::WaitForMore(time) => {
                    // The state is read again in either case.
                    let _ = timeout(time, changed).await;
                }
                NextStep::Take { requests } => {
                    if !has_waited || self.arrivals.are_likely(requests) {
                        self.let_requests_arrive().await;
                    }
                    return Some(self.take());
                }
            }
            has_waited = true;
        }
    }

    fn next_step(&self) -> NextStep {
        let state = self.lock();
        if state.requests.is_empty() {
            return if state.closed { NextStep::End } else { NextStep::Wait };
        }
        let take = NextStep::Take { requests: state.requests.len() };
        self.remaining_wait(&state).map_or(take, NextStep::WaitForMore)
    }

    /// How much longer the next batch may wait to become full; `None` if it is due.
    fn remaining_wait(&self, state: &State<O>) -> Option<Duration> {
        if self.limits.wait.is_zero() || state.closed || state.requests.inputs() >= self.cap() {
            return None;
        }
        let queued = state.requests.first().map(|job| job.queued).min()?;
        self.limits.wait.checked_sub(queued.elapsed()).filter(|rest| !rest.is_zero())
    }

    /// Yields, so that connections can read requests that have arrived, until no more are added or
    /// the batch is full.
    async fn let_requests_arrive(&self) {
        let first = self.lock().requests.inputs();
        yield_now().await;
        let mut before = 0;
        loop {
            let waiting = self.lock().requests.inputs();
            if waiting <= before || waiting >= self.cap() {
                // There are fewer where another worker was faster, as if many ask at once.
                self.arrivals.note(waiting != first);
                return;
            }
            before = waiting;
            yield_now().await;
        }
    }

    fn take(&self) -> Batch<O> {
        let mut state = self.lock();
        let now = Instant::now();
        let cap = self.cap();
        let (mut jobs, mut inputs, share) = (Vec::new(), 0, self.fair_share(&state, cap));
        while let Some(job) =
            state.requests.pop_if(|job| inputs == 0 || inputs + job.count() <= share)
        {
            // A client that has hung up has closed its reply: do no work for it.
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline <= now {
                // This fails if the client has hung up meanwhile, and needs no answer.
                let _ = job.reply.send(Err(JobError::DeadlineExceeded));
                continue;
            }
            inputs += job.count();
            jobs.push(job);
        }
        self.computing.fetch_add(inputs, Ordering::Relaxed);
        if !state.requests.is_empty() {
            // The rest is for another worker.
            self.changed.notify_one();
        }
        Batch { jobs, cap, inputs, computing: Arc::clone(&self.computing) }
    }

    /// The number of inputs in a worker's fair share: all inputs, waiting or being computed,
    /// divided by the number of workers. Taking everything would leave the other workers
    /// underfilled batches, and batches would stay unequal. A first job that is larger is taken all
    /// the same.
    fn fair_share(&self, state: &State<O>, cap: usize) -> usize {
        if !self.limits.wait.is_zero() {
            // With a timer, batches should be full.
            return cap;
        }
        let all = state.requests.inputs() + self.computing.load(Ordering::Relaxed);
        all.div_ceil(self.limits.workers.max(1)).min(cap)
    }

    /// Maximum number of inputs in a batch for now.
    fn cap(&self) -> usize {
        self.cap.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::engine::queue::{
        Limits,
        tests::{job, runtime},
    };

    fn two_workers(batch: usize, wait: Duration) -> Queue<()> {
        Queue::new(Limits { requests: 64, batch, wait, workers: 2 })
    }

    async fn next(queue: &Queue<()>) -> (usize, Batch<()>) {
        let batch = queue.next_batch().await.unwrap();
        (batch.jobs.iter().map(Job::count).sum(), batch)
    }

    /// With a largest batch of 32 and as many clients, one of two workers took up to all waiting
    /// jobs, and the other one those that came meanwhile: 8 on average, while halves are 13 and
    /// cost a tenth less.
    #[test]
    fn a_worker_leaves_the_others_their_share() {
        let queue = two_workers(32, Duration::ZERO);
        let mut replies = Vec::new();
        let mut push = |jobs: usize| {
            for _ in 0..jobs {
                let (job, reply) = job(1);
                queue.push(VecDeque::from([job])).unwrap();
                replies.push(reply);
            }
        };
        runtime().block_on(async {
            push(9);
            let (one, first) = next(&queue).await;
            // 5 are being computed, and 4 wait.
            let (other, second) = next(&queue).await;
            assert_eq!((one, other), (5, 4));
            push(12);
            drop(first);
            // 4 are being computed, and 12 wait: 8 each.
            let (one, first) = next(&queue).await;
            assert_eq!(one, 8);
            drop((first, second));
            assert_eq!(queue.computing.load(Ordering::Relaxed), 0);
            let (rest, _) = next(&queue).await;
            assert_eq!(rest, 2, "of 4 that wait, half");
        });
    }

    /// A worker yielded only once, and began with the few requests whose clients were quick.
    #[test]
    fn requests_are_read_as_long_as_there_are_more() {
        let queue = Arc::new(two_workers(16, Duration::ZERO));
        runtime().block_on(async {
            let clients = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move {
                    let mut replies = Vec::new();
                    for _ in 0..6 {
                        let (job, reply) = job(1);
                        queue.push(VecDeque::from([job])).unwrap();
                        replies.push(reply);
                        yield_now().await;
                    }
                    replies
                }
            });
            yield_now().await;
            assert_eq!(next(&queue).await.0, 3, "half of six");
            clients.await.unwrap();
        });
    }

    #[test]
    fn a_job_that_is_larger_than_a_share_is_taken_and_with_a_timer_a_full_batch() {
        let queue = two_workers(16, Duration::ZERO);
        let (large, _reply) = job(16);
        queue.push(VecDeque::from([large])).unwrap();
        assert_eq!(runtime().block_on(next(&queue)).0, 16);

        let queue = two_workers(4, Duration::from_mins(1));
        let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..4).map(|_| job(1)).unzip();
        queue.push(jobs).unwrap();
        assert_eq!(runtime().block_on(next(&queue)).0, 4);
    }

    /// A worker that was woken for one request took half of two, and no other worker was woken for
    /// the rest.
    #[test]
    fn another_worker_is_woken_for_the_jobs_that_are_left() {
        let queue = Arc::new(two_workers(4, Duration::ZERO));
        let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..2).map(|_| job(1)).unzip();
        runtime().block_on(async {
            queue.push(jobs).unwrap();
            let (one, _first) = next(&queue).await;
            assert_eq!(one, 1);
            let woken = timeout(Duration::from_secs(5), queue.changed.notified());
            assert!(woken.await.is_ok());
        });
    }
}
