//! Windows in arrays: those of an NPZ or MAT file, or of a folder of NPY files.

use std::{path::Path, rc::Rc};

use drsn_recording::{ArrayFile, ArrayInfo, ArrayKind, Limits, RecordingError};
use ndarray::aview1;

use super::{
    axes::{self, Layout},
    collector::{Collector, Keys, MAX_WINDOWS},
    names::{self, Part},
    sources::SourceFile,
    unreadable, unusable,
};
use crate::{
    dataset::{DatasetError, samples::Spool, subset::Subset},
    recipe::WindowConfig,
};

/// Limits of a file: of 16 GiB, with 16 GiB of samples.
const LIMITS: Limits = Limits::new(16 << 30, 1 << 32);
/// Numbers that are turned from the order of a file to that of windows at once.
const BLOCK: usize = 16 << 20;

/// Arrays that belong together, with the file of each and its place in that file.
struct Set {
    infos: Vec<ArrayInfo>,
    places: Vec<(Rc<ArrayFile>, usize)>,
    /// What they are called in messages.
    name: String,
    subset: Option<Subset>,
}

/// Reads the windows in the arrays of all files.
pub(super) fn read(
    config: &WindowConfig,
    files: &[SourceFile],
    collector: &mut Collector<'_>,
    max_in_memory: u64,
) -> Result<(), DatasetError> {
    let is_npy = files.iter().all(|file| file.is_npy);
    let groups: Vec<&[SourceFile]> = if is_npy { vec![files] } else { files.chunks(1).collect() };
    for files in groups {
        let Some(first) = files.first() else { continue };
        let path = if is_npy { first.path.parent().unwrap_or(&first.path) } else { &first.path };
        let set = Set::open(files)?;
        let parts = names::resolve(&set.infos, config).map_err(|reason| unusable(path, reason))?;
        for part in parts {
            let reading = Reading { config, set: &set, path, max_in_memory };
            reading.part(part, collector)?;
        }
    }
    Ok(())
}

impl Set {
    /// The arrays of an NPZ or MAT file, or of several NPY files.
    fn open(files: &[SourceFile]) -> Result<Self, DatasetError> {
        let mut set = Self {
            infos: Vec::new(),
            places: Vec::new(),
            name: match files {
                [one] if !one.is_npy => one.name.clone(),
                _ => String::new(),
            },
            subset: files.first().and_then(|file| file.subset),
        };
        for source in files {
            let file = ArrayFile::open(&source.path, &LIMITS)
                .map_err(|error| unreadable(&source.path, &error))?;
            let file = Rc::new(file);
            for (place, info) in file.arrays().iter().enumerate() {
                let name = if source.is_npy { source.stem().to_owned() } else { info.name.clone() };
                set.infos.push(ArrayInfo { name, ..info.clone() });
                set.places.push((Rc::clone(&file), place));
            }
        }
        Ok(set)
    }
}

/// The reading of one part of a set.
struct Reading<'a> {
    config: &'a WindowConfig,
    set: &'a Set,
    path: &'a Path,
    max_in_memory: u64,
}

