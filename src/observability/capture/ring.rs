//! The segments of all models, within a budget of bytes: the oldest are deleted for new ones.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Item,
    folder::{Folder, folders},
    formats::Encoded,
    recent::Recent,
    segment::{EMPTY, Segment, mend, on_disk},
};
use crate::observability::{clock::file_name, metrics::ModelLabels};

/// A segment takes at most this part of the budget.
const PARTS: u64 = 16;
/// Tries of a name for a new segment, each a millisecond later.
const NAMES: u64 = 1000;

/// Where a segment is. The oldest is the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    name: String,
    model: String,
    version: String,
}

/// The segments.
#[derive(Debug)]
pub(super) struct Ring {
    folder: Folder,
    budget: u64,
    /// The bytes of each segment; none until the folder was looked through.
    segments: Option<BTreeMap<Place, u64>>,
    /// The segments that are being written.
    open: HashMap<ModelLabels, (Place, Segment)>,
    recent: Recent,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// The same input was kept lately.
    Repeated,
}

impl Ring {
    pub(super) fn new(folder: Folder, budget: u64) -> Self {
        let (segments, open, recent) = (None, HashMap::new(), Recent::default());
        Self { folder, budget, segments, open, recent }
    }

    /// Writes an input, in a new segment if that of its model is full or gone.
    ///
    /// # Errors
    /// [`io::Error`]; the input is not kept then.
    pub(super) fn keep(&mut self, item: &Item) -> io::Result<Written> {
        if self.recent.knows(item) {
            return Ok(Written::Repeated);
        }
        let encoded = Encoded::of(&item.input, &item.kept.values);
        self.look_through()?;
        let written = match self.write(item, &encoded) {
            // Somebody has moved the segment away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.close(&item.labels);
                self.write(item, &encoded)
            }
            written => written,
        };
        written?;
        self.recent.remember(item);
        Ok(Written::Yes)
    }

    fn write(&mut self, item: &Item, encoded: &Encoded) -> io::Result<()> {
        let labels = &*item.labels;
        let (of_segment, size) = (self.budget / PARTS, on_disk(encoded.bytes.len() as u64));
        if let Some((place, segment)) = self.open.get(labels) {
            let bytes = self.segments.as_ref().and_then(|segments| segments.get(place)).copied();
            if segment.is_full(item.time) || bytes.unwrap_or_default() + size > of_segment {
                self.close(labels);
            }
        }
        self.make_room(EMPTY + size)?;
        if !self.open.contains_key(labels) {
            let (place, segment) = self.create(labels, item.time)?;
            self.segments().insert(place.clone(), EMPTY);
            self.open.insert(labels.clone(), (place, segment));
        }
        let Some((place, segment)) = self.open.get_mut(labels) else { return Ok(()) };
        let bytes = segment.write(item, encoded)?;
        let place = place.clone();
        *self.segments().entry(place).or_default() += bytes;
        Ok(())
    }

    fn segments(&mut self) -> &mut BTreeMap<Place, u64> {
        self.segments.get_or_insert_default()
    }

    /// Ends the segment of a model.
    fn close(&mut self, labels: &ModelLabels) {
        self.open.remove(labels);
    }

    /// Deletes the oldest segments until there is room for more bytes.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        loop {
            let total: u64 = self.segments().values().sum();
            if total + more <= self.budget {
                return Ok(());
            }
            let Some((oldest, _)) = self.segments().first_key_value() else {
                return Err(io::Error::other(format!(
                    "an input of {more} bytes is larger than --capture-bytes {}",
                    self.budget
                )));
            };
            let oldest = oldest.clone();
            self.open.retain(|_, (place, _)| *place != oldest);
            self.folder.remove(&self.path_of(&oldest))?;
            self.segments().remove(&oldest);
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn path_of(&self, place: &Place) -> PathBuf {
        self.folder.path().join(&place.model).join(&place.version).join(&place.name)
    }

    /// Creates a segment that is younger than all others.
    fn create(&self, labels: &ModelLabels, now: SystemTime) -> io::Result<(Place, Segment)> {
        self.folder.check()?;
        let ModelLabels { model, version } = labels;
        let folder = self.folder.path().join(model);
        for folder in [&folder, &folder.join(version)] {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let folder = folder.join(version);
        for later in 0..NAMES {
            let name = file_name(now + Duration::from_millis(later));
            match Segment::create(&folder, &name, now) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                segment => {
                    let place = Place { name, model: model.clone(), version: version.clone() };
                    return Ok((place, segment?));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Looks once for the segments of earlier starts.
    fn look_through(&mut self) -> io::Result<()> {
        if self.segments.is_some() {
            return Ok(());
        }
        self.folder.remove_leftovers()?;
        let mut segments = BTreeMap::new();
        for model in folders(self.folder.path())? {
            for version in folders(&self.folder.path().join(&model))? {
                let folder = self.folder.path().join(&model).join(&version);
                for name in folders(&folder)?.into_iter().filter(|name| is_name(name)) {
                    let bytes = mend(&folder.join(&name))?;
                    let (model, version) = (model.clone(), version.clone());
                    segments.insert(Place { name, model, version }, bytes);
                }
            }
        }
        self.segments = Some(segments);
        Ok(())
    }
}

/// Whether a folder has the name of a segment, `20261130T012600.123Z`; others are left alone.
fn is_name(name: &str) -> bool {
    let pattern = "00000000T000000.000Z";
    let fits = |(found, expected): (u8, u8)| match expected {
        b'0' => found.is_ascii_digit(),
        other => found == other,
    };
    name.len() == pattern.len() && name.bytes().zip(pattern.bytes()).all(fits)
}
