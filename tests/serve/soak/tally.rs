//! What was answered, repeated, wrong or lost, by form of request.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// Descriptions of what went wrong that are kept.
const MOST_PROBLEMS: usize = 20;

#[derive(Default)]
pub(super) struct Counts {
    pub(super) name: &'static str,
    pub(super) answered: AtomicU64,
    pub(super) repeated: AtomicU64,
    wrong: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
pub(super) struct Tally {
    pub(super) forms: Vec<Counts>,
    pub(super) hung_up: AtomicU64,
    /// Malformed requests that got their status.
    pub(super) refused: AtomicU64,
    /// Versions that were added, damaged, replaced or removed.
    pub(super) changes: AtomicU64,
    problems: Mutex<Vec<String>>,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub(super) fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let forms = names.into_iter().map(|name| Counts { name, ..Counts::default() }).collect();
        Self { forms, ..Self::default() }
    }

    /// An answer that is not the reference, or a refusal where an answer was due.
    pub(super) fn wrong(&self, form: usize, what: &str) {
        count(&self.forms[form].wrong);
        self.problem(format!("{}: {what}", self.forms[form].name));
    }

    pub(super) fn lost(&self, form: usize, what: &str) {
        count(&self.forms[form].lost);
        self.problem(format!("{}: {what}", self.forms[form].name));
    }

    /// Shows what went wrong as it happens, so that a long run can be stopped.
    pub(super) fn problem(&self, what: String) {
        let mut problems = self.problems.lock().unwrap();
        if problems.len() < MOST_PROBLEMS {
            eprintln!("soak: {what}");
            problems.push(what);
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap().clone()
    }

    pub(super) fn answered(&self) -> u64 {
        self.sum(|counts| &counts.answered)
    }

    fn sum(&self, of: fn(&Counts) -> &AtomicU64) -> u64 {
        self.forms.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for counts in &self.forms {
            let (answered, repeated) = (of(&counts.answered), of(&counts.repeated));
            writeln!(f, "{:<22} {answered:>9} answered {repeated:>7} repeated", counts.name)?;
        }
        write!(
            f,
            "all: answered {}, repeated {}, hung up {}, malformed and refused {}, changes of \
             versions {}, wrong {}, lost {}",
            self.answered(),
            self.sum(|counts| &counts.repeated),
            of(&self.hung_up),
            of(&self.refused),
            of(&self.changes),
            self.sum(|counts| &counts.wrong),
            self.sum(|counts| &counts.lost),
        )
    }
}
