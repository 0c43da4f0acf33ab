//! Finding the variable that is meant among those of a file, while they pass by one after another.

use crate::{Names, RecordingError, unique};

/// Arrays with a longest axis below this are parameters, and not meant if no variable is named.
const MIN_SAMPLES: u64 = 64;

/// How well a variable fits what was asked for, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Not at all.
    Unfit,
    /// Its name ends so, in the middle of a field's name. If none was asked for: short, in a
    /// structure.
    Inner,
    /// Its name ends so. If none was asked for: short.
    Outer,
    /// It has this name. If none was asked for: long enough to be a signal.
    Best,
}

/// A search for one variable. It holds what it found and a few names, however many it is offered.
#[derive(Debug)]
pub(crate) struct Search<T> {
    /// The name that was asked for, as it was written.
    wanted: Option<String>,
    /// The same name as this format writes it.
    spelled: Option<String>,
    best: Rank,
    /// The name of the first variable of the best rank.
    name: String,
    /// Whether another one has this name, as a field of a structure may.
    is_twice: bool,
    found: Option<T>,
    /// The variables of the best rank so far.
    rivals: Names,
    all: Names,
    /// The best variable without numbers, in a sentence.
    other: Option<(Rank, String)>,
}

impl<T> Search<T> {
    /// A search for the variable of this name or ending, or else for the only one that is likely,
    /// or the only one at all.
    pub(crate) fn new(wanted: Option<&str>) -> Self {
        Self {
            wanted: wanted.map(str::to_owned),
            spelled: None,
            best: Rank::Unfit,
            name: String::new(),
            is_twice: false,
            found: None,
            rivals: Names::default(),
            all: Names::default(),
            other: None,
        }
    }

    /// The same search, for a name that this format also writes differently.
    pub(crate) fn spelled(self, spell: impl FnOnce(&str) -> String) -> Self {
        let spelled = self.wanted.as_deref().map(spell);
        Self { spelled, ..self }
    }

    /// Whether this variable is better than those before it. If so, its contents must be kept.
    ///
    /// `is_outer` is false for a part of another variable, whose path is its name.
    pub(crate) fn offer(&mut self, name: &str, is_outer: bool, is_likely: bool) -> bool {
        self.all.push(name);
        let rank = match (&self.wanted, is_likely, is_outer) {
            (Some(_), _, _) => self.fit(name, is_outer),
            (None, true, _) => Rank::Best,
            (None, false, true) => Rank::Outer,
            (None, false, false) => Rank::Inner,
        };
        let is_same_name = rank == Rank::Best && self.wanted.is_some();
        let is_as_good = rank == self.best && rank != Rank::Unfit;
        self.is_twice |= is_as_good && self.name == name;
        if rank < self.best || rank == Rank::Unfit || (is_as_good && is_same_name) {
            return false;
        }
        self.found = None;
        if is_as_good {
            self.rivals.push(name);
            return false;
        }
        self.best = rank;
        name.clone_into(&mut self.name);
        self.is_twice = false;
        self.rivals = Names::from_iter([name]);
        true
    }

    /// Keeps the contents of the variable that was offered last.
    pub(crate) fn keep(&mut self, contents: T) {
        self.found = Some(contents);
    }

    /// Passes over a variable without numbers; `what` it is follows "is".
    pub(crate) fn pass(&mut self, name: &str, is_outer: bool, what: &str) {
        let rank = self.fit(name, is_outer);
        if rank > self.other.as_ref().map_or(Rank::Unfit, |(rank, _)| *rank) {
            let name = Names::from_iter([name]);
            self.other =
                Some((rank, format!("the variable {name} is {what}, and no array of numbers")));
        }
    }

    /// The contents of the best variable so far, if no other one is as good.
    pub(crate) fn found(&self) -> Option<&T> {
        self.found.as_ref()
    }

    /// Whether nothing that follows can be better.
    pub(crate) fn is_over(&self) -> bool {
        self.wanted.is_some() && self.best == Rank::Best
    }

    /// Whether no variable had numbers.
    pub(crate) fn is_in_vain(&self) -> bool {
        self.all.count() == 0 && self.other.is_none()
    }

    pub(crate) fn finish(self) -> Result<T, RecordingError> {
        let is_clear = self.rivals.count() == 1;
        match (self.found, self.wanted, self.other) {
            // Whoever names a text means no number whose name happens to end so.
            (_, Some(_), Some((rank, reason)))
                if self.best == Rank::Unfit || (rank == Rank::Best && self.best < rank) =>
            {
                Err(RecordingError::Unsupported(reason))
            }
            _ if self.is_twice => Err(unique::refused(&self.name)),
            (Some(found), _, _) if is_clear => Ok(found),
            (_, Some(wanted), _) if self.best == Rank::Unfit => {
                Err(RecordingError::NoVariable { wanted, available: self.all })
            }
            (_, None, _) if self.best == Rank::Unfit => Err(RecordingError::Empty),
            (_, None, _) if self.best < Rank::Best => {
                Err(RecordingError::AmbiguousVariable { candidates: self.all })
            }
            _ => Err(RecordingError::AmbiguousVariable { candidates: self.rivals }),
        }
    }

    fn fit(&self, name: &str, is_outer: bool) -> Rank {
        let wanted = [&self.wanted, &self.spelled].into_iter().flatten();
        wanted.map(|wanted| fit(name, wanted, is_outer)).max().unwrap_or(Rank::Unfit)
    }
}

/// How a name fits the wanted one or its ending. The wanted one may have the index of a structure
/// that is the only one of its array, where paths have none.
fn fit(name: &str, wanted: &str, is_outer: bool) -> Rank {
    let mut segments = name.rsplit('.');
    let mut asked = wanted.rsplit('.').peekable();
    let mut is_last = true;
    while let Some(part) = asked.next() {
        let Some(segment) = segments.next() else { return Rank::Unfit };
        let is_same = segment == part || (!is_last && part.strip_suffix("[0]") == Some(segment));
        if !is_same {
            return match asked.peek().is_none() && segment.ends_with(part) {
                true if is_outer => Rank::Outer,
                true => Rank::Inner,
                false => Rank::Unfit,
            };
        }
        is_last = false;
    }
    if segments.next().is_none() { Rank::Best } else { Rank::Outer }
}

/// Whether an array of this shape can be meant if no variable is named.
pub(crate) fn is_likely(shape: &[u64]) -> bool {
    shape.iter().any(|&size| size >= MIN_SAMPLES) && !shape.contains(&0)
}

/// The sample rate in a variable, from its only number.
pub(crate) fn rate(name: &str, number: f64) -> Result<f64, RecordingError> {
    if number.is_finite() && number > 0.0 {
        return Ok(number);
    }
    Err(RecordingError::Unsupported(format!(
        "the sample rate in {} is {number}, and must be positive and finite",
        Names::from_iter([name])
    )))
}

/// Why a variable with this many numbers is no sample rate.
pub(crate) fn no_rate(name: &str, count: u64) -> RecordingError {
    RecordingError::Unsupported(format!(
        "the variable {} has {count} numbers, and a sample rate is one",
        Names::from_iter([name])
    ))
}
