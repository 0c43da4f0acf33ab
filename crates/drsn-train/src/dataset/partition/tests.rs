//! Files and parts of recordings in their subsets.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::dataset::files::{Entry, Listing};

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
    assert!(error.contains("or split by group: --set 'data.split={by=\"group\""), "{error}");
}

/// Regression: of folders `train` and `test` above those of the classes it was said that the groups
/// are none.
#[test]
fn a_split_by_group_of_files_without_groups_says_what_was_found_and_what_to_do() {
    let refused = |subsets: [Option<Subset>; 2]| {
        let files: Vec<_> = (0..).zip(subsets).map(|(class, s)| (class, None, s)).collect();
        assign(&listing(&files), &by_group("test", 0.1)).unwrap_err().to_string()
    };
    let said = refused([Some(Subset::Training), Some(Subset::Test)]);
    for part in [
        "names the group \"test\", to which nothing belongs; no file has a group",
        "0.wav as training data, by the column split or the name of a folder",
        "to follow that, use --set 'data.split={by=\"list\", held_out_share=0.1}'",
        "to split by group, fill the column group of the index, or put the files into a folder",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let said = refused([None, None]);
    assert!(said.contains("no file has a group: fill the column group"), "{said}");
    assert!(!said.contains("declared"), "{said}");
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
