//! The queue in front of a model's workers. It knows nothing of what they compute.
//!
//! A worker that is free takes what waits, up to the largest batch. There is no timer by default: the time in which
//! all workers are busy is what fills the next batch, and a lone request never waits.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Some inputs of one request that a worker answers at once.
#[derive(Debug)]
pub struct Job<O> {
    /// The request's prepared inputs, one after the other; its jobs share them.
    pub values: Arc<Vec<f32>>,
    /// Where this job's inputs are among them.
    pub range: Range<usize>,
    /// Number of inputs.
    pub count: usize,
    /// Whether the client wants the share of zeroed features, which costs a larger graph.
    pub zeroed: bool,
    /// When it was queued.
    pub queued: Instant,
    /// When its answer is worthless.
    pub deadline: Instant,
    /// Where the answer goes; closed when the client has hung up.
    pub reply: oneshot::Sender<Result<Share<O>, JobError>>,
}

impl<O> Job<O> {
    /// The prepared inputs.
    pub fn inputs(&self) -> &[f32] {
        &self.values[self.range.clone()]
    }
}

/// One job's part of a batch's outputs.
#[derive(Debug)]
pub struct Share<O> {
    /// Outputs of the whole batch.
    pub outputs: Arc<O>,
    /// The job's first row in them.
    pub first: usize,
    /// The job's rows.
    pub count: usize,
    /// From queued to taken.
    pub queue_time: Duration,
    /// What the batch took.
    pub inference_time: Duration,
    /// Inputs in the batch.
    pub batch_size: usize,
}

/// Why a job was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobError {
    /// Its deadline passed while it waited.
    DeadlineExceeded,
    /// The runtime failed.
    Failed,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// As many requests wait as may.
    Full,
    /// The queue takes no more.
    Closed,
}

/// Limits of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests that may wait.
    pub requests: usize,
    /// Inputs in a batch.
    pub batch: usize,
    /// How long a batch that is not full waits for more, from its first job on.
    pub wait: Duration,
}

/// A bounded queue of requests. Each batch takes one job of each request in turn, so that a request with one input
/// does not wait for all of one with thousands.
#[derive(Debug)]
pub struct Queue<O> {
    limits: Limits,
    state: Mutex<State<O>>,
    /// Told when jobs come and when the queue is closed.
    changed: Condvar,
}

#[derive(Debug)]
struct State<O> {
    /// The jobs of each request that waits; none of these lists is empty.
    requests: VecDeque<VecDeque<Job<O>>>,
    /// Inputs of all jobs.
    inputs: usize,
    closed: bool,
}

