//! Assignment of whole files, by what the index or the folders say about them.

use std::collections::BTreeSet;

use crate::{
    dataset::{
        DatasetError,
        files::{Entry, Listing},
        subset::Subset,
    },
    recipe::Split,
};

/// How files get groups.
const GROUPING: &str = "fill the column group of the index, or put the files into a folder for \
    each group inside the folder of their class";

/// Assigns each file to a subset, as far as the split assigns whole files; by time and at random,
/// all are assigned to training first.
pub(in crate::dataset) fn assign(
    listing: &Listing,
    split: &Split,
) -> Result<Vec<Subset>, DatasetError> {
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
    Err(listing.unusable(format!(
        "{} is declared as {} data by the column split or the name of a folder, file or array, \
         but the recipe \
         splits differently: use --set 'data.split={{by=\"list\"{}}}', or remove the column \
         or rename the folder",
        entry.name,
        subset.name(),
        share(listing)
    )))
}

/// What a split by list needs besides, if the list holds nothing out.
fn share(listing: &Listing) -> &'static str {
    if holds_out(listing) { "" } else { ", held_out_share=0.1" }
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
                 the index, or put it into a folder with one of these names, or split by group: \
                 --set 'data.split={{by=\"group\",test=[\"…\"],held_out_share=0.1}}'",
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
        return Err(unknown_group(listing, &groups, unknown));
    }
    listing
        .entries
        .iter()
        .map(|entry| match &entry.group {
            Some(group) if test.contains(group) => Ok(Subset::Test),
            Some(group) if held_out.contains(group) => Ok(Subset::HeldOut),
            Some(_) => Ok(Subset::Training),
            None => Err(listing.unusable(format!(
                "{} has no group, but data.split is by group: {GROUPING}",
                entry.name
            ))),
        })
        .collect()
}

/// The error for a group that the recipe names and no file belongs to: it may be a folder of a split
/// above those of the classes, which is no group.
fn unknown_group(listing: &Listing, groups: &BTreeSet<&String>, unknown: &str) -> DatasetError {
    let declared = listing.entries.iter().find_map(|entry| Some((entry, entry.subset?)));
    let found = match (declared, groups.is_empty()) {
        (_, false) => {
            let names: Vec<&str> = groups.iter().map(|name| name.as_str()).take(20).collect();
            format!("the groups are {}", names.join(", "))
        }
        (None, true) => format!("no file has a group: {GROUPING}"),
        (Some((entry, subset)), true) => format!(
            "no file has a group: the files are declared instead, {} as {} data, by the column \
             split or the name of a folder: to follow that, use --set 'data.split={{by=\"list\"{}}}'; \
             to split by group, {GROUPING}",
            entry.name,
            subset.name(),
            share(listing)
        ),
    };
    listing.unusable(format!(
        "data.split names the group \"{unknown}\", to which nothing belongs; {found}"
    ))
}
