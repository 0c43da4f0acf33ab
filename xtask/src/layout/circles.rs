//! Files that use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::arrows::Arrow;

/// The circles that arrows draw, each with its files in order. What a parent module uses of its own children is left
/// out.
pub(super) fn circles(arrows: &[Arrow]) -> Vec<Vec<String>> {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows.iter().filter(|arrow| !is_parent(&arrow.from, &arrow.to)) {
        uses.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|&file| (file, reached(file, &uses))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (&file, reached) in &reach {
        if reached.contains(file) {
            let circle = reached
                .iter()
                .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
            circles.insert(circle.map(|&other| other.to_owned()).collect());
        }
    }
    circles.into_iter().collect()
}

/// Whether `to` lies in the folder whose module `from` is.
fn is_parent(from: &str, to: &str) -> bool {
    match from.strip_suffix("mod.rs") {
        Some(folder) => to.starts_with(folder),
        None => from == "lib.rs" || from == "main.rs",
    }
}

/// Every file that a file uses, directly or by way of others.
fn reached<'a>(file: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for &used in uses.get(file).into_iter().flatten() {
            if reached.insert(used) {
                next.push(used);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arrows: &[(&str, &str)]) -> Vec<Vec<String>> {
        let arrow = |&(from, to): &(&str, &str)| Arrow {
            from: from.to_owned(),
            to: to.to_owned(),
            path: String::new(),
        };
        circles(&arrows.iter().map(arrow).collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_is_told_once_with_all_its_files() {
        let arrows = [("a.rs", "b.rs"), ("b.rs", "c.rs"), ("c.rs", "a.rs"), ("a.rs", "d.rs")];
        assert_eq!(found(&arrows), [["a.rs", "b.rs", "c.rs"]]);
        assert!(found(&arrows[..2]).is_empty());
    }

    #[test]
    fn a_parent_may_use_its_children_and_they_their_parent() {
        assert!(found(&[("a/mod.rs", "a/b.rs"), ("a/b.rs", "a/mod.rs")]).is_empty());
        assert_eq!(found(&[("a/b.rs", "a/c.rs"), ("a/c.rs", "a/b.rs")]).len(), 1);
    }
}
