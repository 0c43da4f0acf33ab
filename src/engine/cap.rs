//! The largest batch, found again while serving: with `--max-batch auto` on a processor, neighbouring
//! sizes are compared from time to time by what their batches cost.
//!
//! Both sizes take turns during a comparison, so that whatever else the machine does meanwhile meets
//! both. Only batches as full as they may be count: if none is, the size does not matter.

use std::sync::{
    Mutex, TryLockError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Overhead of a batch beside the network, in microseconds: its inputs are copied together and its
/// requests woken. (Measured: `docs/results/serving.md`, the server's time for a request by the
/// largest batch.)
pub(super) const BATCH_OVERHEAD: f64 = 10.0;
/// A larger batch must save this share of an input's cost: larger batches make requests wait for one
/// another.
pub(super) const TOLERANCE: f64 = 0.03;
/// A smaller batch may cost this share more. It is less than [`TOLERANCE`], so that the size does not
/// go back and forth.
const NEARLY: f64 = 0.01;
/// Batches of each size in a comparison. What the middle half of them costs is compared: single
/// batches are disturbed.
const SAMPLES: usize = 128;
/// Batches after which a comparison is given up that has not had its samples.
const PATIENCE: usize = 8 * SAMPLES;
/// Full batches before a comparison, after a change; twice as many after each one without a change.
const FIRST_PAUSE: usize = 64;
const LONGEST_PAUSE: usize = 8192;

/// The largest batch of a model.
#[derive(Debug)]
pub(super) struct Cap {
    settled: AtomicUsize,
    /// Whether a comparison needs the costs of batches.
    is_comparing: AtomicBool,
    /// `None` if the size does not change.
    search: Option<Mutex<Search>>,
}

/// A batch that was computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Computed {
    /// The largest batch when it was taken.
    pub(super) cap: usize,
    /// Its inputs.
    pub(super) inputs: usize,
    /// Its CPU time, in microseconds; `None` if it was not measured or not usual.
    pub(super) cost: Option<f64>,
}

/// What follows from a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// The largest batch for now.
    pub(super) next: usize,
    /// The sizes before and after, if it was changed for good.
    pub(super) changed: Option<(usize, usize)>,
}

impl Cap {
    /// A size that does not change.
    pub(super) fn fixed(size: usize) -> Self {
        Self { settled: size.into(), is_comparing: false.into(), search: None }
    }

    /// A size that is found among `sizes`, which ascend, beginning with `size`.
    pub(super) fn searched(sizes: Vec<usize>, size: usize) -> Self {
        let search = Search::new(sizes, size);
        Self { search: Some(Mutex::new(search)), ..Self::fixed(size) }
    }

    /// The largest batch, apart from comparisons.
    pub(super) fn size(&self) -> usize {
        self.settled.load(Ordering::Relaxed)
    }

    /// Whether the CPU time of batches is wanted.
    pub(super) fn is_comparing(&self) -> bool {
        self.is_comparing.load(Ordering::Relaxed)
    }

    /// Notes a batch. `None` if it changes nothing, or another worker notes one right now.
    pub(super) fn note(&self, batch: Computed) -> Option<Step> {
        let mut search = match self.search.as_ref()?.try_lock() {
            Ok(search) => search,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let step = search.note(batch);
        self.settled.store(search.size(), Ordering::Relaxed);
        self.is_comparing.store(search.comparison.is_some(), Ordering::Relaxed);
        step
    }
}

/// The search for the best size.
#[derive(Debug)]
struct Search {
    sizes: Vec<usize>,
    /// Position of the size in use.
    at: usize,
    /// Full batches since the last comparison.
    full: usize,
    /// Full batches before the next one.
    pause: usize,
    /// Whether the next comparison is with a larger size.
    upward: bool,
    comparison: Option<Comparison>,
}

/// The size in use beside another one.
#[derive(Debug)]
struct Comparison {
    other: usize,
    /// Costs of an input, in microseconds: of the size in use, and of the other.
    costs: [Vec<f64>; 2],
    batches: usize,
}

impl Search {
    fn new(sizes: Vec<usize>, size: usize) -> Self {
        let at = sizes.iter().rposition(|&known| known <= size).unwrap_or(0);
        Self { sizes, at, full: 0, pause: FIRST_PAUSE, upward: true, comparison: None }
    }

