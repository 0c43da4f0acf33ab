//! Workers with sessions that fail, panic, and do not come back.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::sleep,
};

use ndarray::ArrayD;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::timeout,
};

use super::*;
use crate::{
    engine::queue::{BatchSlice, Job, JobError, Limits},
    observability::metrics::{Metrics, ModelIdentity, ModelLabels},
};

const LONG: Duration = Duration::from_secs(20);

/// What a session does with an input of this value.
const PANIC: f32 = 1.0;
const FAIL: f32 = 2.0;
const HANG: f32 = 3.0;
const HANG_UNTIL_ASKED: f32 = 4.0;
const ANSWER: f32 = 5.0;

/// A session that does what its inputs say, and answers with the first of them.
struct Session {
    shared: Arc<Shared>,
    is_asked: Arc<AtomicBool>,
    is_on_cpu: bool,
}

struct Shared {
    opened: AtomicUsize,
    closed: AtomicUsize,
    opening_fails: AtomicBool,
    /// Ends the runs that hang, once its sender is dropped.
    hanging: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Asked(Arc<AtomicBool>);

impl Stop for Asked {
    fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn reset(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Compute for Session {
    type Outputs = f32;

    fn run(&mut self, inputs: ArrayViewD<'_, f32>, _detailed: bool) -> Result<f32, RuntimeError> {
        let failed = || RuntimeError::Run { reason: "as the test wants it".to_owned() };
        let value = *inputs.first().ok_or_else(failed)?;
        if self.is_asked.load(Ordering::SeqCst) || value == FAIL {
            return Err(failed());
        }
        assert!(value != PANIC, "as the test wants it");
        if value == HANG {
            // Both of its ends are errors.
            let _ = self.shared.hanging.lock().unwrap().recv();
        }
        if value == HANG_UNTIL_ASKED {
            while !self.is_asked.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1));
            }
            return Err(failed());
        }
        Ok(value)
    }

    fn stopper(&self) -> Arc<dyn Stop> {
        Arc::new(Asked(Arc::clone(&self.is_asked)))
    }

    fn is_on_cpu(&self) -> bool {
        self.is_on_cpu
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.closed.fetch_add(1, Ordering::SeqCst);
    }
}

type Reply = oneshot::Receiver<Result<BatchSlice<f32>, JobError>>;

/// A model with one worker, whose watchdog looks when the test says so.
struct Model {
    tasks: Runtime,
    shared: Arc<Shared>,
    /// Dropped, it ends what hangs.
    hang: Option<Sender<()>>,
    workers: Workers<f32>,
    watchdog: Watchdog<Session>,
    metrics: ModelMetrics,
}

impl Model {
    fn start(is_on_cpu: bool) -> Self {
        let tasks = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let (hang, hanging) = channel();
        let shared = Arc::new(Shared {
            opened: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            opening_fails: AtomicBool::new(false),
            hanging: Mutex::new(hanging),
        });
        let of_session = Arc::clone(&shared);
        let open = move |_| {
            if of_session.opening_fails.load(Ordering::SeqCst) {
                return Err(RuntimeError::Load { reason: "as the test wants it".to_owned() });
            }
            of_session.opened.fetch_add(1, Ordering::SeqCst);
            let (shared, is_asked) = (Arc::clone(&of_session), Arc::default());
            Ok(Session { shared, is_asked, is_on_cpu })
        };
        let metrics = Metrics::new().model(ModelIdentity {
            labels: ModelLabels { model: "a".to_owned(), version: "1".to_owned() },
            classes: Vec::new(),
            blocks: Vec::new(),
            requested: "cpu".to_owned(),
            actual: "CPUExecutionProvider",
        });
        let limits = Limits { requests: 64, batch: 1, wait: Duration::ZERO, workers: 1 };
        let queue = Arc::new(Queue::new(limits));
        let entered = tasks.enter();
        let cap = Arc::new(Cap::fixed(1));
        let context = WorkerContext::new("a", Arc::new(open), queue, cap, metrics.clone());
        let watchdog = Workers::start_unwatched(&context, 1, None).unwrap();
        let workers = Workers { crew: Arc::clone(&context.crew), count: 1 };
        drop(entered);
        Self { tasks, shared, hang: Some(hang), workers, watchdog, metrics }
    }

    fn push(&self, value: f32) -> Reply {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            values: Arc::new(ArrayD::from_elem([1, 1].as_slice(), value)),
            rows: 0..1,
            detailed: false,
            queued: Instant::now(),
            deadline: Instant::now() + LONG,
            reply,
        };
        self.workers.crew.queue.push([job].into()).unwrap();
        answer
    }

    /// The answer: a value, a failure, or nothing (`None`) if the reply was dropped.
    fn answer(&self, reply: Reply) -> Option<Result<f32, JobError>> {
        let answer = self.tasks.block_on(async { timeout(LONG, reply).await.unwrap() });
        Some(answer.ok()?.map(|slice| *slice.outputs))
    }

    /// Lets the watchdog look as often as within this time.
    fn watch(&mut self, time: Duration) {
        for _ in 0..=time.as_secs() {
            self.watchdog.look();
        }
    }

    fn ask(&self, value: f32) -> Option<Result<f32, JobError>> {
        self.answer(self.push(value))
    }
}

