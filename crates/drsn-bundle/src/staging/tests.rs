//! Tests: what is found after writing, failing and being killed.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;
use crate::Name;

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| name(entry).unwrap()).collect();
    names.sort();
    names
}

/// A folder `name` that contains one file.
fn folder_with(parent: &Path, name: &str, text: &str) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).unwrap();
    create_file(&folder.join("file"), text.as_bytes()).unwrap();
    folder
}

#[test]
fn a_file_is_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for text in ["old", "new"] {
        write_file(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(names(folder.path()), ["file"]);
}

/// Temporary files are private to their owner, and what became of them once was, too.
#[cfg(unix)]
#[test]
fn a_new_file_has_the_usual_permissions_and_a_replaced_one_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (usual, path) = (folder.path().join("usual"), folder.path().join("file"));
    fs::write(&usual, "").unwrap();
    write_file(&path, b"old").unwrap();
    assert_eq!(mode(&path), mode(&usual));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write_file(&path, b"new").unwrap();
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_folder_is_replaced_as_a_whole_on_every_file_system() {
    for publish in [publish, replace_in_two_steps] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_with(folder.path(), "1", "old");
        // A program that was killed between the two steps left this one.
        folder_with(folder.path(), ".replaced-1", "older");
        let staging = Staging::new_in(folder.path()).unwrap();
        publish(&folder_with(staging.path(), "new", "new"), &target).unwrap();
        drop(staging);
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "new");
        assert!(names(folder.path()).iter().all(|name| !name.starts_with(PREFIX)));
    }
}

/// The old folder was once moved away before the new one took its place.
#[test]
fn a_reader_always_finds_a_folder_that_is_being_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder_with(folder.path(), "1", "old");
    let other = folder_with(folder.path(), "other", "new");
    if exchange(&other, &target).is_err() {
        return;
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut missed = 0;
            while !done.load(Ordering::Relaxed) {
                missed += usize::from(fs::read(target.join("file")).is_err());
            }
            missed
        });
        // Each time, what was there takes the place of what replaced it.
        for _ in 0..200 {
            publish(&other, &target).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn a_folder_that_cannot_take_the_place_of_another_leaves_it_there() {
    for publish in [publish, replace_in_two_steps] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_with(folder.path(), "1", "old");
        assert!(publish(&folder.path().join("missing"), &target).is_err());
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "old");
        assert_eq!(names(folder.path()), ["1"]);
    }
}

/// Servers take only folders with such names for models and versions.
#[test]
fn hidden_folders_have_no_name_of_a_model_or_version() {
    let folder = tempfile::tempdir().unwrap();
    let _staging = Staging::new_in(folder.path()).unwrap();
    let names = names(folder.path());
    assert!(names.len() == 1 && Name::new(&*names[0]).is_err(), "{names:?}");
    assert!(Name::new(".replaced-1").is_err());
}

#[cfg(unix)]
#[test]
fn leftovers_of_killed_programs_are_deleted_and_folders_in_use_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let in_use = Staging::new_in(folder.path()).unwrap();
    // A lock ends with its program.
    let mut killed = Staging::new_in(folder.path()).unwrap();
    folder_with(killed.path(), "deep", "half");
    killed.folder.disable_cleanup(true);
    drop(killed);
    let elsewhere = folder_with(folder.path(), "elsewhere", "mine");
    let link = folder.path().join(format!("{PREFIX}link"));
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    assert_eq!(names(folder.path()).len(), 4);
    let next = Staging::new_in(folder.path()).unwrap();
    let name = |staging: &Staging| staging.path().to_owned();
    let mut expected = [name(&in_use), name(&next), elsewhere, link];
    expected.sort();
    let left: Vec<PathBuf> =
        names(folder.path()).iter().map(|name| folder.path().join(name)).collect();
    assert_eq!(left, expected);
}
