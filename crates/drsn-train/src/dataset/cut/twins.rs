//! The same window twice: refused under two labels and on two sides of a split, and told otherwise.

use std::path::Path;

use super::{collector::Collected, labels::Classes, unusable};
use crate::dataset::{DatasetError, Note, copies::Copies, subset::Subset};

/// Pairs in a message; more are counted.
const SHOWN: usize = 3;

/// Finds windows with the same samples. Those under two labels are refused, or all of them are left
/// out with `skip_bad`.
pub(super) fn find(
    set: &mut Collected,
    classes: &Classes,
    path: &Path,
    skip_bad: bool,
) -> Result<Copies, DatasetError> {
    let class = |index: usize| classes.of(&set.windows[index]);
    let groups = groups(set);
    let mut wrong = Vec::new();
    for group in &groups {
        let first = group[0];
        if let Some(&other) = group.iter().find(|&&index| class(index) != class(first)) {
            wrong.push((first, other, group));
        }
    }
    if wrong.is_empty() {
        return Ok(Copies::of(groups));
    }
    if !skip_bad {
        let name = |index: usize| format!("{} ({})", set.name(index), classes.names[class(index)]);
        let pairs = wrong.iter().map(|&(a, b, _)| format!("{} and {}", name(a), name(b)));
        let what = "under two labels";
        return Err(refusal(path, what, pairs, wrong.len(), "give each window one label"));
    }
    let mut left_out = vec![false; set.windows.len()];
    wrong.iter().flat_map(|(.., group)| group.iter()).for_each(|&index| left_out[index] = true);
    let reason = "the same window has another label as well";
    leave_out(set, &left_out, reason)?;
    Ok(Copies::of(self::groups(set)))
}

/// Refuses windows on two sides of a split. With `skip_bad`, only those on the last side stay: those
/// for the test, or else those held out.
pub(super) fn part(
    copies: &mut Copies,
    set: &mut Collected,
    subsets: &mut Vec<Subset>,
    path: &Path,
    skip_bad: bool,
) -> Result<(), DatasetError> {
    let mut wrong = Vec::new();
    for group in copies.groups() {
        let first = group[0];
        if let Some(&other) = group.iter().find(|&&index| subsets[index] != subsets[first]) {
            wrong.push((first, other, group));
        }
    }
    if !wrong.is_empty() && !skip_bad {
        let name = |index: usize| format!("{} ({})", set.name(index), subsets[index].name());
        let pairs = wrong.iter().map(|&(a, b, _)| format!("{} and {}", name(a), name(b)));
        let what = "on two sides of the split, so a test on it would say nothing";
        return Err(refusal(path, what, pairs, wrong.len(), "leave it on one of them"));
    }
    let mut left_out = vec![false; set.windows.len()];
    for (.., group) in wrong {
        keep_last_side(group, subsets, &mut left_out);
    }
    let repeats = copies.groups().iter().flat_map(|group| {
        let kept = group.iter().copied().filter(|&index| !left_out[index]);
        kept.skip(1)
    });
    let repeated: Vec<usize> = repeats.collect();
    if !repeated.is_empty() {
        let are = match repeated.len() {
            1 => "1 window is".to_owned(),
            count => format!("{count} windows are"),
        };
        let text = format!("{are} there more than once, with the same label on one side");
        let names: Vec<String> = repeated.iter().map(|&index| set.name(index)).take(6).collect();
        set.notes.push(Note::new(text, names));
    }
    if left_out.contains(&true) {
        let mut flags = left_out.iter();
        subsets.retain(|_| !flags.next().copied().unwrap_or(false));
        leave_out(set, &left_out, "the same window is on another side of the split as well")?;
    }
    Ok(())
}

/// Marks the windows of a group that are not on its last side.
fn keep_last_side(group: &[usize], subsets: &[Subset], left_out: &mut [bool]) {
    let sides = [Subset::Test, Subset::HeldOut, Subset::Training];
    let last = sides.into_iter().find(|side| group.iter().any(|&index| subsets[index] == *side));
    for &index in group {
        left_out[index] = Some(subsets[index]) != last;
    }
}

/// Leaves windows out, and counts them.
fn leave_out(set: &mut Collected, left_out: &[bool], reason: &str) -> Result<(), DatasetError> {
    for (window, is_out) in std::mem::take(&mut set.windows).into_iter().zip(left_out) {
        if *is_out {
            set.leave_out(window.origin, window.place, reason, true)?;
        } else {
            set.windows.push(window);
        }
    }
    Ok(())
}

/// Groups of two or more windows with the same samples, in the order of the data.
fn groups(set: &Collected) -> Vec<Vec<usize>> {
    let sum = |index: usize| set.windows[index].sum;
    let mut by_sum: Vec<usize> = (0..set.windows.len()).collect();
    by_sum.sort_by_key(|&index| (sum(index), index));
    let equal = by_sum.chunk_by(|&a, &b| sum(a) == sum(b)).filter(|group| group.len() > 1);
    let mut groups: Vec<Vec<usize>> = equal.map(<[usize]>::to_vec).collect();
    groups.sort_unstable();
    groups
}

fn refusal(
    path: &Path,
    what: &str,
    pairs: impl Iterator<Item = String>,
    count: usize,
    cure: &str,
) -> DatasetError {
    let pairs: Vec<String> = pairs.take(SHOWN).collect();
    let more = match count - pairs.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let reason = format!(
        "the same window is {what}: {}{more}: {cure}, or leave such windows out by --skip-bad",
        pairs.join("; ")
    );
    unusable(path, reason)
}
