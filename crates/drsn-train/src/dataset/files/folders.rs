//! Files in folders named after their classes.
//!
//! A file is at `<class>/<file>` or at `<class>/<group>/…/<file>`. Folders of a split, such as
//! `train`, `val` and `test`, are above those of the classes or below them ([`super::layout`]).
//! Classes and files are in natural order of their names.

use std::{cmp::Reverse, collections::BTreeMap, path::Path};

use super::{
    contents::{contents, subfolders},
    kind::FileKind,
    layout::{Side, refuse_sides_as_classes, sides},
    listing::{Entry, Listing},
    natural_order::natural,
};
use crate::dataset::{error::DatasetError, note::Note, subset::Subset};

/// Maximum depth of nested folders; deeper ones are a loop of links.
const MAX_DEPTH: usize = 16;
/// Maximum number of files.
const MAX_FILES: usize = 10_000_000;

/// Lists the files of a kind below `folder`, and notes what is left out.
pub(super) fn walk(folder: &Path, kind: FileKind) -> Result<Listing, DatasetError> {
    let sides = sides(folder)?;
    let classes = classes(folder, &sides)?;
    let listing = Listing { classes, origin: folder.to_owned(), ..Listing::default() };
    let mut walk = Walk { listing, kind, inner_sides: Vec::new(), left_out: Vec::new() };
    if sides.iter().any(|side| side.path != folder) {
        walk.leave_files_out(folder)?;
    }
    for side in &sides {
        walk.add_classes(side)?;
        walk.leave_files_out(&side.path)?;
    }
    Ok(walk.finish())
}

/// A walk through the folders.
struct Walk {
    listing: Listing,
    kind: FileKind,
    /// Names of the folders below those of the classes that look like parts of a split.
    inner_sides: Vec<(String, Subset)>,
    /// Names of the files that are not of the kind, or not in the folder of a class.
    left_out: Vec<String>,
}

impl Walk {
    fn add_classes(&mut self, side: &Side) -> Result<(), DatasetError> {
        for (name, path) in subfolders(&side.path)? {
            let Some(class) = self.listing.classes.iter().position(|class| *class == name) else {
                continue;
            };
            let template = Entry { class, subset: side.subset, ..Entry::default() };
            self.add_files(&path, &template, MAX_DEPTH)?;
        }
        Ok(())
    }

    fn add_files(
        &mut self,
        folder: &Path,
        template: &Entry,
        depth: usize,
    ) -> Result<(), DatasetError> {
        if depth == 0 || self.listing.entries.len() >= MAX_FILES {
            return Err(self.listing.unusable(format!(
                "{} is nested too deeply, or there are more than {MAX_FILES} files",
                folder.display()
            )));
        }
        for (name, path) in contents(folder)? {
            if path.is_dir() {
                let subset = self.inner_subset(&name, &path, template.subset)?;
                // The folder directly inside the class is the group of all files below it.
                let group = template.group.clone().or(Some(name));
                let template = Entry { group, subset, ..template.clone() };
                self.add_files(&path, &template, depth - 1)?;
                continue;
            }
            let name = self.name_of(&path);
            // What cannot be opened, such as a link to nothing, is left out and named.
            if self.kind.reads(&path).unwrap_or(false) {
                self.listing.entries.push(Entry { path, name, ..template.clone() });
            } else {
                self.left_out.push(name);
            }
        }
        Ok(())
    }

    /// Leaves out the files that lie beside the folders of the classes.
    fn leave_files_out(&mut self, folder: &Path) -> Result<(), DatasetError> {
        for (_, path) in contents(folder)? {
            if !path.is_dir() {
                self.left_out.push(self.name_of(&path));
            }
        }
        Ok(())
    }

    fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.listing.origin).unwrap_or(path).display().to_string()
    }

    /// The subset of the files in a folder below that of a class; `outer` is that of the folder
    /// around it.
    fn inner_subset(
        &mut self,
        name: &str,
        path: &Path,
        outer: Option<Subset>,
    ) -> Result<Option<Subset>, DatasetError> {
        let Some(inner) = Subset::from_name(name) else { return Ok(outer) };
        if let Some(outer) = outer.filter(|&outer| outer != inner) {
            return Err(self.listing.unusable(format!(
                "by its name, the folder {} is for {} inputs, but a folder around it is for {} \
                 ones: rename one of them, or list the files in an index",
                path.display(),
                inner.name(),
                outer.name()
            )));
        }
        if outer.is_none() {
            self.inner_sides.push((name.to_owned(), inner));
        }
        Ok(Some(inner))
    }

    /// Ends the walk. Folders `test1`, `test2`, … below the classes, without any for training, are
    /// groups, such as series of measurements.
    fn finish(self) -> Listing {
        let Self { mut listing, inner_sides, left_out, .. } = self;
        let are_groups = inner_sides.iter().all(|(name, subset)| {
            *subset != Subset::Training && name.contains(|c: char| c.is_ascii_digit())
        });
        if are_groups && !inner_sides.is_empty() {
            listing.entries.iter_mut().for_each(|entry| entry.subset = None);
        }
        listing.notes.extend(left_out_note(&left_out));
        listing
    }
}

/// Counts the files that are left out by their endings.
fn left_out_note(names: &[String]) -> Option<Note> {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        let ending = Path::new(name).extension().map_or_else(
            || "without an ending".to_owned(),
            |extension| format!(".{}", extension.to_string_lossy()),
        );
        *endings.entry(ending).or_default() += 1;
    }
    let mut endings: Vec<(String, usize)> = endings.into_iter().collect();
    endings.sort_by_key(|(_, count)| Reverse(*count));
    let counts: Vec<String> =
        endings.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
    let were = match names.len() {
        0 => return None,
        1 => "1 file was".to_owned(),
        count => format!("{count} files were"),
    };
    let text = format!("{were} left out: {}", counts.join(", "));
    Some(Note::new(text, names.iter().map(String::as_str)))
}

/// Names of the folders inside the sides, in natural order and without duplicates.
fn classes(folder: &Path, sides: &[Side]) -> Result<Vec<String>, DatasetError> {
    let mut classes = Vec::new();
    for side in sides {
        classes.extend(subfolders(&side.path)?.into_iter().map(|(name, _)| name));
    }
    classes.sort_by(|a, b| natural(a, b));
    classes.dedup();
    refuse_sides_as_classes(folder, &classes)?;
    Ok(classes)
}
