//! The requests that wait, in the order in which they are served.
//!
//! Requests take turns, a job each, so that one with few inputs does not wait for all of one with
//! thousands. Where many large requests wait, each turn is long; so short jobs and long ones have
//! a line each, and while both wait they get the same number of inputs computed.

use std::collections::VecDeque;

use super::{Job, StreamId};

/// Most inputs of a short job.
const SHORT: usize = 4;

/// The waiting jobs of one request.
#[derive(Debug)]
pub(super) struct Waiting<O> {
    /// The stream that they belong to; `None` if all jobs of the request were queued at once.
    pub(super) stream: Option<StreamId>,
    /// At least one.
    pub(super) jobs: VecDeque<Job<O>>,
}

impl<O> Waiting<O> {
    fn next_count(&self) -> usize {
        self.jobs.front().map_or(0, Job::count)
    }
}

/// All waiting requests.
#[derive(Debug)]
pub(super) struct Line<O> {
    /// Those whose next job is short, and the others.
    short: VecDeque<Waiting<O>>,
    long: VecDeque<Waiting<O>>,
    /// How many more inputs of short jobs than of long ones were taken since both wait.
    lead: isize,
    /// Total number of inputs.
    inputs: usize,
}

impl<O> Default for Line<O> {
    fn default() -> Self {
        Self { short: VecDeque::new(), long: VecDeque::new(), lead: 0, inputs: 0 }
    }
}

impl<O> Line<O> {
    /// Number of requests.
    pub(super) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// Total number of inputs.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The jobs that are first in their lines.
    pub(super) fn first(&self) -> impl Iterator<Item = &Job<O>> {
        [&self.short, &self.long].into_iter().filter_map(|line| line.front()?.jobs.front())
    }

    /// Whether a job of this stream waits.
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.short.iter().chain(&self.long).any(|waiting| waiting.stream == Some(stream))
    }

    /// Adds a request at the end.
    pub(super) fn push(&mut self, request: Waiting<O>) {
        self.inputs += request.jobs.iter().map(Job::count).sum::<usize>();
        self.place(request);
    }

    /// Adds a job to the waiting ones of its stream.
    pub(super) fn push_for(&mut self, stream: StreamId, job: Job<O>) {
        let mut all = self.short.iter_mut().chain(&mut self.long);
        match all.find(|waiting| waiting.stream == Some(stream)) {
            Some(waiting) => {
                self.inputs += job.count();
                waiting.jobs.push_back(job);
            }
            None => self.push(Waiting { stream: Some(stream), jobs: VecDeque::from([job]) }),
        }
    }

    /// Takes the next job that is `wanted`, and moves the rest of its request to the end.
    pub(super) fn pop_if(&mut self, wanted: impl Fn(&Job<O>) -> bool) -> Option<Job<O>> {
        let both_wait = !self.short.is_empty() && !self.long.is_empty();
        let mut lines = [&mut self.short, &mut self.long];
        if self.lead > 0 {
            lines.reverse();
        }
        let line = lines.into_iter().find(|line| {
            line.front().and_then(|request| request.jobs.front()).is_some_and(&wanted)
        })?;
        let mut request = line.pop_front()?;
        let job = request.jobs.pop_front()?;
        self.inputs -= job.count();
        let count = job.count() as isize;
        let lead = self.lead + if job.count() > SHORT { -count } else { count };
        self.lead = if both_wait { lead } else { 0 };
        if !request.jobs.is_empty() {
            self.place(request);
        }
        Some(job)
    }

    /// Removes requests whose client has hung up.
    pub(super) fn remove_abandoned(&mut self) {
        for line in [&mut self.short, &mut self.long] {
            line.retain(|request| request.jobs.iter().any(|job| !job.reply.is_closed()));
        }
        let requests = self.short.iter().chain(&self.long);
        self.inputs = requests.flat_map(|request| &request.jobs).map(Job::count).sum();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn place(&mut self, request: Waiting<O>) {
        let line = if request.next_count() > SHORT { &mut self.long } else { &mut self.short };
        line.push_back(request);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::queue::tests::{Reply, job};

    /// A line, and the replies that keep its jobs wanted.
    #[derive(Default)]
    struct Clients {
        line: Line<()>,
        replies: Vec<Reply>,
    }

    impl Clients {
        fn push(&mut self, counts: impl IntoIterator<Item = usize>) {
            let (jobs, replies): (VecDeque<_>, Vec<_>) = counts.into_iter().map(job).unzip();
            self.line.push(Waiting { stream: None, jobs });
            self.replies.extend(replies);
        }

        fn pop(&mut self) -> Option<usize> {
            self.line.pop_if(|_| true).map(|job| job.count())
        }
    }

    /// Regression: a digit waited for a job of each of sixty large requests.
    #[test]
    fn a_single_input_waits_for_at_most_one_job_of_any_number_of_large_requests() {
        let mut clients = Clients::default();
        for _ in 0..60 {
            clients.push([16; 10]);
        }
        for _ in 0..7 {
            assert_eq!(clients.pop(), Some(16));
            clients.push([1]);
            assert!([clients.pop(), clients.pop()].contains(&Some(1)));
        }
    }

    #[test]
    fn a_large_request_gets_half_of_what_is_computed_beside_any_number_of_single_inputs() {
        let mut clients = Clients::default();
        clients.push([16; 10]);
        let mut singles = 0;
        while clients.line.inputs() > 0 && clients.line.long.front().is_some() {
            clients.push([1, 1]);
            clients.push([1]);
            singles += usize::from(clients.pop() == Some(1));
        }
        assert!((130..=160).contains(&singles), "{singles} beside 160");
    }

    proptest! {
        /// Whatever waits, nothing is lost, a request's jobs keep their order, and while short and
        /// long jobs wait, neither gets more than a job ahead.
        #[test]
        fn lines_share_and_lose_nothing(
            steps in prop::collection::vec(prop::option::of(prop::collection::vec(1..=16_usize, 1..6)), 1..80),
        ) {
            let mut clients = Clients::default();
            let (mut pushed, mut popped) = (0, 0);
            for step in steps {
                if let Some(counts) = step {
                    pushed += counts.iter().sum::<usize>();
                    clients.push(counts);
                } else if let Some(count) = clients.pop() {
                    popped += count;
                    prop_assert!(clients.line.lead.unsigned_abs() <= 16 + SHORT);
                }
                prop_assert_eq!(clients.line.inputs(), pushed - popped);
            }
            popped += std::iter::from_fn(|| clients.pop()).sum::<usize>();
            prop_assert_eq!(popped, pushed);
            prop_assert!(clients.line.is_empty());
        }
    }
}
