//! Finding files with the same contents, at little cost: only files of the same length are read,
//! first a few kilobytes of each, and whole only if these are the same as well.

use std::{
    collections::HashMap,
    fs::{self, File},
    hash::Hash,
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

/// Bytes at the start and at the end of a file that are compared first.
const ENDS: u64 = 4 << 10;
/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// Groups of two or more paths whose files have the same contents: copies, links, and the same path
/// several times. Files that are empty or cannot be read are in no group.
pub(super) fn equal(paths: &[&Path]) -> Vec<Vec<usize>> {
    // The same file is read once, by whatever paths it was found.
    let mut files: HashMap<(u64, u64), (u64, Vec<usize>)> = HashMap::new();
    for (index, path) in paths.iter().enumerate() {
        if let Ok(file) = fs::metadata(path)
            && file.is_file()
            && file.len() > 0
        {
            let (_, places) = files.entry((file.dev(), file.ino())).or_insert((file.len(), vec![]));
            places.push(index);
        }
    }
    let files: Vec<(u64, Vec<usize>)> = files.into_values().collect();
    let path = |file: usize| paths[files[file].1[0]];
    let mut groups = split(vec![(0..files.len()).collect()], |file| Some(files[file].0));
    groups = split(groups, |file| ends(path(file), files[file].0).ok());
    groups = split(groups, |file| whole(path(file)).ok());
    let mut is_copy = vec![false; files.len()];
    for &file in groups.iter().flatten() {
        is_copy[file] = true;
    }
    let alone = (0..files.len()).filter(|&file| !is_copy[file]).map(|file| vec![file]);
    let mut equal: Vec<Vec<usize>> = alone
        .chain(groups.iter().cloned())
        .map(|group| group.into_iter().flat_map(|file| files[file].1.clone()).collect())
        .filter(|group: &Vec<usize>| group.len() > 1)
        .collect();
    for group in &mut equal {
        group.sort_unstable();
    }
    equal.sort_unstable();
    equal
}

/// Splits groups of files by a key, and leaves out files that are alone then or have none.
fn split<K: Eq + Hash>(
    groups: Vec<Vec<usize>>,
    key: impl Fn(usize) -> Option<K>,
) -> Vec<Vec<usize>> {
    let mut parts = Vec::new();
    for group in groups {
        let mut by_key: HashMap<K, Vec<usize>> = HashMap::new();
        for file in group {
            if let Some(key) = key(file) {
                by_key.entry(key).or_default().push(file);
            }
        }
        parts.extend(by_key.into_values().filter(|part| part.len() > 1));
    }
    parts
}

fn ends(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = vec![0; ENDS.min(length) as usize];
    let mut sum = Sha256::new();
    for place in [0, length - bytes.len() as u64] {
        file.read_exact_at(&mut bytes, place)?;
        sum.update(&bytes);
    }
    Ok(sum.finalize().to_vec())
}

fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK];
    let mut sum = Sha256::new();
    loop {
        match file.read(&mut block)? {
            0 => return Ok(sum.finalize().to_vec()),
            read => sum.update(&block[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn copies_and_links_are_found_and_files_that_differ_in_one_byte_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut bytes: Vec<u8> = (0..50_000_u32).map(|x| (x % 251) as u8).collect();
        fs::write(path("a"), &bytes).unwrap();
        fs::write(path("copy"), &bytes).unwrap();
        bytes[25_000] ^= 1;
        fs::write(path("middle"), &bytes).unwrap();
        fs::write(path("short"), &bytes[..10]).unwrap();
        fs::write(path("empty"), []).unwrap();
        fs::write(path("empty2"), []).unwrap();
        std::os::unix::fs::symlink(path("middle"), path("link")).unwrap();
        let names = "a copy middle short empty empty2 link short gone gone . a";
        let paths: Vec<PathBuf> = names.split(' ').map(path).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        assert_eq!(equal(&paths), [vec![0, 1, 11], vec![2, 6], vec![3, 7]]);
    }
}
