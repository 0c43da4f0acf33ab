//! What clients do, and what each accepted job may get for an answer. Each input is a number of its
//! own, and outputs are the inputs, so an answer shows whose it is.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use ndarray::ArrayD;
use tokio::sync::oneshot;

use super::super::post::Post;
use crate::engine::queue::{BatchSlice, Job, JobError, Queue, StreamId};

/// What a client does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// Queues a request with jobs of so many inputs.
    Push(&'static [usize]),
    /// The same, past its deadline.
    PushLate(&'static [usize]),
    /// Begins a stream.
    Admit,
    /// Queues a job of the stream, which has its place.
    PushFor(usize),
    /// Queues a job of the stream if there is room.
    Offer(usize),
    /// Hangs up on the accepted job with this number.
    Cancel(usize),
    /// Accepts no more; what waits is answered.
    Close,
    /// Accepts no more, and drops what waits.
    Abandon,
    /// The next batch panics.
    Panic,
    /// The next batch fails.
    Fail,
    /// The watchdog gives up every worker that computes.
    GiveUp,
    /// Changes the largest batch.
    Cap(usize),
}

type Reply = oneshot::Receiver<Result<BatchSlice<Vec<f32>>, JobError>>;

/// A job, as its client knows it.
struct Asked {
    /// `None` once the client has hung up.
    reply: Option<Reply>,
    inputs: Vec<f32>,
    is_late: bool,
}

/// Inputs, by the bits of their numbers.
type Inputs = RefCell<HashSet<u32>>;

/// One run of a program.
pub(super) struct Model {
    pub(super) queue: Arc<Queue<Vec<f32>>>,
    /// Whether the next batch panics, or fails.
    pub(super) panics: Cell<bool>,
    pub(super) fails: Cell<bool>,
    posts: Vec<Arc<Post<Vec<f32>>>>,
    accepted: RefCell<Vec<Asked>>,
    stream: Cell<Option<StreamId>>,
    /// The number of inputs so far.
    count: Cell<usize>,
    begun: Inputs,
    /// Inputs whose reply may be dropped, or be a failure.
    droppable: Inputs,
    fallible: Inputs,
}

impl Model {
    pub(super) fn new(queue: Arc<Queue<Vec<f32>>>, posts: Vec<Arc<Post<Vec<f32>>>>) -> Self {
        Self {
            queue,
            panics: Cell::default(),
            fails: Cell::default(),
            posts,
            accepted: RefCell::default(),
            stream: Cell::default(),
            count: Cell::default(),
            begun: RefCell::default(),
            droppable: RefCell::default(),
            fallible: RefCell::default(),
        }
    }

    /// A worker begins to compute these inputs.
    pub(super) fn begins(&self, inputs: &[f32]) {
        for input in inputs {
            assert!(self.begun.borrow_mut().insert(input.to_bits()), "{input} is computed twice");
        }
    }

    pub(super) fn may_drop(&self, inputs: &[f32]) {
        self.droppable.borrow_mut().extend(inputs.iter().map(|input| input.to_bits()));
    }

    pub(super) fn may_fail(&self, inputs: &[f32]) {
        self.fallible.borrow_mut().extend(inputs.iter().map(|input| input.to_bits()));
    }

    /// Whether no more requests wait than may. A stream has a place of its own.
    pub(super) fn is_bounded(&self, requests: usize) -> bool {
        self.queue.depth() <= requests + usize::from(self.stream.get().is_some())
    }

    pub(super) fn act(&self, op: Op) {
        match op {
            Op::Push(jobs) => self.push(jobs, false),
            Op::PushLate(jobs) => self.push(jobs, true),
            Op::Admit => self.stream.set(self.queue.admit().ok()),
            Op::PushFor(count) => {
                if let Some(stream) = self.stream.get() {
                    let (job, asked) = self.job(count, false);
                    self.note(self.queue.push_for(stream, job).is_ok(), [asked]);
                }
            }
            Op::Offer(count) => {
                if let Some(stream) = self.stream.get() {
                    let (job, asked) = self.job(count, false);
                    self.note(self.queue.offer(stream, job).is_ok(), [asked]);
                }
            }
            Op::Cancel(number) => {
                if let Some(asked) = self.accepted.borrow_mut().get_mut(number) {
                    asked.reply = None;
                }
            }
            Op::Close => self.queue.close(),
            Op::Abandon => {
                self.waiting_may_drop();
                self.queue.abandon();
            }
            Op::Panic => self.panics.set(true),
            Op::Fail => self.fails.set(true),
            Op::GiveUp => self.give_up(),
            Op::Cap(inputs) => self.queue.set_cap(inputs),
        }
    }

    fn push(&self, jobs: &[usize], is_late: bool) {
        let (jobs, asked): (_, Vec<_>) = jobs.iter().map(|&n| self.job(n, is_late)).unzip();
        self.note(self.queue.push(jobs).is_ok(), asked);
    }

    fn job(&self, count: usize, is_late: bool) -> (Job<Vec<f32>>, Asked) {
        let first = self.count.replace(self.count.get() + count);
        let inputs: Vec<f32> = (first..first + count).map(|input| input as f32).collect();
        let (reply, answer) = oneshot::channel();
        let queued = Instant::now();
        let deadline = if is_late { queued } else { queued + Duration::from_mins(10) };
        let values = ArrayD::from_shape_vec([count, 1].as_slice(), inputs.clone()).unwrap();
        let values = Arc::new(values);
        let job = Job { values, rows: 0..count, detailed: false, queued, deadline, reply };
        (job, Asked { reply: Some(answer), inputs, is_late })
    }

    fn note(&self, is_accepted: bool, asked: impl IntoIterator<Item = Asked>) {
        if is_accepted {
            self.accepted.borrow_mut().extend(asked);
        }
    }

    fn waiting_may_drop(&self) {
        for asked in &*self.accepted.borrow() {
            if !asked.inputs.iter().any(|input| self.begun.borrow().contains(&input.to_bits())) {
                self.may_drop(&asked.inputs);
            }
        }
    }

    fn give_up(&self) {
        for post in &self.posts {
            let Some(relieved) = (0..30).find_map(|_| post.tick()) else { continue };
            for job in relieved.work.batch.iter().flat_map(|batch| &batch.jobs) {
                self.may_drop(&job.inputs().iter().copied().collect::<Vec<_>>());
            }
            // If this was the last worker, the queue is abandoned.
            self.waiting_may_drop();
            drop(relieved);
        }
    }

    /// Checks the end, when every task has ended or waits.
    pub(super) fn check(&self, run: &dyn Fn() -> String) {
        assert!(self.queue.is_idle(), "something is left behind: {}", run());
        for asked in self.accepted.take() {
            let Asked { reply, inputs, is_late } = asked;
            let is_one_of = |set: &Inputs| set.borrow().contains(&inputs[0].to_bits());
            let was_begun = is_one_of(&self.begun);
            assert!(!(is_late && was_begun), "{inputs:?} was computed too late: {}", run());
            let Some(mut reply) = reply else { continue };
            let is_right = match reply.try_recv() {
                Ok(Ok(slice)) => slice.outputs[slice.rows.clone()] == inputs && was_begun,
                Ok(Err(JobError::DeadlineExceeded)) => is_late,
                Ok(Err(JobError::Failed)) => is_one_of(&self.fallible),
                Err(oneshot::error::TryRecvError::Closed) => is_one_of(&self.droppable),
                Err(oneshot::error::TryRecvError::Empty) => false,
            };
            assert!(is_right, "{inputs:?} got a wrong answer or none: {}", run());
        }
    }
}
