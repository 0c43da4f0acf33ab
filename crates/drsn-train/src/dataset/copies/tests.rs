//! The same data twice.

use std::fs;

use super::*;
use crate::dataset::files::Entry;

/// Entries of files of these names; the first letter of a name decides the contents.
fn listing(folder: &Path, entries: Vec<Entry>) -> Listing {
    let entries = entries.into_iter().map(|entry| {
        let path = folder.join(&entry.name);
        if !path.exists() {
            fs::write(&path, &entry.name[..1]).unwrap();
        }
        Entry { path, ..entry }
    });
    Listing {
        origin: "data".into(),
        classes: vec!["new".to_owned(), "worn".to_owned()],
        entries: entries.collect(),
        ..Listing::default()
    }
}

fn entry(name: &str, class: usize) -> Entry {
    Entry { name: name.to_owned(), class, ..Entry::default() }
}

fn part(name: &str, class: usize, start_s: f64, stop_s: f64) -> Entry {
    Entry { start_s: Some(start_s), stop_s: Some(stop_s), ..entry(name, class) }
}

/// The notes, or what is refused; the subsets are one letter each.
fn check(entries: Vec<Entry>, subsets: &str, divides: bool) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let listing = listing(folder.path(), entries);
    let subsets: Vec<Subset> = subsets
        .chars()
        .map(|letter| match letter {
            'r' => Subset::Training,
            'h' => Subset::HeldOut,
            _ => Subset::Test,
        })
        .collect();
    let notes = Copies::find(&listing).check(&listing, &subsets, |_| divides);
    notes
        .map(|notes| notes.iter().map(ToString::to_string).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn copies_on_two_sides_of_a_split_are_refused_by_name() {
    for other in ['h', 't'] {
        let entries = vec![entry("a1", 0), entry("b", 1), entry("a2", 0)];
        let said = check(entries, &format!("rr{other}"), false).unwrap_err();
        let side = if other == 'h' { "held-out" } else { "test" };
        assert!(said.contains("on two sides of the split"), "{said}");
        assert!(said.contains(&format!("a1 (new, training) and a2 (new, {side})")), "{said}");
    }
    let many = (0..6).map(|n| entry(&format!("a{n}"), 0)).collect();
    let said = check(many, "rttttt", false).unwrap_err();
    assert!(said.contains("and 2 more"), "{said}");
}

#[test]
fn copies_under_two_labels_are_refused_by_name() {
    let said = check(vec![entry("a1", 0), entry("a2", 1)], "rr", false).unwrap_err();
    let pair = "under two labels: a1 (new, training) and a2 (worn, training)";
    assert!(said.contains(pair), "{said}");
    let said = check(vec![entry("a", 0), entry("a", 1)], "rr", true).unwrap_err();
    assert!(said.contains("under two labels: a (new, training) and a (worn, training)"), "{said}");
}

#[test]
fn copies_on_one_side_with_one_label_are_counted() {
    let entries = vec![entry("a1", 0), entry("a2", 0), entry("a1", 0), entry("b", 0)];
    let notes = check(entries, "tttt", true).unwrap();
    assert_eq!(
        notes,
        ["2 files are there more than once, with the same label on one side: a2, a1"]
    );
    assert!(check(vec![entry("a", 0), entry("b", 1)], "rt", true).unwrap().is_empty());
}

#[test]
fn other_variables_and_channels_of_a_file_are_other_data() {
    let of = |class, variable: Option<&str>, channel: Option<&str>| Entry {
        variable: variable.map(str::to_owned),
        channel: channel.map(str::to_owned),
        ..entry("a", class)
    };
    assert!(check(vec![of(0, Some("x"), None), of(1, Some("y"), None)], "rr", true).is_ok());
    assert!(check(vec![of(0, Some("x"), Some("0")), of(1, None, Some("1"))], "rr", true).is_ok());
    assert!(check(vec![of(0, Some("x"), None), of(1, None, None)], "rr", true).is_err());
    assert!(check(vec![of(0, None, Some("0")), of(1, None, None)], "rr", true).is_err());
}

#[test]
fn parts_of_a_recording_may_be_on_two_sides_only_if_they_do_not_overlap() {
    let parts = |start| vec![part("a", 0, 0.0, 2.0), part("a", 1, start, 4.0)];
    let notes = check(parts(2.0), "rt", false).unwrap();
    assert_eq!(notes, ["1 file is on two sides of the split, in parts that do not overlap: a"]);
    let said = check(parts(1.5), "rt", false).unwrap_err();
    let pair = "a, 0 s to 2 s (new, training) and a, 1.5 s to 4 s (worn, test)";
    assert!(said.contains(pair), "{said}");
    assert!(check(parts(1.5), "rr", false).unwrap_err().contains("under two labels"));
    assert!(check(vec![entry("a", 0), part("a", 0, 1.0, 2.0)], "tr", false).is_err());
}

/// The test part of one of them would be in the training part of the other.
#[test]
fn parts_that_overlap_are_not_divided_in_time() {
    let parts = || vec![part("a", 0, 0.0, 2.0), part("a", 0, 1.0, 3.0)];
    assert!(check(parts(), "rr", true).unwrap_err().contains("each of which is divided in time"));
    assert_eq!(check(parts(), "rr", false).unwrap().len(), 1);
}

#[test]
fn copies_are_drawn_together() {
    let folder = tempfile::tempdir().unwrap();
    let entries = vec![entry("a1", 0), entry("b", 0), entry("a2", 0)];
    let copies = Copies::find(&listing(folder.path(), entries));
    let (training, test) = (Subset::Training, Subset::Test);
    let mut subsets = [test, training, training];
    copies.keep_together(&[training; 3], &mut subsets);
    assert_eq!(subsets, [test, training, test]);
    let mut subsets = [test, training, training];
    copies.keep_together(&[test, training, training], &mut subsets);
    assert_eq!(subsets, [test, training, training]);
}

/// An index of one file under many labels is refused without comparing all pairs.
#[test]
fn many_entries_of_one_file_are_compared_in_bounded_time() {
    let started = std::time::Instant::now();
    let all = (0..20_000).map(|n| part("a", n % 2, n as f64, n as f64 + 1.0)).collect();
    assert!(check(all, &"r".repeat(20_000), true).is_ok());
    let all = (0..2_000).map(|n| entry("a", n % 2)).collect();
    assert!(check(all, &"rt".repeat(1_000), true).unwrap_err().contains("at least"));
    assert!(started.elapsed().as_secs() < 20);
}