impl Reading<'_> {
    fn part(&self, part: Part, collector: &mut Collector<'_>) -> Result<(), DatasetError> {
        let labels = self.values(part.labels, None, collector)?;
        let count = labels.len();
        let optional = |place: Option<usize>, collector: &mut Collector<'_>| {
            place.map(|place| self.values(place, Some(count), collector)).transpose()
        };
        let groups = optional(part.groups, collector)?;
        let splits = optional(part.splits, collector)?;
        let subset = part.subset.or(self.set.subset);
        if splits.is_some() && subset.is_some() {
            return Err(self.wrong(
                part.splits.unwrap_or(part.inputs),
                "it declares a split, and so does a name: remove one of them",
            ));
        }
        let info = &self.set.infos[part.inputs];
        if info.kind != ArrayKind::Numbers {
            let reason = match info.kind {
                ArrayKind::Other(what) => format!("it is {what}"),
                ArrayKind::Texts | ArrayKind::Truths => "it holds no numbers".to_owned(),
                ArrayKind::Numbers => String::new(),
            };
            return Err(self.wrong(part.inputs, &reason));
        }
        let layout = axes::find(info, count, self.config)
            .map_err(|reason| self.wrong(part.inputs, &reason))?;
        let name = match &self.set.name[..] {
            "" => info.name.clone(),
            file if part.subset.is_some() => format!("{file}, {}", info.name),
            file => file.to_owned(),
        };
        collector.begin(self.path, &name, layout.channels)?;
        let keys = |input: usize| Keys {
            label: labels[input],
            group: groups.as_ref().map(|groups| groups[input]),
            split: splits.as_ref().map(|splits| splits[input]),
            subset,
        };
        if layout.outer.len() == 1 {
            self.in_order(part.inputs, &layout, collector, keys)
        } else {
            self.turned(part.inputs, &layout, collector, keys)
        }
    }

    /// The values of an array, one for each window.
    fn values(
        &self,
        place: usize,
        count: Option<usize>,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<u32>, DatasetError> {
        let info = &self.set.infos[place];
        if let ArrayKind::Other(what) = info.kind {
            return Err(self.wrong(place, &format!("it is {what}")));
        }
        let long = info.shape.iter().filter(|&&size| size != 1).count();
        if long > 1 {
            return Err(self.wrong(
                place,
                &format!(
                    "its shape is {:?}, and one value for each window is expected: of classes in \
                     columns of 0 and 1, take argmax(axis=1)",
                    info.shape
                ),
            ));
        }
        let length = info.shape.iter().copied().fold(1, usize::saturating_mul);
        if length > MAX_WINDOWS {
            return Err(self.wrong(place, &format!("it has more than {MAX_WINDOWS} values")));
        }
        let (file, at) = &self.set.places[place];
        let values = file
            .values(*at, &mut collector.values)
            .map_err(|error| self.wrong(place, &error.to_string()))?;
        match count {
            Some(count) if count != values.len() => Err(self.wrong(
                place,
                &format!("it has {} values, and there are {count} labels", values.len()),
            )),
            _ => Ok(values),
        }
    }

    /// Reads windows that are stored one after another.
    fn in_order(
        &self,
        place: usize,
        layout: &Layout,
        collector: &mut Collector<'_>,
        keys: impl Fn(usize) -> Keys,
    ) -> Result<(), DatasetError> {
        let size = layout.inner.len();
        let mut stored = Vec::with_capacity(size);
        let mut window = vec![0.0; size];
        let mut input = 0;
        self.numbers(place, |mut block| {
            while !block.is_empty() {
                let (now, later) = block.split_at(block.len().min(size - stored.len()));
                stored.extend_from_slice(now);
                block = later;
                if stored.len() == size {
                    for (&to, &number) in layout.inner.iter().zip(&stored) {
                        window[to] = number;
                    }
                    collector.add(input as u64, &window, keys(input))?;
                    stored.clear();
                    input += 1;
                }
            }
            Ok(())
        })
    }

    /// Reads windows whose numbers lie between those of others. They are stored as in the file
    /// first, and then turned, many windows at once.
    fn turned(
        &self,
        place: usize,
        layout: &Layout,
        collector: &mut Collector<'_>,
        keys: impl Fn(usize) -> Keys,
    ) -> Result<(), DatasetError> {
        let mut spool = Spool::new(self.max_in_memory);
        self.numbers(place, |block| spool.push(&aview1(block)))?;
        let samples = spool.finish()?;
        let run = layout.inner.len();
        let size = run * layout.outer.len();
        let at_once = (BLOCK / size).clamp(1, layout.inputs.max(1));
        let mut windows = vec![0.0; at_once * size];
        let mut stored = vec![0.0; at_once * run];
        for first in (0..layout.inputs).step_by(at_once) {
            let count = at_once.min(layout.inputs - first);
            for &(offset, to) in &layout.outer {
                let stored = &mut stored[..count * run];
                let into = ndarray::aview_mut1(stored).into_dyn();
                samples.read((offset + first * run) as u64, into)?;
                for (window, run) in windows.chunks_exact_mut(size).zip(stored.chunks_exact(run)) {
                    for (&place, &number) in layout.inner.iter().zip(run) {
                        window[to + place] = number;
                    }
                }
            }
            for (input, window) in (first..).zip(windows.chunks_exact(size).take(count)) {
                collector.add(input as u64, window, keys(input))?;
            }
        }
        Ok(())
    }

    /// Hands on the numbers of an array in the order of its file.
    fn numbers(
        &self,
        place: usize,
        mut take: impl FnMut(&[f32]) -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        let (file, at) = &self.set.places[place];
        file.numbers(*at, |block| take(block).map_err(Failure::Data)).map_err(|failure| {
            match failure {
                Failure::File(error) => self.wrong(place, &error.to_string()),
                Failure::Data(error) => error,
            }
        })
    }

    /// The error of an array.
    fn wrong(&self, place: usize, reason: &str) -> DatasetError {
        unusable(self.path, format!("the array {}: {reason}", self.set.infos[place].name))
    }
}

/// Why the numbers of an array could not be taken.
enum Failure {
    File(RecordingError),
    Data(DatasetError),
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self::File(error)
    }
}