    fn size(&self) -> usize {
        self.sizes.get(self.at).copied().unwrap_or(1)
    }

    fn note(&mut self, batch: Computed) -> Option<Step> {
        let Some(mut comparison) = self.comparison.take() else { return self.wait(batch) };
        let sizes = [self.at, comparison.other].map(|position| self.sizes[position]);
        comparison.note(batch, sizes);
        if comparison.costs.iter().all(|costs| costs.len() >= SAMPLES) {
            return Some(self.decide(comparison));
        }
        if comparison.batches >= PATIENCE {
            self.stay();
            return Some(Step { next: self.size(), changed: None });
        }
        let [own, other] = &comparison.costs;
        let next = sizes[usize::from(other.len() <= own.len())];
        self.comparison = Some(comparison);
        Some(Step { next, changed: None })
    }

    /// Counts full batches, and begins a comparison after enough of them.
    fn wait(&mut self, batch: Computed) -> Option<Step> {
        if batch.cap != self.size() {
            // Taken during the last comparison, or two workers set the size in the wrong order.
            return Some(Step { next: self.size(), changed: None });
        }
        self.full += usize::from(batch.inputs == self.size());
        if self.full < self.pause {
            return None;
        }
        let (larger, smaller) = (self.at + 1, self.at.checked_sub(1));
        let larger = Some(larger).filter(|&larger| larger < self.sizes.len());
        let other = if self.upward { larger.or(smaller) } else { smaller.or(larger) }?;
        self.comparison = Some(Comparison { other, costs: [const { Vec::new() }; 2], batches: 0 });
        Some(Step { next: self.sizes[other], changed: None })
    }

    fn decide(&mut self, comparison: Comparison) -> Step {
        let Comparison { other, costs, .. } = comparison;
        let [own, others] = costs.map(typical);
        let is_larger = other > self.at;
        let limit = if is_larger { 1.0 - TOLERANCE } else { 1.0 + NEARLY };
        let before = self.size();
        if others > own * limit {
            self.stay();
            self.upward = !is_larger;
            return Step { next: before, changed: None };
        }
        (self.at, self.full, self.pause, self.upward) = (other, 0, FIRST_PAUSE, is_larger);
        Step { next: self.size(), changed: Some((before, self.size())) }
    }

    fn stay(&mut self) {
        (self.full, self.pause) = (0, (2 * self.pause).min(LONGEST_PAUSE));
    }
}

impl Comparison {
    /// Notes the cost of a batch that one of the two sizes filled, more or less.
    fn note(&mut self, batch: Computed, sizes: [usize; 2]) {
        self.batches += 1;
        let Some(of) = sizes.iter().position(|&size| size == batch.cap) else { return };
        let fills = batch.inputs <= batch.cap && 4 * batch.inputs > 3 * batch.cap;
        if let Some(cost) = batch.cost.filter(|_| fills)
            && self.costs[of].len() < SAMPLES
        {
            self.costs[of].push((cost + BATCH_OVERHEAD) / batch.inputs as f64);
        }
    }
}

/// The mean of the middle half.
fn typical(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    let middle = &costs[costs.len() / 4..costs.len() - costs.len() / 4];
    middle.iter().sum::<f64>() / middle.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 5] = [1, 2, 4, 8, 16];

    /// A machine on which an input in a batch of each size costs so much, give or take `noise`.
    struct Machine {
        costs: [f64; 5],
        noise: f64,
        random: u64,
        cap: Cap,
        /// The largest batch right now.
        now: usize,
        changes: Vec<(usize, usize)>,
    }

