//! Assignment of files, and of parts of recordings, to the training, held-out and test subsets.

use std::{collections::BTreeSet, ops::Range};

use rand::seq::SliceRandom as _;

use super::{
    DatasetError,
    files::{Entry, Listing},
    subset::Subset,
};
use crate::{
    random::{Purpose, stream},
    recipe::Split,
};

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

/// Assigns each file to a subset, as far as the split assigns whole files; by time and at random,
/// all are assigned to training first.
pub(super) fn assign(listing: &Listing, split: &Split) -> Result<Vec<Subset>, DatasetError> {
    match split {
        Split::Time { .. } | Split::Random { .. } => {
            refuse_declared(listing, listing.entries.iter().find(|entry| entry.subset.is_some()))?;
            Ok(vec![Subset::Training; listing.entries.len()])
        }
        Split::List { held_out_share } => by_list(listing, *held_out_share),
        Split::Group { test, held_out, .. } => {
            let subsets = by_group(listing, test, held_out)?;
            let mut files = listing.entries.iter().zip(&subsets);
            let contrary = files.find(|(entry, subset)| !follows(entry, **subset));
            refuse_declared(listing, contrary.map(|(entry, _)| entry))?;
            Ok(subsets)
        }
    }
}

/// Whether a file is declared for nothing else. The group of a file may be the folder that declares
/// it, such as `test`.
fn follows(entry: &Entry, subset: Subset) -> bool {
    let group = entry.group.as_deref().and_then(Subset::from_name);
    entry.subset.is_none_or(|declared| declared == subset && group == Some(subset))
}

/// Refuses a file that is declared for something, which the split would not follow.
fn refuse_declared(listing: &Listing, declared: Option<&Entry>) -> Result<(), DatasetError> {
    let Some((entry, subset)) = declared.and_then(|entry| Some((entry, entry.subset?))) else {
        return Ok(());
    };
    let share = if holds_out(listing) { "" } else { ", held_out_share=0.1" };
    Err(listing.unusable(format!(
        "{} is declared as {} data by the column split or the name of a folder, file or array, but \
         the recipe splits differently: use --set 'data.split={{by=\"list\"{share}}}', or remove \
         the column or rename the folder",
        entry.name,
        subset.name()
    )))
}

/// Whether the list holds files out.
fn holds_out(listing: &Listing) -> bool {
    listing.entries.iter().any(|entry| entry.subset == Some(Subset::HeldOut))
}

fn by_list(listing: &Listing, held_out_share: f64) -> Result<Vec<Subset>, DatasetError> {
    if held_out_share > 0.0 && holds_out(listing) {
        return Err(listing.unusable(
            "it declares held-out data, so data.split must not have a held_out_share: use --set \
             'data.split={by=\"list\"}'",
        ));
    }
    let declared = listing.entries.iter().map(|entry| {
        entry.subset.ok_or_else(|| {
            listing.unusable(format!(
                "{} is not declared as training, held-out or test data: fill the column split of \
                 the index, or put it into a folder with one of these names",
                entry.name
            ))
        })
    });
    declared.collect()
}