/// Waits until something is so.
fn eventually(what: &str, check: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !check() {
        assert!(Instant::now() < end, "not so in time: {what}");
        sleep(Duration::from_millis(2));
    }
}

/// Waits until the worker has begun its batch.
fn has_begun(model: &Model) {
    eventually("the batch is begun", || model.workers.crew.queue.depth() == 0);
    // It is taken from the queue before it is begun.
    sleep(Duration::from_millis(50));
}

#[test]
fn a_worker_goes_on_after_an_error_and_after_a_panic() {
    let model = Model::start(true);
    assert_eq!(model.ask(FAIL), Some(Err(JobError::Failed)));
    assert_eq!(model.ask(ANSWER), Some(Ok(ANSWER)));
    assert_eq!(model.shared.opened.load(Ordering::SeqCst), 1);
    assert_eq!(model.ask(PANIC), None);
    assert_eq!(model.ask(ANSWER), Some(Ok(ANSWER)));
    assert_eq!(model.shared.opened.load(Ordering::SeqCst), 2);
    assert_eq!(model.metrics.restarts_after_panic.get(), 1);
    assert!(model.workers.all_running());
}

/// A batch that did not end kept its requests, and every later one of its model, without an answer.
#[test]
fn a_worker_that_hangs_is_replaced_and_its_requests_are_answered() {
    for is_on_cpu in [true, false] {
        let mut model = Model::start(is_on_cpu);
        assert_eq!(model.ask(ANSWER), Some(Ok(ANSWER)));
        let stuck = model.push(HANG);
        has_begun(&model);
        let waiting = model.push(ANSWER);
        model.watch(Duration::from_secs(9));
        assert!(!stuck.is_terminated() && model.shared.opened.load(Ordering::SeqCst) == 1);
        model.watch(Duration::from_secs(5));
        assert_eq!(model.answer(stuck), None);
        assert_eq!(model.answer(waiting), Some(Ok(ANSWER)));
        assert_eq!(model.metrics.restarts_after_hang.get(), 1);
        // A thread of the connections is lost if it computed a batch that is usually short.
        assert_eq!(model.workers.all_running(), !is_on_cpu);
        // The stuck thread ends if the batch ever does, and answers nothing.
        drop(model.hang.take());
        eventually("it came back", || model.shared.closed.load(Ordering::SeqCst) == 1);
        eventually("all are well", || model.workers.all_running());
        assert_eq!(model.ask(ANSWER), Some(Ok(ANSWER)));
    }
}

#[test]
fn a_batch_that_ends_when_it_is_asked_to_costs_no_thread() {
    let mut model = Model::start(true);
    let slow = model.push(HANG_UNTIL_ASKED);
    has_begun(&model);
    model.watch(Duration::from_secs(10));
    assert_eq!(model.answer(slow), Some(Err(JobError::Failed)));
    assert_eq!(model.ask(ANSWER), Some(Ok(ANSWER)), "the next batch is not asked to end");
    assert_eq!(model.shared.opened.load(Ordering::SeqCst), 1);
}

#[test]
fn as_many_threads_as_may_be_stuck_are_replaced_and_then_the_model_is_unwell() {
    let mut model = Model::start(false);
    for stuck in 1..=5 {
        let reply = model.push(HANG);
        has_begun(&model);
        model.watch(Duration::from_secs(14));
        assert_eq!(model.answer(reply), None);
        if stuck <= 4 {
            let opened = || model.shared.opened.load(Ordering::SeqCst) == 1 + stuck;
            eventually("a session is opened", opened);
            assert!(model.workers.all_running(), "{stuck} are stuck");
        }
    }
    assert!(!model.workers.all_running());
    assert!(model.workers.crew.queue.is_closed(), "no request waits for a worker in vain");
    drop(model.hang.take());
}

#[test]
fn a_model_whose_session_cannot_be_opened_again_is_unwell() {
    let mut model = Model::start(false);
    model.shared.opening_fails.store(true, Ordering::SeqCst);
    let stuck = model.push(HANG);
    has_begun(&model);
    model.watch(Duration::from_secs(14));
    assert_eq!(model.answer(stuck), None);
    eventually("it is unwell", || !model.workers.all_running());
    drop(model.hang.take());
}

/// The process did not end: it waited for the worker.
#[test]
fn the_end_does_not_wait_for_a_worker_that_hangs() {
    let mut model = Model::start(false);
    let _stuck = model.push(HANG);
    has_begun(&model);
    model.workers.crew.queue.abandon();
    let started = Instant::now();
    model.workers.join(started + Duration::from_millis(100));
    assert!(started.elapsed() < LONG && !model.workers.have_ended());
    // The watchdog gives it up, too, and replaces nobody.
    model.watch(Duration::from_secs(14));
    assert!(model.workers.have_ended());
    assert_eq!(model.shared.opened.load(Ordering::SeqCst), 1);
    drop(model.hang.take());
}
