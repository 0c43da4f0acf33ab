//! What a worker takes out of the queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::yield_now, time::timeout};

use super::{Job, JobError, Queue, State};

/// Jobs that are computed together. Their inputs count as computed until this is dropped.
#[derive(Debug)]
pub(crate) struct Batch<O> {
    /// The jobs; none where all that waited were needed no more, or another worker was faster.
    pub(crate) jobs: Vec<Job<O>>,
    inputs: usize,
    computing: Arc<AtomicUsize>,
}

impl<O> Drop for Batch<O> {
    fn drop(&mut self) {
        self.computing.fetch_sub(self.inputs, Ordering::Relaxed);
    }
}

/// What a worker that is free finds.
enum Outlook {
    /// Nothing, and nothing will come.
    Over,
    Nothing,
    /// Less than a full batch, which may wait for more.
    Early(Duration),
    /// What is to be taken.
    Batch,
}

impl<O> Queue<O> {
    /// Waits for jobs and takes a worker's share of them, as far as it fits into a batch; nothing when the queue is closed
    /// and empty.
    ///
    /// Jobs whose client has hung up are dropped, and those whose deadline has passed are answered so, before they
    /// cost any work.
    pub(crate) async fn next_batch(&self) -> Option<Batch<O>> {
        loop {
            // From here on: nothing that comes after the look is missed.
            let changed = self.changed.notified();
            match self.outlook() {
                Outlook::Over => return None,
                Outlook::Nothing => changed.await,
                Outlook::Early(patience) => {
                    // Whichever comes first, the queue is looked at again.
                    let _ = timeout(patience, changed).await;
                }
                Outlook::Batch => {
                    self.gather().await;
                    return Some(self.take());
                }
            }
        }
    }

    fn outlook(&self) -> Outlook {
        let state = self.lock();
        if state.requests.is_empty() {
            return if state.closed { Outlook::Over } else { Outlook::Nothing };
        }
        self.patience(&state).map_or(Outlook::Batch, Outlook::Early)
    }

    /// How much longer the batch in the making may wait to become full; nothing where it is to be taken now.
    fn patience(&self, state: &State<O>) -> Option<Duration> {
        if self.limits.wait.is_zero() || state.closed || state.inputs >= self.limits.batch {
            return None;
        }
        let first = state.requests.front()?.jobs.front()?;
        self.limits.wait.checked_sub(first.queued.elapsed()).filter(|rest| !rest.is_zero())
    }

    /// Lets requests be read that have come, as long as there are more of them, up to a full batch. Where there always is a
    /// batch, others have their turn meanwhile.
    async fn gather(&self) {
        yield_now().await;
        let mut before = 0;
        loop {
            let waiting = self.lock().inputs;
            if waiting <= before || waiting >= self.limits.batch {
                return;
            }
            before = waiting;
            yield_now().await;
        }
    }

    fn take(&self) -> Batch<O> {
        let mut state = self.lock();
        let now = Instant::now();
        let (mut jobs, mut inputs, share) = (Vec::new(), 0, self.share(&state));
        while let Some(job) = state.pop_if(|job| inputs == 0 || inputs + job.count() <= share) {
            // A client that has hung up has closed its reply: no work for it.
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline <= now {
                // The receiver may have gone meanwhile; then nobody needs the answer.
                let _ = job.reply.send(Err(JobError::DeadlineExceeded));
                continue;
            }
            inputs += job.count();
            jobs.push(job);
        }
        self.computing.fetch_add(inputs, Ordering::Relaxed);
        if !state.requests.is_empty() {
            // The others' share.
            self.changed.notify_one();
        }
        Batch { jobs, inputs, computing: Arc::clone(&self.computing) }
    }

    /// Inputs that a worker takes where its first job has no more: as many as the others have or will find. Who took all
    /// that waits would leave them with what few come meanwhile, and batches would stay as unequal.
    fn share(&self, state: &State<O>) -> usize {
        if !self.limits.wait.is_zero() {
            // It is full batches that were asked for.
            return self.limits.batch;
        }
        let all = state.inputs + self.computing.load(Ordering::Relaxed);
        all.div_ceil(self.limits.workers.max(1)).min(self.limits.batch)
    }
}

impl<O> State<O> {
    /// Takes the first request's next job, where it is `wanted`, and puts what is left of the request at the end.
    fn pop_if(&mut self, wanted: impl Fn(&Job<O>) -> bool) -> Option<Job<O>> {
        let request = self.requests.front_mut()?;
        let job = request.jobs.pop_front_if(|job| wanted(job))?;
        self.inputs -= job.count();
        if let Some(request) = self.requests.pop_front().filter(|request| !request.jobs.is_empty())
        {
            self.requests.push_back(request);
        }
        Some(job)
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
        (batch.jobs.iter().map(|job| job.count()).sum(), batch)
    }

    /// With a largest batch of 32 and as many clients, one of two workers took up to all that waited, and the other what
    /// came meanwhile: 8 in the mean, where halves are 13 and cost a tenth less.
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
            // 5 are computed, and 4 wait.
            let (other, second) = next(&queue).await;
            assert_eq!((one, other), (5, 4));
            push(12);
            drop(first);
            // 4 are computed, and 12 wait: 8 each.
            let (one, first) = next(&queue).await;
            assert_eq!(one, 8);
            drop((first, second));
            assert_eq!(queue.computing.load(Ordering::Relaxed), 0);
            let (rest, _) = next(&queue).await;
            assert_eq!(rest, 2, "of 4 that wait, half");
        });
    }

    /// A worker read once, and began with those few whose clients had been quick.
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
    fn a_job_that_is_larger_than_a_share_is_taken_and_a_full_batch_where_it_was_asked_for() {
        let queue = two_workers(16, Duration::ZERO);
        let (large, _reply) = job(16);
        queue.push(VecDeque::from([large])).unwrap();
        assert_eq!(runtime().block_on(next(&queue)).0, 16);

        let queue = two_workers(4, Duration::from_mins(1));
        let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..4).map(|_| job(1)).unzip();
        queue.push(jobs).unwrap();
        assert_eq!(runtime().block_on(next(&queue)).0, 4);
    }

    /// A worker that was told of one request took half of two, and nobody was told of the other.
    #[test]
    fn what_a_worker_leaves_is_told_to_another() {
        let queue = Arc::new(two_workers(4, Duration::ZERO));
        let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..2).map(|_| job(1)).unzip();
        runtime().block_on(async {
            queue.push(jobs).unwrap();
            let (one, _first) = next(&queue).await;
            assert_eq!(one, 1);
            let told = timeout(Duration::from_secs(5), queue.changed.notified());
            assert!(told.await.is_ok());
        });
    }
}
