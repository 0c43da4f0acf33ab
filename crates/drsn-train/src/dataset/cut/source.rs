//! Windows that were cut beforehand as the source of a data set.

use std::collections::HashMap;

use ndarray::ArrayViewMutD;

use crate::dataset::{DatasetError, DatasetSource, Origin, samples::Samples};

/// The name of a window for messages.
pub(super) fn name_of(name: &str, place: u64, is_table: bool) -> String {
    format!("{name}, {} {place}", if is_table { "line" } else { "input" })
}

/// Stored windows with their classes.
#[derive(Debug)]
pub(super) struct CutWindows {
    pub(super) samples: Samples,
    pub(super) classes: Vec<u32>,
    /// The group of each window, by its place among the names of groups.
    pub(super) groups: Vec<Option<u32>>,
    pub(super) group_names: HashMap<u32, String>,
    /// Position among the stored windows, place of the array or table, and place in that.
    pub(super) places: Vec<(u64, u32, u64)>,
    pub(super) names: Vec<String>,
    /// Samples of all channels of a window.
    pub(super) size: usize,
    pub(super) are_tables: bool,
}

impl DatasetSource for CutWindows {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn label(&self, index: usize) -> usize {
        self.classes[index] as usize
    }

    fn name(&self, index: usize) -> String {
        let (_, origin, place) = self.places[index];
        name_of(&self.names[origin as usize], place, self.are_tables)
    }

    /// A file has windows of many recordings, so it is not told.
    fn origin(&self, index: usize) -> Origin<'_> {
        let name = self.groups[index].and_then(|group| self.group_names.get(&group));
        Origin { group: name.map(String::as_str), ..Origin::default() }
    }

    /// Nothing is known of what was around the window, so it is not shifted.
    fn read(
        &self,
        index: usize,
        _shift: isize,
        values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        let (at, ..) = self.places[index];
        self.samples.read(at * self.size as u64, values)
    }
}
