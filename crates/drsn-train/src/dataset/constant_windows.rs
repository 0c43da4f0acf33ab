//! Counts the windows in which a channel is constant: they cannot be normalised, so they are left
//! out.

use std::collections::BTreeMap;

use super::note::Note;

/// Names that are kept: more than a note shows.
const NAMED: usize = 10;

/// How many windows are constant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// All windows.
    pub(super) windows: usize,
    /// Those in which a channel is constant.
    pub(super) constant: usize,
}

/// The windows of a data set, by class.
#[derive(Debug, Default)]
pub(super) struct ConstantWindows {
    of_class: BTreeMap<usize, Counts>,
    /// Where the first constant ones are.
    names: Vec<String>,
}

impl ConstantWindows {
    /// Adds windows of a class; `name` says where they are, if one is constant.
    pub(super) fn add(&mut self, class: usize, counts: Counts, name: impl FnOnce() -> String) {
        let Counts { windows, constant } = counts;
        let of_class = self.of_class.entry(class).or_default();
        of_class.windows += windows;
        of_class.constant += constant;
        if constant > 0 && self.names.len() < NAMED {
            self.names.push(name());
        }
    }

    /// Rejects a data set in which most windows of a class are constant: that is no fault of a few
    /// moments.
    pub(super) fn check(&self, class: impl Fn(usize) -> String) -> Result<(), String> {
        let most = |(_, counts): &(&usize, &Counts)| 2 * counts.constant > counts.windows;
        let Some((&index, Counts { windows, constant })) = self.of_class.iter().find(most) else {
            return Ok(());
        };
        Err(format!(
            "a channel is constant, as that of a dead sensor is, in {constant} of the {windows} \
             windows of the class \"{}\": use other recordings or channels, or leave such windows \
             out all the same with --skip-bad",
            class(index)
        ))
    }

    /// Tells how many were left out, and where.
    pub(super) fn note(&self) -> Option<Note> {
        let sum = |of: fn(&Counts) -> usize| self.of_class.values().map(of).sum::<usize>();
        let (windows, constant) = (sum(|c| c.windows), sum(|c| c.constant));
        let text =
            format!("{constant} of {windows} windows were left out because a channel is constant");
        (constant > 0).then(|| Note::new(text, self.names.iter().map(String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_windows_are_counted_by_class_and_refused_if_they_are_the_most() {
        let mut set = ConstantWindows::default();
        let name = |class: usize| ["new", "worn"][class].to_owned();
        assert_eq!((set.note(), set.check(name)), (None, Ok(())));
        let add = |set: &mut ConstantWindows, class, windows, constant| {
            set.add(class, Counts { windows, constant }, || format!("{constant} here"));
        };
        add(&mut set, 0, 100, 0);
        add(&mut set, 1, 7, 3);
        add(&mut set, 1, 1, 1);
        assert_eq!(set.check(name), Ok(()));
        let told = "4 of 108 windows were left out because a channel is constant: 3 here, 1 here";
        assert_eq!(set.note().unwrap().to_string(), told);
        add(&mut set, 1, 1, 1);
        let refusal = set.check(name).unwrap_err();
        assert!(refusal.contains("in 5 of the 9 windows of the class \"worn\""), "{refusal}");
    }
}