impl<O> Queue<O> {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State { requests: VecDeque::new(), inputs: 0, closed: false }),
            changed: Condvar::new(),
        }
    }

    /// Inputs that a batch may have; a job may not have more.
    pub fn max_batch(&self) -> usize {
        self.limits.batch
    }

    /// Requests that wait.
    pub fn depth(&self) -> usize {
        self.lock().requests.len()
    }

    /// Queues the jobs of one request.
    ///
    /// # Errors
    /// [`PushError`] where as many requests wait as may, or the queue is closed.
    pub fn push(&self, jobs: VecDeque<Job<O>>) -> Result<(), PushError> {
        debug_assert!(jobs.iter().all(|job| job.count <= self.limits.batch));
        if jobs.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.requests.len() >= self.limits.requests {
            state.forget_abandoned();
        }
        if state.requests.len() >= self.limits.requests {
            return Err(PushError::Full);
        }
        state.inputs += jobs.iter().map(|job| job.count).sum::<usize>();
        let several = jobs.len() > 1;
        state.requests.push_back(jobs);
        drop(state);
        if several {
            self.changed.notify_all();
        } else {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes as many as fit into a batch; nothing when the queue is closed and empty.
    ///
    /// Jobs whose client has hung up are dropped, and those whose deadline has passed are answered so, before they
    /// cost any work. The batch can be empty after that.
    pub fn next_batch(&self) -> Option<Vec<Job<O>>> {
        let mut state = self.lock();
        loop {
            if state.requests.is_empty() {
                if state.closed {
                    return None;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let Some(patience) = self.patience(&state) else {
                break;
            };
            state = self
                .changed
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Some(self.take(&mut state))
    }

    /// Takes no more jobs; those that wait are still answered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes no more jobs, and drops those that wait.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
        state.inputs = 0;
        drop(state);
        self.changed.notify_all();
    }

    /// How much longer the batch in the making may wait to become full; nothing where it is to be taken now.
    fn patience(&self, state: &State<O>) -> Option<Duration> {
        if self.limits.wait.is_zero() || state.closed || state.inputs >= self.limits.batch {
            return None;
        }
        let first = state.requests.front()?.front()?;
        self.limits.wait.checked_sub(first.queued.elapsed()).filter(|rest| !rest.is_zero())
    }

    fn take(&self, state: &mut State<O>) -> Vec<Job<O>> {
        let now = Instant::now();
        let mut batch = Vec::new();
        let mut room = self.limits.batch;
        while let Some(job) = state.pop_if(|job| job.count <= room) {
            // A client that has hung up has closed its reply: no work for it.
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline <= now {
                // The receiver may have gone meanwhile; then nobody needs the answer.
                let _ = job.reply.send(Err(JobError::DeadlineExceeded));
                continue;
            }
            room -= job.count;
            batch.push(job);
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> State<O> {
    /// Takes the first request's next job, where it is `wanted`, and puts what is left of the request at the end.
    fn pop_if(&mut self, wanted: impl Fn(&Job<O>) -> bool) -> Option<Job<O>> {
        let request = self.requests.front_mut()?;
        let job = request.pop_front_if(|job| wanted(job))?;
        self.inputs -= job.count;
        if let Some(request) = self.requests.pop_front().filter(|request| !request.is_empty()) {
            self.requests.push_back(request);
        }
        Some(job)
    }

    /// Gives the places of clients that have hung up to others.
    fn forget_abandoned(&mut self) {
        self.requests.retain(|jobs| jobs.iter().any(|job| !job.reply.is_closed()));
        self.inputs = self.requests.iter().flatten().map(|job| job.count).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reply = oneshot::Receiver<Result<Share<()>, JobError>>;

    fn job(count: usize) -> (Job<()>, Reply) {
        let (reply, receiver) = oneshot::channel();
        let job = Job {
            values: Arc::new(vec![0.0; count]),
            range: 0..count,
            count,
            zeroed: false,
            queued: Instant::now(),
            deadline: Instant::now() + Duration::from_mins(1),
            reply,
        };
        (job, receiver)
    }

    fn queue(requests: usize, batch: usize, wait: Duration) -> Queue<()> {
        Queue::new(Limits { requests, batch, wait })
    }

    fn sizes(batch: Option<Vec<Job<()>>>) -> Option<Vec<usize>> {
        batch.map(|jobs| jobs.iter().map(|job| job.count).collect())
    }

    #[test]
    fn what_waits_becomes_one_batch_up_to_the_largest() {
        let queue = queue(8, 4, Duration::ZERO);
        let replies: Vec<Reply> = [1, 2, 2, 1]
            .map(|count| {
                let (job, reply) = job(count);
                assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
                reply
            })
            .into();
        assert_eq!(sizes(queue.next_batch()), Some(vec![1, 2]));
        assert_eq!(sizes(queue.next_batch()), Some(vec![2, 1]));
        drop(replies);
    }

    #[test]
    fn a_lone_job_is_taken_at_once_without_a_timer() {
        let queue = queue(8, 4, Duration::ZERO);
        let (job, _reply) = job(1);
        let before = Instant::now();
        assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        assert!(before.elapsed() < Duration::from_millis(100));
    }

    #[test]
    fn with_a_timer_a_lone_job_waits_no_longer_than_that() {
        let queue = queue(8, 4, Duration::from_millis(30));
        let (job, _reply) = job(1);
        let before = Instant::now();
        assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        let waited = before.elapsed();
        assert!(
            waited >= Duration::from_millis(30) && waited < Duration::from_secs(5),
            "{waited:?}"
        );
    }

    #[test]
    fn with_a_timer_a_full_batch_does_not_wait() {
        let queue = queue(8, 2, Duration::from_mins(1));
        let (first, _first_reply) = job(1);
        let (second, _second_reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
        assert_eq!(queue.push(VecDeque::from([second])), Ok(()));
        let before = Instant::now();
        assert_eq!(sizes(queue.next_batch()), Some(vec![1, 1]));
        assert!(before.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
        let queue = queue(1, 4, Duration::ZERO);
        let (first, _first_reply) = job(1);
        let (second, _second_reply) = job(1);
        let (third, _third_reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
        assert_eq!(queue.push(VecDeque::from([second])), Err(PushError::Full));
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        assert_eq!(queue.push(VecDeque::from([third])), Ok(()));
        assert_eq!(queue.depth(), 1);
    }

    #[test]
    fn a_request_of_many_jobs_waits_as_one() {
        let queue = queue(1, 2, Duration::ZERO);
        let (first, _first_reply) = job(2);
        let (second, _second_reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([first, second])), Ok(()));
        assert_eq!(sizes(queue.next_batch()), Some(vec![2]));
        assert_eq!(queue.depth(), 1);
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_job_whose_client_has_hung_up_costs_no_work() {
        let queue = queue(8, 4, Duration::ZERO);
        let (gone, reply) = job(1);
        drop(reply);
        let (here, _reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([gone])), Ok(()));
        assert_eq!(queue.push(VecDeque::from([here])), Ok(()));
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_job_past_its_deadline_is_answered_so() {
        let queue = queue(8, 4, Duration::ZERO);
        let (mut late, mut reply) = job(1);
        late.deadline = Instant::now();
        assert_eq!(queue.push(VecDeque::from([late])), Ok(()));
        assert_eq!(sizes(queue.next_batch()), Some(vec![]));
        assert!(matches!(reply.try_recv(), Ok(Err(JobError::DeadlineExceeded))));
    }

    #[test]
    fn a_closed_queue_answers_what_waits_and_takes_no_more() {
        let queue = queue(8, 4, Duration::ZERO);
        let (first, _first_reply) = job(1);
        let (second, _second_reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
        queue.close();
        assert_eq!(queue.push(VecDeque::from([second])), Err(PushError::Closed));
        assert_eq!(sizes(queue.next_batch()), Some(vec![1]));
        assert_eq!(sizes(queue.next_batch()), None);
    }

    #[test]
    fn requests_with_many_inputs_and_with_one_are_served_in_turn() {
        let queue = queue(8, 2, Duration::ZERO);
        let (large, _replies): (VecDeque<_>, Vec<_>) = [2, 2, 2].map(job).into_iter().unzip();
        assert_eq!(queue.push(large), Ok(()));
        let (small, _reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([small])), Ok(()));
        let order: Vec<_> = (0..4).map(|_| sizes(queue.next_batch())).collect();
        assert_eq!(order, [Some(vec![2]), Some(vec![1]), Some(vec![2]), Some(vec![2])]);
    }

    #[test]
    fn clients_that_have_hung_up_give_their_places_to_others() {
        let queue = queue(1, 4, Duration::ZERO);
        let (gone, reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([gone])), Ok(()));
        drop(reply);
        let (here, _reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([here])), Ok(()));
        assert_eq!(queue.depth(), 1);
    }

    #[test]
    fn an_abandoned_queue_drops_what_waits() {
        let queue = queue(8, 4, Duration::ZERO);
        let (waiting, mut reply) = job(1);
        assert_eq!(queue.push(VecDeque::from([waiting])), Ok(()));
        queue.abandon();
        assert_eq!(sizes(queue.next_batch()), None);
        assert!(matches!(reply.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }
}
