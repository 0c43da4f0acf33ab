//! Which files, and which parts of a recording, are trained on, held out and tested on.

use std::{collections::BTreeSet, ops::Range};

use rand::seq::SliceRandom as _;

use super::{
    DatasetError,
    listing::{Listing, Side},
};
use crate::{
    random::{Purpose, stream},
    recipe::Split,
};

/// Refuses shares that are none.
pub(super) fn check_shares(split: &Split) -> Result<(), String> {
    let (training, shares) = match split {
        Split::Time { training, held_out } => (*training, vec![*training, *held_out]),
        Split::Group { held_out_share, .. } => (1.0 - held_out_share, vec![*held_out_share]),
        Split::Random { held_out, test } => (1.0 - held_out - test, vec![*held_out, *test]),
        Split::List => return Ok(()),
    };
    let is_share = |share: &f64| (0.0..=1.0).contains(share);
    // A little more than one is a sum of decimal fractions that are one together.
    if training > 0.0 && shares.iter().all(is_share) && shares.iter().sum::<f64>() < 1.0 + 1e-9 {
        return Ok(());
    }
    Err("the shares of the split must be between 0 and 1, together at most 1, and leave some data to train on"
        .to_owned())
}

/// The side of each file, as far as whole files are split: by time, all are on the first.
pub(super) fn sides(listing: &Listing, split: &Split) -> Result<Vec<Side>, DatasetError> {
    let told = listing.entries.iter().find(|entry| entry.side.is_some());
    if let Some(entry) = told.filter(|_| *split != Split::List) {
        return Err(listing.unusable(format!(
            "{} is said to be for training, held-out or test, and the recipe splits otherwise: follow what is said with \
             --set 'data.split={{by=\"list\"}}', or leave out the column split and folders of these names",
            entry.name
        )));
    }
    match split {
        Split::Time { .. } | Split::Random { .. } => {
            Ok(vec![Side::Training; listing.entries.len()])
        }
        Split::List => listing
            .entries
            .iter()
            .map(|entry| {
                entry.side.ok_or_else(|| {
                    listing.unusable(format!(
                        "{} is not said to be training, held-out or test: fill the column split of the index, or \
                         name folders so",
                        entry.name
                    ))
                })
            })
            .collect(),
        Split::Group { test, held_out, .. } => by_group(listing, test, held_out),
    }
}

fn by_group(
    listing: &Listing,
    test: &[String],
    held_out: &[String],
) -> Result<Vec<Side>, DatasetError> {
    let groups: BTreeSet<&String> =
        listing.entries.iter().filter_map(|entry| entry.group.as_ref()).collect();
    if let Some(unknown) = test.iter().chain(held_out).find(|group| !groups.contains(group)) {
        let groups: Vec<&str> = groups.into_iter().map(String::as_str).take(20).collect();
        return Err(listing.unusable(format!(
            "no file is of group \"{unknown}\", which the split names; the groups are {}",
            if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }
        )));
    }
    listing
        .entries
        .iter()
        .map(|entry| match &entry.group {
            Some(group) if test.contains(group) => Ok(Side::Test),
            Some(group) if held_out.contains(group) => Ok(Side::HeldOut),
            Some(_) => Ok(Side::Training),
            None => Err(listing.unusable(format!(
                "{} is of no group, and the split is by group: fill the column group of the index, or put files into \
                 folders of their group inside those of their class",
                entry.name
            ))),
        })
        .collect()
}

/// Splits a recording of a side and a length in time: parts that follow one another without a gap.
pub(super) fn parts(split: &Split, side: Side, length: usize) -> Vec<(Side, Range<usize>)> {
    let share = |share: f64| ((length as f64 * share).round() as usize).min(length);
    let bounds = match split {
        Split::Time { training, held_out } => [share(*training), share(training + held_out)],
        Split::Group { held_out, held_out_share, .. }
            if held_out.is_empty() && side == Side::Training =>
        {
            [share(1.0 - held_out_share), length]
        }
        Split::Group { .. } | Split::List | Split::Random { .. } => return vec![(side, 0..length)],
    };
    let [first, second] = bounds;
    let parts =
        [(Side::Training, 0..first), (Side::HeldOut, first..second), (Side::Test, second..length)];
    parts.into_iter().filter(|(_, range)| !range.is_empty()).collect()
}

/// Holds whole files out, and takes others for the test, class by class, where the split asks for shares of them.
pub(super) fn share_out(listing: &Listing, split: &Split, seed: u64, sides: &mut [Side]) {
    for class in 0..listing.classes.len() {
        let mut files: Vec<usize> = (0..sides.len())
            .filter(|&i| listing.entries[i].class == class && sides[i] == Side::Training)
            .collect();
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
            Split::Group { .. } | Split::List | Split::Time { .. } => return,
        };
        // From the end: by group it is the last files that are held out.
        let mut last = files.into_iter().rev();
        last.by_ref().take(held_out).for_each(|file| sides[file] = Side::HeldOut);
        last.take(test).for_each(|file| sides[file] = Side::Test);
    }
}

