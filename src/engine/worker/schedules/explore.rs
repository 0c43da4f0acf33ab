//! Runs something in every order: depth first over the choices that it has, then by chance.

use std::time::{Duration, Instant};

/// The choices of one run.
pub(super) struct Schedule {
    /// What to choose, and of how many; after these, the first or by chance.
    choices: Vec<(usize, usize)>,
    at: usize,
    /// The state of a random-number generator; `None` if the first is chosen.
    random: Option<u64>,
}

impl Schedule {
    /// Chooses one of `options`.
    pub(super) fn choose(&mut self, options: usize) -> usize {
        let chosen = match (self.choices.get(self.at), &mut self.random) {
            (Some(&(chosen, of)), _) => {
                assert_eq!(of, options, "a run with the same choices went another way");
                chosen
            }
            (None, None) => 0,
            (None, Some(random)) => {
                *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (*random >> 33) as usize % options
            }
        };
        if self.at == self.choices.len() {
            self.choices.push((chosen, options));
        }
        self.at += 1;
        chosen
    }

    /// What was chosen, for the message of a failure.
    pub(super) fn taken(&self) -> Vec<usize> {
        self.choices.iter().take(self.at).map(|&(chosen, _)| chosen).collect()
    }
}

/// What was seen.
pub(super) struct Explored {
    pub(super) count: usize,
    /// Whether these were all orders.
    pub(super) is_all: bool,
}

/// Calls `run` with every schedule; if that takes longer than half of `time`, with random ones in
/// the rest of it.
pub(super) fn explore(time: Duration, run: impl Fn(&mut Schedule)) -> Explored {
    let (started, mut choices, mut count) = (Instant::now(), Vec::new(), 0);
    while started.elapsed() < time / 2 {
        let mut schedule = Schedule { choices, at: 0, random: None };
        run(&mut schedule);
        count += 1;
        choices = schedule.choices;
        // The next schedule in order differs in the last choice that has another option.
        while choices.pop_if(|&mut (chosen, of)| chosen + 1 == of).is_some() {}
        match choices.last_mut() {
            Some((chosen, _)) => *chosen += 1,
            None => return Explored { count, is_all: true },
        }
    }
    let mut random = 1;
    while started.elapsed() < time {
        let mut schedule = Schedule { choices: Vec::new(), at: 0, random: Some(random) };
        run(&mut schedule);
        random = schedule.random.unwrap_or(random) ^ count as u64;
        count += 1;
    }
    Explored { count, is_all: false }
}

#[test]
fn every_order_is_seen_once() {
    let seen = std::cell::RefCell::new(Vec::new());
    let explored = explore(Duration::from_mins(1), |schedule| {
        let first = schedule.choose(3);
        let second = (first != 1).then(|| schedule.choose(2));
        seen.borrow_mut().push((first, second));
    });
    assert!(explored.is_all && explored.count == 5);
    let expected = [(0, Some(0)), (0, Some(1)), (1, None), (2, Some(0)), (2, Some(1))];
    assert_eq!(seen.into_inner(), expected);
}
