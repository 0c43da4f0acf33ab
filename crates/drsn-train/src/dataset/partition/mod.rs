//! Assignment of files, and of parts of recordings, to the training, held-out and test subsets.

mod assign;

use std::ops::Range;

use rand::seq::SliceRandom as _;

use super::subset::Subset;
use crate::{
    random::{Purpose, stream},
    recipe::Split,
};

pub(super) use assign::assign;

/// Rejects invalid shares of a split.
pub(super) fn check_shares(split: &Split) -> Result<(), String> {
    let (training, shares) = match split {
        Split::Time { training, held_out } => (*training, vec![*training, *held_out]),
        Split::Group { held_out_share, .. } | Split::List { held_out_share } => {
            (1.0 - held_out_share, vec![*held_out_share])
        }
        Split::Random { held_out, test } => (1.0 - held_out - test, vec![*held_out, *test]),
    };
    let is_share = |share: &f64| (0.0..=1.0).contains(share);
    // Decimal fractions that add up to 1 may exceed it slightly in binary.
    if training > 0.0 && shares.iter().all(is_share) && shares.iter().sum::<f64>() < 1.0 + 1e-9 {
        return Ok(());
    }
    Err("the shares of data.split must be between 0 and 1, at most 1 together, and leave data to \
         train on"
        .to_owned())
}

/// Whether the split divides each recording of a subset in time.
pub(super) fn divides(split: &Split, subset: Subset) -> bool {
    match split {
        Split::Time { .. } => true,
        Split::Group { held_out, held_out_share, .. } => {
            held_out.is_empty() && *held_out_share > 0.0 && subset == Subset::Training
        }
        Split::List { held_out_share } => *held_out_share > 0.0 && subset == Subset::Training,
        Split::Random { .. } => false,
    }
}

/// Splits a recording of `length` samples in time, into adjacent ranges. `subset` is that of its
/// file.
pub(super) fn parts(split: &Split, subset: Subset, length: usize) -> Vec<(Subset, Range<usize>)> {
    let share = |share: f64| ((length as f64 * share).round() as usize).min(length);
    if !divides(split, subset) {
        return vec![(subset, 0..length)];
    }
    let [first, second] = match split {
        Split::Time { training, held_out } => [share(*training), share(training + held_out)],
        Split::Group { held_out_share, .. } | Split::List { held_out_share } => {
            [share(1.0 - held_out_share), length]
        }
        Split::Random { .. } => [length, length],
    };
    let parts = [
        (Subset::Training, 0..first),
        (Subset::HeldOut, first..second),
        (Subset::Test, second..length),
    ];
    parts.into_iter().filter(|(_, range)| !range.is_empty()).collect()
}

/// Moves shares of the training files of each class to the held-out and test subsets, if the split
/// asks for shares.
///
/// `classes` has the class of each file, of each window that was cut beforehand, or of each recording
/// that is too short to be divided in time.
pub(super) fn draw(classes: &[usize], split: &Split, seed: u64, subsets: &mut [Subset]) {
    let mut of_class: Vec<Vec<usize>> = Vec::new();
    for (file, &class) in classes.iter().enumerate() {
        if of_class.len() <= class {
            of_class.resize(class + 1, Vec::new());
        }
        if subsets[file] == Subset::Training {
            of_class[class].push(file);
        }
    }
    for (class, mut files) in of_class.into_iter().enumerate() {
        let count = |share: f64| (files.len() as f64 * share).round() as usize;
        let (held_out, test) = match split {
            Split::Random { held_out, test } => {
                let counts = (count(*held_out), count(*test));
                files.shuffle(&mut stream(seed, Purpose::Files, class as u64, 0));
                counts
            }
            Split::Group { held_out, held_out_share, .. } if held_out.is_empty() => {
                (count(*held_out_share), 0)
            }
            Split::List { held_out_share } => {
                let held_out = count(*held_out_share);
                files.shuffle(&mut stream(seed, Purpose::Files, class as u64, 0));
                (held_out, 0)
            }
            Split::Time { training, held_out } => {
                let test = (1.0 - training - held_out).max(0.0);
                let counts = (count(*held_out), count(test));
                files.shuffle(&mut stream(seed, Purpose::Files, class as u64, 0));
                counts
            }
            Split::Group { .. } => return,
        };
        // From the end: the split by group holds out the last files.
        let mut last = files.into_iter().rev();
        last.by_ref().take(held_out).for_each(|file| subsets[file] = Subset::HeldOut);
        last.take(test).for_each(|file| subsets[file] = Subset::Test);
    }
}

/// Describes a split in words.
pub(crate) fn describe(split: &Split) -> String {
    let percent = |share: &f64| format!("{} %", (share * 1000.0).round() / 10.0);
    match split {
        Split::Time { training, held_out } => format!(
            "each recording split in time: the first {} trained on, the next {} held out, the \
             rest tested on",
            percent(training),
            percent(held_out)
        ),
        Split::Group { test, held_out, held_out_share } => {
            let held_out = if held_out.is_empty() {
                format!("the last {} of the others held out", percent(held_out_share))
            } else {
                format!("{} held out", held_out.join(", "))
            };
            format!("split by group: {} tested on, {held_out}", test.join(", "))
        }
        Split::List { held_out_share } if *held_out_share > 0.0 => {
            format!(
                "split by its own list, {} of the training data held out",
                percent(held_out_share)
            )
        }
        Split::List { .. } => "split by its own list".to_owned(),
        Split::Random { held_out, test } => {
            format!("split at random: {} held out, {} tested on", percent(held_out), percent(test))
        }
    }
}

#[cfg(test)]
mod tests;
