//! Holds the layout of the code: `cargo xtask layout`.
//!
//! In `src/` a room (a top-level module) uses rooms below it and never one above it. In no crate do
//! files use each other in a cycle, except that a parent module may use its children: it puts them
//! together. The server and the workspace are built with the same features of each dependency.

mod arrows;
mod circles;
mod features;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::arrows::{Arrow, arrows};
use crate::workspace::Workspace;

/// The rooms of `src/`, highest first. A room may use those after it.
const ROOMS: [&str; 13] = [
    "commands",
    "server",
    "fuzzing",
    "api",
    "inference",
    "app",
    "repository",
    "engine",
    "observability",
    "admission",
    "schema",
    "error",
    "config",
];

/// Rooms that use no other, and that every room may use.
const APART: [&str; 2] = ["transport", "readers"];

/// Fails with a line for each arrow that is drawn upward, for each circle, and for each dependency compiled twice.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut faults = Vec::new();
    for crate_root in crates(&workspace.root)? {
        let name = crate_root.strip_prefix(&workspace.root).unwrap_or(&crate_root).display();
        let arrows = arrows(&crate_root.join("src"))?;
        if crate_root == workspace.root {
            faults.extend(upward(&arrows));
        }
        let circles = circles::circles(&arrows);
        faults
            .extend(circles.iter().map(|files| format!("{name}: a circle: {}", files.join(", "))));
    }
    let twice = features::compiled_twice(workspace)?;
    faults
        .extend(twice.iter().map(|found| format!("compiled twice, see unified-features: {found}")));
    if !faults.is_empty() {
        bail!("the layout is broken:\n{}", faults.join("\n"));
    }
    Ok(())
}

/// The folders of the workspace's crates.
fn crates(root: &Path) -> Result<Vec<PathBuf>> {
    let mut crates = vec![root.to_owned(), root.join("xtask")];
    for entry in fs::read_dir(root.join("crates")).context("cannot list crates/")? {
        crates.push(entry?.path());
    }
    crates.sort();
    Ok(crates)
}

/// The arrows that lead from a room to one above it, or from a room that stands apart to any other.
fn upward(arrows: &[Arrow]) -> Vec<String> {
    let rank = |room: &str| ROOMS.iter().position(|&known| known == room);
    let broken = |arrow: &&Arrow| {
        let (from, to) = (room(&arrow.from), room(&arrow.to));
        if from == to || APART.contains(&to) || from == "lib" || from == "main" {
            return false;
        }
        match (rank(from), rank(to)) {
            (Some(from), Some(to)) => from > to,
            (None, _) | (_, None) => true,
        }
    };
    let line = |arrow: &Arrow| format!("{} uses {} in {}", arrow.from, arrow.to, arrow.path);
    arrows.iter().filter(broken).map(line).collect()
}

/// The room of a file, as `api` of `api/http/mod.rs`.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rooms_are_in_order_and_no_files_use_each_other_in_a_circle() {
        run(&Workspace::locate().unwrap()).unwrap();
    }

    #[test]
    fn every_room_has_its_place_in_the_order() {
        let root = Workspace::locate().unwrap().root;
        let mut found: Vec<String> = fs::read_dir(root.join("src"))
            .unwrap()
            .map(|entry| room(&entry.unwrap().file_name().to_string_lossy()).to_owned())
            .filter(|room| room != "lib" && room != "main")
            .collect();
        let mut known: Vec<&str> = ROOMS.iter().chain(&APART).copied().collect();
        found.sort();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn an_arrow_drawn_upward_is_told() {
        let arrow = |from: &str, to: &str| Arrow {
            from: from.to_owned(),
            to: to.to_owned(),
            path: String::new(),
        };
        assert!(upward(&[arrow("server/mod.rs", "api/mod.rs")]).is_empty());
        assert!(upward(&[arrow("api/http/mod.rs", "transport/mod.rs")]).is_empty());
        for (from, to) in [
            ("engine/model.rs", "inference/mod.rs"),
            ("transport/tls.rs", "config/mod.rs"),
            ("config/mod.rs", "new_room.rs"),
        ] {
            assert_eq!(upward(&[arrow(from, to)]).len(), 1, "{from} to {to}");
        }
    }
}
