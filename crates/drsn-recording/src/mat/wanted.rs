//! What is looked for in a MAT-file: the array with the samples, and the one with their rate.

use std::io::{self, Read};

use ndarray::{Array2, ShapeBuilder as _};

use super::{malformed, path::counted_from_zero};
use crate::{
    Limits, Names, Notice, Recording, RecordingError, Selection,
    axes::Axes,
    number::{ByteOrder, NumberKind},
    search::{self, Search, is_likely},
    unique::Unique,
};

/// What is no array of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Truth,
    Sparse,
    Object,
    EmptyArray,
    EmptyStructure,
    Deep,
}

impl Kind {
    /// Its name, of one and of several.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text", "text"),
            Self::Truth => ("an array of truth values", "truth values"),
            Self::Sparse => ("a sparse matrix", "sparse matrices"),
            Self::Object => ("an object or function", "objects or functions"),
            Self::EmptyArray => ("empty", "empty arrays"),
            Self::EmptyStructure => ("an empty structure or cell", "empty structures"),
            Self::Deep => ("too deep in structures", "structures that are too deep"),
        }
    }
}

/// The description of an array of numbers.
#[derive(Clone, Copy)]
pub(super) struct Array<'a> {
    /// Its name, after those of the structures and cells that it is in.
    pub(super) path: &'a str,
    /// Sizes of its axes, the fastest-varying first.
    pub(super) sizes: &'a [u64],
    pub(super) complex: bool,
    /// Whether it is in no other variable.
    pub(super) is_outer: bool,
}

/// The numbers of an array, before they are read.
pub(super) struct Numbers<'a> {
    pub(super) kind: NumberKind,
    pub(super) order: ByteOrder,
    /// Bytes that it declares.
    pub(super) bytes: u64,
    pub(super) reader: Box<dyn Read + 'a>,
    /// What it means if the reader fails.
    pub(super) broken: fn(io::Error) -> RecordingError,
}

/// What was found in an array.
struct Found<T> {
    is_outer: bool,
    contents: Result<T, RecordingError>,
}

/// The samples of an array, `[C, T]`, with its path.
struct Matrix {
    path: String,
    samples: Array2<f32>,
    notice: Option<Notice>,
}

/// The samples and their rate, found among the arrays that pass by.
pub(super) struct Wanted<'a> {
    selection: &'a Selection,
    pub(super) limits: &'a Limits,
    samples: Search<Found<Matrix>>,
    rate: Option<Search<Found<f64>>>,
    others: Vec<Kind>,
    /// The names of the file's variables.
    names: Unique,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(selection: &'a Selection, limits: &'a Limits) -> Self {
        let rate = selection.rate_variable.as_deref();
        Self {
            selection,
            limits,
            samples: Search::new(selection.variable.as_deref()).spelled(counted_from_zero),
            rate: rate.map(|name| Search::new(Some(name)).spelled(counted_from_zero)),
            others: Vec::new(),
            names: Unique::default(),
        }
    }

    /// Whether nothing that follows can matter.
    pub(super) fn is_over(&self) -> bool {
        self.samples.is_over() && self.rate.as_ref().is_none_or(Search::is_over)
    }

    /// Whether all was found outside of structures and cells, so that what is wrong with one of them
    /// does not matter.
    pub(super) fn is_outside(&self) -> bool {
        self.samples.found().is_some_and(|found| found.is_outer)
            && self
                .rate
                .as_ref()
                .is_none_or(|rate| rate.found().is_some_and(|found| found.is_outer))
    }

    /// Takes the name of a variable of the file; those of MATLAB's own have none.
    ///
    /// # Errors
    /// If there was one of this name.
    pub(super) fn begin(&mut self, name: &str) -> Result<(), RecordingError> {
        if name.is_empty() { Ok(()) } else { self.names.add(name) }
    }

    /// Passes over something without numbers.
    pub(super) fn pass(&mut self, path: &str, is_outer: bool, kind: Kind) {
        if !self.others.contains(&kind) {
            self.others.push(kind);
        }
        let (one, _) = kind.names();
        self.samples.pass(path, is_outer, one);
        if let Some(rate) = &mut self.rate {
            rate.pass(path, is_outer, one);
        }
    }

    /// Takes an array if it is the best one so far; `open` begins its numbers, which are then all
    /// read, and it returns true. What is wrong with this array alone is told only if no better one
    /// follows.
    pub(super) fn offer<'n>(
        &mut self,
        array: Array<'_>,
        open: impl FnOnce() -> Result<Numbers<'n>, RecordingError>,
    ) -> Result<bool, RecordingError> {
        let Array { path, sizes, is_outer, .. } = array;
        if !is_outer && sizes.contains(&0) {
            self.pass(path, is_outer, Kind::EmptyArray);
            return Ok(false);
        }
        let takes_rate = self.rate.as_mut().is_some_and(|rate| rate.offer(path, is_outer, false));
        let takes_samples = self.samples.offer(path, is_outer, is_likely(sizes));
        let count = sizes.iter().copied().fold(1, u64::saturating_mul);
        if count == 1 && !array.complex && (takes_rate || takes_samples) {
            let number = open()?.one(path)?;
            if takes_rate {
                self.keep_rate(is_outer, search::rate(path, number));
            }
            if takes_samples {
                let samples = Array2::from_elem((1, 1), number as f32);
                let matrix = Matrix { path: path.to_owned(), samples, notice: None };
                self.samples.keep(Found { is_outer, contents: Ok(matrix) });
            }
            return Ok(true);
        }
        if takes_rate {
            self.keep_rate(is_outer, Err(array.no_rate(count)));
        }
        if !takes_samples {
            return Ok(false);
        }
        let contents = match array.check(self.limits) {
            Ok((shape, axes)) => Ok(open()?.matrix(path, shape, axes, self.limits)?),
            Err(error) => Err(error),
        };
        let is_read = contents.is_ok();
        self.samples.keep(Found { is_outer, contents });
        Ok(is_read)
    }

    fn keep_rate(&mut self, is_outer: bool, contents: Result<f64, RecordingError>) {
        if let Some(rate) = &mut self.rate {
            rate.keep(Found { is_outer, contents });
        }
    }

    /// The recording that was found.
    pub(super) fn finish(self) -> Result<Recording, RecordingError> {
        if self.samples.is_in_vain() && !self.others.is_empty() {
            let kinds: Vec<&str> = self.others.iter().map(|kind| kind.names().1).collect();
            return Err(RecordingError::Unsupported(format!(
                "it has no array of numbers: it has only {}",
                list(&kinds)
            )));
        }
        let Matrix { path, samples, notice } = self.samples.finish()?.contents?;
        let rate = self.rate.map(|rate| rate.finish().and_then(|found| found.contents));
        let rate = rate.transpose().map_err(RecordingError::of_rate)?;
        let mut recording = Recording::from_array(samples, Some(path), self.selection)?;
        recording.notices.extend(notice);
        Ok(Recording { sample_rate_hz: rate, ..recording })
    }
}