fn by_group(
    listing: &Listing,
    test: &[String],
    held_out: &[String],
) -> Result<Vec<Subset>, DatasetError> {
    let groups: BTreeSet<&String> =
        listing.entries.iter().filter_map(|entry| entry.group.as_ref()).collect();
    if let Some(unknown) = test.iter().chain(held_out).find(|group| !groups.contains(group)) {
        let groups: Vec<&str> = groups.into_iter().map(String::as_str).take(20).collect();
        return Err(listing.unusable(format!(
            "data.split names the group \"{unknown}\", to which nothing belongs; the groups are {}",
            if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }
        )));
    }
    listing
        .entries
        .iter()
        .map(|entry| match &entry.group {
            Some(group) if test.contains(group) => Ok(Subset::Test),
            Some(group) if held_out.contains(group) => Ok(Subset::HeldOut),
            Some(_) => Ok(Subset::Training),
            None => Err(listing.unusable(format!(
                "{} has no group, but data.split is by group: fill the column group of the index, \
                 or put the files into a folder for each group inside the folder of their class",
                entry.name
            ))),
        })
        .collect()
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
/// `classes` has the class of each file, or of each window that was cut beforehand.
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
            Split::Group { .. } | Split::Time { .. } => return,
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
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn listing(files: &[(usize, Option<&str>, Option<Subset>)]) -> Listing {
        let entries = files.iter().enumerate().map(|(index, &(class, group, subset))| Entry {
            name: format!("{index}.wav"),
            class,
            group: group.map(str::to_owned),
            subset,
            ..Entry::default()
        });
        Listing {
            origin: PathBuf::from("data"),
            classes: vec!["a".to_owned(), "b".to_owned()],
            entries: entries.collect(),
            ..Listing::default()
        }
    }

    fn by_group(test: &str, held_out_share: f64) -> Split {
        Split::Group { test: vec![test.to_owned()], held_out: Vec::new(), held_out_share }
    }

    #[test]
    fn groups_go_whole_to_their_subset() {
        let files = [(0, Some("x"), None), (0, Some("y"), None), (1, Some("x"), None)];
        let subsets = assign(&listing(&files), &by_group("x", 0.5)).unwrap();
        assert_eq!(subsets, [Subset::Test, Subset::Training, Subset::Test]);
        assert_eq!(parts(&by_group("x", 0.5), Subset::Test, 10), [(Subset::Test, 0..10)]);
        assert_eq!(
            parts(&by_group("x", 0.5), Subset::Training, 10),
            [(Subset::Training, 0..5), (Subset::HeldOut, 5..10)]
        );
    }

    #[test]
    fn unknown_groups_and_files_without_one_are_named() {
        let groups = listing(&[(0, Some("x"), None), (1, Some("y"), None)]);
        let error = assign(&groups, &by_group("z", 0.1)).unwrap_err().to_string();
        assert!(error.contains("\"z\"") && error.contains("x, y"), "{error}");
        let bare = listing(&[(0, Some("x"), None), (1, None, None)]);
        let error = assign(&bare, &by_group("x", 0.1)).unwrap_err().to_string();
        assert!(error.contains("1.wav has no group"), "{error}");
        let error = assign(&bare, &Split::List { held_out_share: 0.0 }).unwrap_err().to_string();
        assert!(error.contains("0.wav is not declared"), "{error}");
    }

    /// Part of a folder `test` was once trained on, because the split ignored it.
    #[test]
    fn declared_subsets_are_refused_if_the_split_would_not_follow_them() {
        let declared = listing(&[(0, Some("x"), None), (1, Some("x"), Some(Subset::Test))]);
        let time = Split::Time { training: 0.6, held_out: 0.1 };
        let random = Split::Random { held_out: 0.1, test: 0.2 };
        for split in [time, random, by_group("x", 0.1)] {
            let error = assign(&declared, &split).unwrap_err().to_string();
            let cure = "1.wav is declared as test data";
            assert!(error.contains(cure) && error.contains("data.split={by=\"list\""), "{error}");
        }
        let declared = listing(&[(0, None, Some(Subset::Training)), (1, None, Some(Subset::Test))]);
        assert_eq!(
            assign(&declared, &Split::List { held_out_share: 0.0 }).unwrap(),
            [Subset::Training, Subset::Test]
        );
    }

    #[test]
    fn files_are_drawn_class_by_class_by_the_seed() {
        let files: Vec<_> = (0..60).map(|index| (usize::from(index >= 20), None, None)).collect();
        let (listing, split) = (listing(&files), Split::Random { held_out: 0.1, test: 0.2 });
        let share = |seed| {
            let mut subsets = assign(&listing, &split).unwrap();
            let classes: Vec<usize> = listing.entries.iter().map(|entry| entry.class).collect();
            draw(&classes, &split, seed, &mut subsets);
            subsets
        };
        let subsets = share(1);
        let count = |subsets: &[Subset], subset| subsets.iter().filter(|&&s| s == subset).count();
        assert_eq!(
            (count(&subsets[..20], Subset::HeldOut), count(&subsets[..20], Subset::Test)),
            (2, 4)
        );
        assert_eq!(
            (count(&subsets[20..], Subset::HeldOut), count(&subsets[20..], Subset::Test)),
            (4, 8)
        );
        assert_eq!(share(1), subsets);
        assert_ne!(share(2), subsets);
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
            let parts = parts(&Split::Time { training, held_out }, Subset::Training, length);
            let mut end = 0;
            for (_, range) in &parts {
                prop_assert_eq!(range.start, end);
                end = range.end;
            }
            prop_assert_eq!(end, length);
        }
    }
}
