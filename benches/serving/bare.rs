//! The network alone: one session in a loop on one thread, with the options of the server.

use std::time::{Duration, Instant};

use drsn_bundle::{
    InputSpec,
    runtime::{Provider, Runtime, Session},
};

use crate::median;

const BATCHES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Time for which each batch is repeated in a round.
const LONG_ENOUGH: Duration = Duration::from_millis(60);

/// A session and inputs for it.
pub(crate) struct Bare {
    session: Session,
    inputs: Vec<f32>,
    elements: usize,
}

impl Bare {
    pub(crate) fn new(runtime: &Runtime, model: &[u8], input: &InputSpec) -> Self {
        let session = Session::open(runtime, model, &input.shape(), Provider::Cpu);
        let elements = input.elements();
        let most = BATCHES.into_iter().max().unwrap_or(1);
        let inputs = (0..most * elements).map(|n| (n as f32 * 0.37).sin()).collect();
        Self { session: session.expect("a session"), inputs, elements }
    }

    /// CPU microseconds of an inference, for each batch.
    pub(crate) fn round(&mut self) -> Vec<f64> {
        BATCHES.map(|batch| self.at(batch)).to_vec()
    }

    fn at(&mut self, batch: usize) -> f64 {
        let inputs = &self.inputs[..batch * self.elements];
        let inputs = self.session.batch(inputs, batch).expect("a batch");
        self.session.run(inputs.view()).expect("an inference");
        let (started, before, mut count) = (Instant::now(), thread_seconds(), 0);
        while started.elapsed() < LONG_ENOUGH {
            self.session.run(inputs.view()).expect("an inference");
            count += batch;
        }
        (thread_seconds() - before) * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// The batch with the smallest median, and its time in each round.
pub(crate) fn best(rounds: &[Vec<f64>]) -> (usize, Vec<f64>) {
    let of = |place: usize| rounds.iter().map(|round| round[place]).collect::<Vec<_>>();
    let batches = BATCHES.iter().enumerate().map(|(place, &batch)| (batch, of(place)));
    batches.min_by(|a, b| median(&a.1).total_cmp(&median(&b.1))).expect("a batch")
}

/// CPU time of this thread.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}