impl Array<'_> {
    /// Why it is no sample rate.
    fn no_rate(&self, count: u64) -> RecordingError {
        if self.complex {
            return unsupported(self.path, "has complex numbers, and a sample rate is real");
        }
        search::no_rate(self.path, count)
    }

    /// Rows and columns and how they are taken, if it can be a recording.
    fn check(&self, limits: &Limits) -> Result<([usize; 2], Axes), RecordingError> {
        if self.complex {
            return Err(unsupported(
                self.path,
                "has complex numbers: save their real part or magnitude",
            ));
        }
        limits.check_shape(self.sizes.iter().copied())?;
        match *self.sizes {
            [rows, columns] => {
                let shape = [rows as usize, columns as usize];
                Ok((shape, Axes::of(shape, true)?))
            }
            _ => {
                Err(unsupported(self.path, "has more than two axes: save it as samples x channels"))
            }
        }
    }
}

impl Numbers<'_> {
    /// The only number.
    pub(super) fn one(mut self, path: &str) -> Result<f64, RecordingError> {
        self.check(path, 1)?;
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..self.kind.size()).unwrap_or_default();
        self.reader.read_exact(bytes).map_err(self.broken)?;
        self.kind.one(self.order, bytes).ok_or(RecordingError::Empty)
    }

    fn matrix(
        self,
        path: &str,
        [rows, columns]: [usize; 2],
        axes: Axes,
        limits: &Limits,
    ) -> Result<Matrix, RecordingError> {
        let count = rows * columns;
        limits.check_bytes(self.bytes)?;
        self.check(path, count)?;
        let Self { kind, order, reader, broken, .. } = self;
        let numbers = kind.read(order, count, limits.deadline, reader, broken)?;
        // MATLAB stores one column after another.
        let matrix = Array2::from_shape_vec((rows, columns).f(), numbers)
            .map_err(|_| malformed("the numbers of a variable do not fill its shape"))?;
        let (samples, notice) = match axes {
            Axes::ChannelsFirst => (matrix, None),
            Axes::SamplesFirst(notice) => (matrix.reversed_axes(), notice),
        };
        Ok(Matrix { path: path.to_owned(), samples, notice })
    }

    pub(super) fn check(&self, path: &str, count: usize) -> Result<(), RecordingError> {
        let needed = (count as u64).saturating_mul(self.kind.size() as u64);
        if self.bytes == needed {
            return Ok(());
        }
        Err(malformed(format!(
            "the variable {} has {} bytes, and its {count} numbers need {needed}",
            Names::from_iter([path]),
            self.bytes
        )))
    }
}

/// Words in a sentence.
fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}

fn unsupported(path: &str, what: &str) -> RecordingError {
    RecordingError::Unsupported(format!("the variable {} {what}", Names::from_iter([path])))
}
