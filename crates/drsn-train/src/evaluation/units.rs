//! Which inputs belong together: windows of one recording, and inputs of one file or group.

use std::collections::BTreeMap;

use super::interval::IndependentUnit;
use crate::dataset::{Origin, Part};

/// The independent units of a data set, and its recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    pub(super) unit: IndependentUnit,
    /// The independent unit of each input, by its number from 0.
    pub(super) of_input: Vec<usize>,
    /// Recordings with the places of their windows among the inputs; empty if the inputs are not
    /// windows of recordings.
    pub(super) recordings: Vec<Vec<usize>>,
}

impl Units {
    /// Inputs that are independent of one another.
    pub fn independent(inputs: usize) -> Self {
        Self {
            unit: IndependentUnit::Inputs,
            of_input: (0..inputs).collect(),
            recordings: Vec::new(),
        }
    }

    /// The units of a part of a data set: its groups if all inputs have one, otherwise the files
    /// of recordings, otherwise single inputs.
    pub fn of(part: &Part) -> Self {
        let origins: Vec<Origin<'_>> =
            part.indices.iter().map(|&index| part.source.origin(index)).collect();
        let Some(recordings) = numbered(origins.iter().map(|origin| origin.recording)) else {
            return match numbered(origins.iter().map(|origin| origin.group)) {
                Some(of_input) => {
                    Self { unit: IndependentUnit::Groups, of_input, recordings: Vec::new() }
                }
                None => Self::independent(origins.len()),
            };
        };
        let (unit, of_input) = match numbered(origins.iter().map(|origin| origin.group)) {
            Some(groups) => (IndependentUnit::Groups, groups),
            None => (
                IndependentUnit::Files,
                numbered(origins.iter().map(|origin| origin.file)).unwrap_or_default(),
            ),
        };
        let mut windows = vec![Vec::new(); recordings.iter().max().map_or(0, |last| last + 1)];
        for (input, &recording) in recordings.iter().enumerate() {
            windows[recording].push(input);
        }
        Self { unit, of_input, recordings: windows }
    }

    /// Correct and all members of each unit; `of_member` has their units, and `right` whether they
    /// are correct.
    pub(super) fn counts(
        of_member: impl Iterator<Item = usize>,
        right: impl Iterator<Item = bool>,
    ) -> Vec<(usize, usize)> {
        let mut counts: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (unit, right) in of_member.zip(right) {
            let count = counts.entry(unit).or_default();
            *count = (count.0 + usize::from(right), count.1 + 1);
        }
        counts.into_values().collect()
    }
}

/// Numbers names from 0 in their order; `None` if one is missing or there are none.
fn numbered<K: Ord>(names: impl Iterator<Item = Option<K>>) -> Option<Vec<usize>> {
    let names: Vec<K> = names.collect::<Option<_>>()?;
    let mut places: BTreeMap<&K, usize> = names.iter().map(|name| (name, 0)).collect();
    (0..).zip(places.values_mut()).for_each(|(place, value)| *value = place);
    let numbers: Vec<usize> = names.iter().filter_map(|name| places.get(name).copied()).collect();
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::ArrayViewMutD;

    use super::*;
    use crate::dataset::{DatasetError, DatasetSource};

    /// Inputs by file, recording and group.
    #[derive(Debug)]
    struct Made(Vec<(&'static str, Option<usize>, Option<&'static str>)>);

    impl DatasetSource for Made {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn label(&self, _: usize) -> usize {
            0
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn origin(&self, index: usize) -> Origin<'_> {
            let (file, recording, group) = self.0[index];
            Origin { file: Some(file), recording, group, ..Origin::default() }
        }

        fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
            Ok(())
        }
    }

    fn units(inputs: Vec<(&'static str, Option<usize>, Option<&'static str>)>) -> Units {
        let indices = (0..inputs.len()).collect();
        Units::of(&Part { source: Arc::new(Made(inputs)), indices })
    }

    #[test]
    fn windows_are_grouped_by_group_then_by_file_and_vote_by_recording() {
        // Two annotated parts of one file are two recordings, but one file.
        let files = units(vec![("b", Some(4), None), ("a", Some(2), None), ("a", Some(1), None)]);
        assert_eq!((files.unit, &files.of_input[..]), (IndependentUnit::Files, &[1, 0, 0][..]));
        assert_eq!(files.recordings, [vec![2], vec![1], vec![0]]);
        let grouped = units(vec![("a", Some(1), Some("x")), ("b", Some(2), Some("x"))]);
        assert_eq!((grouped.unit, &grouped.of_input[..]), (IndependentUnit::Groups, &[0, 0][..]));
        // A group that is not known of every input cannot be counted by.
        let partly = units(vec![("a", Some(1), Some("x")), ("b", Some(2), None)]);
        assert_eq!(partly.unit, IndependentUnit::Files);
    }

    #[test]
    fn pictures_are_independent_unless_they_have_groups() {
        assert_eq!(units(vec![("a", None, None), ("a", None, None)]), Units::independent(2));
        let grouped = units(vec![("a", None, Some("x")), ("a", None, Some("y"))]);
        assert_eq!(grouped.unit, IndependentUnit::Groups);
        assert!(grouped.recordings.is_empty());
    }
}
