//! The threads that answer batches. Each owns a session; nothing is shared between them but the queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Runtime, RuntimeError},
};

use crate::{
    batcher::{Job, JobError, Queue, Share},
    metrics::ModelMetrics,
    session::{ModelSession, Outputs},
};

/// What every worker of a model needs.
#[derive(Debug, Clone)]
pub struct Work {
    /// The loaded library.
    pub runtime: Runtime,
    /// The model.
    pub bundle: Arc<Bundle>,
    /// Where it computes.
    pub provider: Provider,
    /// Where jobs come from.
    pub queue: Arc<Queue<Outputs>>,
    /// Where durations go.
    pub metrics: ModelMetrics,
}

/// A worker's word, given once: whether it has a session that answers.
type Started = Result<(), RuntimeError>;

/// The workers of a model; they end when its queue is closed and empty.
#[derive(Debug)]
pub struct Workers {
    alive: Arc<AtomicUsize>,
    wanted: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Starts `count` threads, and returns when each has a session that gave the golden outputs and is warm. The first
    /// one takes the session that is given, if one is.
    ///
    /// # Errors
    /// [`RuntimeError`] of the first worker that could not start; the others have ended then.
    pub fn start(
        work: &Work,
        count: usize,
        mut session: Option<ModelSession>,
    ) -> Result<Self, RuntimeError> {
        let alive = Arc::new(AtomicUsize::new(0));
        let (ready, readiness) = mpsc::channel();
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (work, alive, ready) = (work.clone(), Arc::clone(&alive), ready.clone());
            let session = session.take();
            let thread = thread::Builder::new()
                .name(format!("{}-{number}", work.bundle.manifest.name))
                .spawn(move || {
                    run(&work, session, &alive, ready);
                    drop(work);
                    if alive.load(Ordering::Relaxed) == 0 {
                        crate::memory::return_freed();
                    }
                });
            // A thread that the system refuses gives no word, like one that panics.
            threads.extend(thread.ok());
        }
        drop(ready);
        let workers = Self { alive, wanted: count, threads: Mutex::new(threads) };
        let started = all_started(&readiness, count);
        if started.is_err() {
            work.queue.close();
            workers.join();
        }
        started.map(|()| workers)
    }

    /// Whether every worker lives.
    pub fn all_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == self.wanted
    }

    /// Whether every worker has ended and given back its session.
    pub fn have_ended(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == 0
    }

    /// Waits for the workers to end, as they do when the queue is closed.
    pub fn join(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A worker that panicked has said so in the log.
            let _ = thread.join();
        }
    }
}

/// Waits for the word of `count` workers. A worker drops its sender with its word, so that those that wait for the
/// next word learn when none can come any more.
fn all_started(words: &Receiver<Started>, count: usize) -> Started {
    for _ in 0..count {
        words.recv().unwrap_or_else(|_| {
            Err(RuntimeError::Load { reason: "a worker ended while it started".to_owned() })
        })?;
    }
    Ok(())
}

/// A worker's life.
fn run(work: &Work, session: Option<ModelSession>, alive: &AtomicUsize, ready: Sender<Started>) {
    let opened = session.map_or_else(|| new_session(work), Ok);
    match opened.and_then(|session| warm(session, work)) {
        Ok(session) => {
            let _alive = Alive::new(alive, &work.queue);
            // Nobody listens when another worker failed; the queue is closed then.
            let _ = ready.send(Ok(()));
            drop(ready);
            answer_batches(session, work);
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    }
}

/// A worker that lives. The last one that ends, however it ends, leaves no queue that nobody serves.
struct Alive<'a> {
    count: &'a AtomicUsize,
    queue: &'a Queue<Outputs>,
}

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize, queue: &'a Queue<Outputs>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count, queue }
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.queue.abandon();
        }
    }
}

fn new_session(work: &Work) -> Result<ModelSession, RuntimeError> {
    ModelSession::open(&work.runtime, &work.bundle, work.provider)
}

fn warm(mut session: ModelSession, work: &Work) -> Result<ModelSession, RuntimeError> {
    session.warm_up(work.queue.max_batch())?;
    Ok(session)
}

fn answer_batches(mut session: ModelSession, work: &Work) {
    let mut buffer = Vec::new();
    while let Some(batch) = work.queue.next_batch() {
        if batch.is_empty() {
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            answer(&mut session, batch, &mut buffer, &work.metrics);
        }));
        if outcome.is_err() {
            // The jobs' replies were dropped with the panic, which their requests see as a failure.
            tracing::error!(model = %work.bundle.manifest.name, "a worker panicked, it starts again");
            match new_session(work).and_then(|session| warm(session, work)) {
                Ok(fresh) => session = fresh,
                Err(error) => {
                    tracing::error!(model = %work.bundle.manifest.name, %error, "a worker could not start again");
                    return;
                }
            }
        }
    }
}

/// Answers the jobs of one batch.
fn answer(
    session: &mut ModelSession,
    batch: Vec<Job<Outputs>>,
    buffer: &mut Vec<f32>,
    metrics: &ModelMetrics,
) {
    let started = Instant::now();
    let batch_size = batch.iter().map(|job| job.count).sum();
    let zeroed = batch.iter().any(|job| job.zeroed);
    let inputs = if let [job] = &batch[..] {
        job.inputs()
    } else {
        buffer.clear();
        for job in &batch {
            buffer.extend_from_slice(job.inputs());
        }
        buffer
    };
    let outputs = session.run(inputs, batch_size, zeroed).map(Arc::new);
    let inference_time = started.elapsed();
    metrics.inference.observe(inference_time.as_secs_f64());
    metrics.batch_size.observe(batch_size as f64);
    metrics.statistics.executed();
    let outputs = match outputs {
        Ok(outputs) => outputs,
        Err(error) => {
            tracing::error!(%error, batch_size, "a batch failed");
            for job in batch {
                let _ = job.reply.send(Err(JobError::Failed));
            }
            return;
        }
    };
    let mut first = 0;
    for job in batch {
        let queue_time = started.duration_since(job.queued);
        metrics.queue.observe(queue_time.as_secs_f64());
        let share = Share {
            outputs: Arc::clone(&outputs),
            first,
            count: job.count,
            queue_time,
            inference_time,
            batch_size,
        };
        first += job.count;
        // A client that has hung up meanwhile needs no answer.
        let _ = job.reply.send(Ok(share));
    }
}

/// Workers for a model where none were asked for: one a core on the CPU, one on a GPU.
pub fn default_count(provider: Provider) -> usize {
    match provider {
        Provider::Cpu => thread::available_parallelism().map_or(1, std::num::NonZero::get),
        Provider::Cuda(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sender of a worker that served already was still open, so that one that ended without a word was waited
    /// for without end.
    #[test]
    fn a_worker_that_ends_without_a_word_is_not_waited_for() {
        let (ready, words) = mpsc::channel();
        let silent = ready.clone();
        let serving = thread::spawn(move || {
            let _ = ready.send(Ok(()));
            drop(ready);
            thread::park_timeout(std::time::Duration::from_secs(20));
        });
        drop(silent);
        let before = Instant::now();
        assert!(all_started(&words, 2).is_err());
        assert!(before.elapsed().as_secs() < 10);
        serving.thread().unpark();
        assert!(serving.join().is_ok());
    }

    #[test]
    fn the_first_worker_that_fails_is_the_reason() {
        let (ready, words) = mpsc::channel();
        for reason in ["first", "second"] {
            let _ = ready.send(Err(RuntimeError::Load { reason: reason.to_owned() }));
        }
        let error = all_started(&words, 2).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("first"), "{error}");
    }
}