    impl Machine {
        fn new(costs: [f64; 5], noise: f64, start: usize) -> Self {
            let cap = Cap::searched(SIZES.to_vec(), start);
            Self { costs, noise, random: 7, cap, now: start, changes: Vec::new() }
        }

        /// Computes batches of up to `waiting` inputs.
        fn run(&mut self, batches: usize, waiting: usize) -> &mut Self {
            for _ in 0..batches {
                let inputs = self.now.min(waiting);
                self.batch(inputs);
            }
            self
        }

        fn batch(&mut self, inputs: usize) {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (self.random >> 33) as f64 / f64::from(u32::MAX >> 1) * 2.0 - 1.0;
            let position = SIZES.iter().rposition(|&size| size <= inputs).unwrap();
            let an_input = self.costs[position] * (1.0 + self.noise * random);
            let cost = an_input * inputs as f64 - BATCH_OVERHEAD;
            let cost = self.cap.is_comparing().then_some(cost);
            let step = self.cap.note(Computed { cap: self.now, inputs, cost });
            if let Some(step) = step {
                self.now = step.next;
                self.changes.extend(step.changed);
            }
        }
    }

    /// A start beside other work measured nonsense, and the size was kept until the next start: 325
    /// µs a request in place of 217.
    #[test]
    fn the_best_size_is_found_from_any_start() {
        for (costs, best) in [
            ([100.0, 85.0, 75.0, 68.0, 63.0], 16),
            ([100.0, 80.0, 60.0, 75.0, 90.0], 4),
            ([100.0, 120.0, 140.0, 160.0, 180.0], 1),
            ([100.0, 100.0, 100.0, 100.0, 100.0], 1),
        ] {
            for start in SIZES {
                let mut machine = Machine::new(costs, 0.1, start);
                machine.run(3000, 64);
                assert_eq!(machine.cap.size(), best, "from {start} with {costs:?}");
            }
        }
    }

    #[test]
    fn a_machine_that_stays_as_it_is_keeps_its_size() {
        for costs in [[100.0, 85.0, 75.0, 68.0, 63.0], [100.0, 80.0, 60.0, 75.0, 90.0]] {
            let mut machine = Machine::new(costs, 0.2, 8);
            machine.run(3000, 64).changes.clear();
            machine.run(500_000, 64);
            assert_eq!(machine.changes, [], "{costs:?}");
        }
        // Between the two limits either size is right, and stays.
        for start in [8, 16] {
            let mut machine = Machine::new([100.0, 85.0, 75.0, 68.0, 66.6], 0.05, start);
            machine.run(100_000, 64);
            assert_eq!(machine.changes, []);
        }
    }

    #[test]
    fn a_machine_that_changes_gets_another_size() {
        let mut machine = Machine::new([100.0, 85.0, 75.0, 68.0, 63.0], 0.1, 16);
        machine.run(200_000, 64);
        machine.costs = [100.0, 80.0, 60.0, 75.0, 90.0];
        machine.run(2 * LONGEST_PAUSE + 3000, 64);
        assert_eq!(machine.cap.size(), 4);
    }

    #[test]
    fn batches_that_are_not_full_change_nothing_and_cost_no_measurement() {
        let mut machine = Machine::new([100.0, 50.0, 25.0, 12.0, 6.0], 0.0, 4);
        machine.run(10_000, 3);
        assert!(!machine.cap.is_comparing() && machine.now == 4);
        let cap = Cap::fixed(4);
        assert_eq!(cap.note(Computed { cap: 4, inputs: 4, cost: None }), None);
        assert_eq!((cap.size(), cap.is_comparing()), (4, false));
    }

    /// A job is not divided, so a smaller size is not filled as such.
    #[test]
    fn a_comparison_without_its_batches_is_given_up() {
        let mut machine = Machine::new([100.0, 99.0, 98.0, 97.0, 96.0], 0.0, 16);
        for _ in 0..FIRST_PAUSE + PATIENCE {
            machine.batch(16);
        }
        assert!(!machine.cap.is_comparing() && machine.now == 16);
        assert_eq!(machine.changes, []);
    }
}
