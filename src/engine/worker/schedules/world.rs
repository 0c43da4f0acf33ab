//! A model with real queue, posts and workers, whose tasks take turns as a schedule says.
//!
//! A task is run up to its next `await`, and only if it was woken: a worker that nobody wakes for a
//! waiting job leaves that job without an answer, and the run fails.

use std::{
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use drsn_bundle::runtime::RuntimeError;
use ndarray::ArrayViewD;
use tokio::runtime::Runtime;

pub(super) use super::ledger::Op;
use super::{
    super::{
        Compute, Stop, WorkerContext,
        crew::Crew,
        post::Post,
        task::{End, Worker},
    },
    explore::Schedule,
    ledger::Model,
};
use crate::{
    engine::{
        cap::Cap,
        queue::{Job, Limits, Queue},
    },
    observability::metrics::{Metrics, ModelIdentity, ModelLabels, ModelMetrics},
};

/// Clients, and how many workers answer them.
#[derive(Debug)]
pub(super) struct Program {
    /// Most waiting requests.
    pub(super) requests: usize,
    /// Most inputs in a batch.
    pub(super) batch: usize,
    pub(super) workers: usize,
    /// What one client does, and what another one does.
    pub(super) ops: &'static [Op],
    pub(super) others: &'static [Op],
}

/// What all runs share.
pub(super) struct World {
    tasks: Runtime,
    metrics: ModelMetrics,
}

/// A session that returns its inputs.
pub(super) struct Echo;

#[derive(Debug)]
struct Unstoppable;

impl Stop for Unstoppable {
    fn stop(&self) {}

    fn reset(&self) {}
}

impl Compute for Echo {
    type Outputs = Vec<f32>;

    fn run(
        &mut self,
        inputs: ArrayViewD<'_, f32>,
        _detailed: bool,
    ) -> Result<Vec<f32>, RuntimeError> {
        Ok(inputs.iter().copied().collect())
    }

    fn stopper(&self) -> Arc<dyn Stop> {
        Arc::new(Unstoppable)
    }

    fn is_on_cpu(&self) -> bool {
        true
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Task = (Pin<Box<dyn Future<Output = ()>>>, Arc<Woken>);

impl World {
    pub(super) fn new() -> Self {
        let metrics = Metrics::new().model(ModelIdentity {
            labels: ModelLabels { model: "a".to_owned(), version: "1".to_owned() },
            classes: Vec::new(),
            blocks: Vec::new(),
            requested: "cpu".to_owned(),
            actual: "CPUExecutionProvider",
        });
        let tasks = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { tasks, metrics }
    }

    /// Runs a program in the order of the schedule, and checks its claims.
    pub(super) fn run(&self, program: &Program, schedule: &mut Schedule) {
        let &Program { requests, batch, workers, ops, others } = program;
        let limits = Limits { requests, batch, wait: Duration::ZERO, workers };
        let queue = Arc::new(Queue::new(limits));
        let context = WorkerContext {
            name: "a".into(),
            open: Arc::new(|_| Ok(Echo)),
            crew: Crew::new(Arc::clone(&queue), || ()),
            cap: Arc::new(Cap::fixed(batch)),
            metrics: self.metrics.clone(),
            tasks: self.tasks.handle().clone(),
        };
        let posts: Vec<_> =
            (0..workers).map(|_| Post::new(context.crew.join(), Duration::ZERO)).collect();
        let model = Rc::new(Model::new(queue, posts.clone()));
        let mut tasks: Vec<Task> = Vec::new();
        for post in posts {
            let worker = Worker::new(Echo, context.clone(), Arc::clone(&post));
            tasks.push(task(work(Rc::clone(&model), worker, post)));
        }
        for ops in [ops, others].into_iter().filter(|ops| !ops.is_empty()) {
            tasks.push(task(act(Rc::clone(&model), ops)));
        }
        while let Some(index) = choose(&tasks, schedule) {
            let (future, woken) = &mut tasks[index];
            woken.0.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(woken));
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                drop(tasks.remove(index));
            }
            assert!(model.is_bounded(requests), "{program:?}, order {:?}", schedule.taken());
        }
        let is_right = !model.queue.is_closed() || context.crew.wait_ended(Duration::ZERO);
        let order = schedule.taken();
        assert!(is_right, "a worker waits at a closed queue: {program:?}, order {order:?}");
        model.check(&|| format!("{program:?}, order {:?}", schedule.taken()));
    }
}

fn task(future: impl Future<Output = ()> + 'static) -> Task {
    (Box::pin(future), Arc::new(Woken(AtomicBool::new(true))))
}

/// The position of a task that was woken; `None` if there is none.
fn choose(tasks: &[Task], schedule: &mut Schedule) -> Option<usize> {
    let ready = tasks.iter().enumerate().filter(|(_, (_, woken))| woken.0.load(Ordering::SeqCst));
    let ready: Vec<usize> = ready.map(|(position, _)| position).collect();
    match ready.len() {
        0 => None,
        1 => Some(ready[0]),
        several => Some(ready[schedule.choose(several)]),
    }
}

/// Lets other tasks run, once.
async fn pause() {
    let mut is_over = false;
    let wait = std::future::poll_fn(|context| {
        if is_over {
            return Poll::Ready(());
        }
        is_over = true;
        context.waker().wake_by_ref();
        Poll::Pending
    });
    wait.await;
}

/// A worker, whose batches take some time.
async fn work(model: Rc<Model>, mut worker: Worker<Echo>, post: Arc<Post<Vec<f32>>>) {
    while let Some(batch) = model.queue.next_batch().await {
        if batch.jobs.is_empty() {
            continue;
        }
        let sizes: Vec<usize> = batch.jobs.iter().map(Job::count).collect();
        assert!(sizes.len() == 1 || sizes.iter().sum::<usize>() <= batch.cap, "{sizes:?}");
        let inputs: Vec<f32> = batch.jobs.iter().flat_map(|job| job.inputs().to_owned()).collect();
        model.begins(&inputs);
        let run = worker.begin(batch, false);
        pause().await;
        if model.panics.replace(false) {
            model.may_drop(&inputs);
            if post.end().is_none() {
                return;
            }
            continue;
        }
        let mut outputs = worker.compute(&run);
        if model.fails.replace(false) {
            model.may_fail(&inputs);
            outputs = Err(RuntimeError::Run { reason: "as the test wants it".to_owned() });
        }
        if worker.finish(run, outputs) == End::TakenOff {
            return;
        }
    }
    post.leave();
}

/// A client.
async fn act(model: Rc<Model>, ops: &'static [Op]) {
    for (number, &op) in ops.iter().enumerate() {
        if number > 0 {
            pause().await;
        }
        model.act(op);
    }
}