/// What a split does, for descriptions.
pub(crate) fn in_words(split: &Split) -> String {
    let percent = |share: &f64| format!("{} %", (share * 1000.0).round() / 10.0);
    match split {
        Split::Time { training, held_out } => format!(
            "each recording split in time: the first {} trained on, the next {} held out, the rest tested on",
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
        Split::List => "split by its own list".to_owned(),
        Split::Random { held_out, test } => format!(
            "files split at random: {} held out, {} tested on",
            percent(held_out),
            percent(test)
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::dataset::listing::Entry;

    fn listing(files: &[(usize, Option<&str>, Option<Side>)]) -> Listing {
        let entries = files.iter().enumerate().map(|(index, &(class, group, side))| Entry {
            name: format!("{index}.wav"),
            class,
            group: group.map(str::to_owned),
            side,
            ..Entry::default()
        });
        Listing {
            origin: PathBuf::from("data"),
            classes: vec!["a".to_owned(), "b".to_owned()],
            entries: entries.collect(),
        }
    }

    fn by_group(test: &str, held_out_share: f64) -> Split {
        Split::Group { test: vec![test.to_owned()], held_out: Vec::new(), held_out_share }
    }

    #[test]
    fn groups_go_whole_to_their_side() {
        let files = [(0, Some("x"), None), (0, Some("y"), None), (1, Some("x"), None)];
        let sides = sides(&listing(&files), &by_group("x", 0.5)).unwrap();
        assert_eq!(sides, [Side::Test, Side::Training, Side::Test]);
        assert_eq!(parts(&by_group("x", 0.5), Side::Test, 10), [(Side::Test, 0..10)]);
        assert_eq!(
            parts(&by_group("x", 0.5), Side::Training, 10),
            [(Side::Training, 0..5), (Side::HeldOut, 5..10)]
        );
    }

    #[test]
    fn unknown_groups_and_files_without_one_are_named() {
        let groups = listing(&[(0, Some("x"), None), (1, Some("y"), None)]);
        let error = sides(&groups, &by_group("z", 0.1)).unwrap_err().to_string();
        assert!(error.contains("\"z\"") && error.contains("x, y"), "{error}");
        let bare = listing(&[(0, Some("x"), None), (1, None, None)]);
        let error = sides(&bare, &by_group("x", 0.1)).unwrap_err().to_string();
        assert!(error.contains("1.wav is of no group"), "{error}");
        let error = sides(&bare, &Split::List).unwrap_err().to_string();
        assert!(error.contains("0.wav is not said"), "{error}");
    }

    /// A folder `test` that was not asked for was trained on in part.
    #[test]
    fn sides_that_files_are_said_to_be_on_are_refused_where_the_split_would_not_follow_them() {
        let told = listing(&[(0, Some("x"), None), (1, Some("x"), Some(Side::Test))]);
        let time = Split::Time { training: 0.6, held_out: 0.1 };
        let random = Split::Random { held_out: 0.1, test: 0.2 };
        for split in [time, random, by_group("x", 0.1)] {
            let error = sides(&told, &split).unwrap_err().to_string();
            let cure = "1.wav is said to be for training, held-out or test";
            assert!(error.contains(cure) && error.contains("data.split={by=\"list\"}"), "{error}");
        }
        let told = listing(&[(0, None, Some(Side::Training)), (1, None, Some(Side::Test))]);
        assert_eq!(sides(&told, &Split::List).unwrap(), [Side::Training, Side::Test]);
    }

    #[test]
    fn files_are_shared_out_class_by_class_by_the_seed() {
        let files: Vec<_> = (0..60).map(|index| (usize::from(index >= 20), None, None)).collect();
        let (listing, split) = (listing(&files), Split::Random { held_out: 0.1, test: 0.2 });
        let share = |seed| {
            let mut sides = sides(&listing, &split).unwrap();
            share_out(&listing, &split, seed, &mut sides);
            sides
        };
        let sides = share(1);
        let count = |sides: &[Side], side| sides.iter().filter(|&&s| s == side).count();
        assert_eq!((count(&sides[..20], Side::HeldOut), count(&sides[..20], Side::Test)), (2, 4));
        assert_eq!((count(&sides[20..], Side::HeldOut), count(&sides[20..], Side::Test)), (4, 8));
        assert_eq!(share(1), sides);
        assert_ne!(share(2), sides);
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        for (training, held_out) in [(0.0, 0.5), (0.9, 0.2), (f64::NAN, 0.1), (0.5, -0.1)] {
            assert!(check_shares(&Split::Time { training, held_out }).is_err());
        }
        assert!(check_shares(&Split::Time { training: 0.7, held_out: 0.3 }).is_ok());
    }

    proptest! {
        #[test]
        fn parts_in_time_cover_the_recording_without_overlap(
            length in 0_usize..100_000, training in 0.01_f64..0.9, held_out in 0.0_f64..0.1
        ) {
            let parts = parts(&Split::Time { training, held_out }, Side::Training, length);
            let mut end = 0;
            for (_, range) in &parts {
                prop_assert_eq!(range.start, end);
                end = range.end;
            }
            prop_assert_eq!(end, length);
        }
    }
}
