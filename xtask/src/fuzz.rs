//! Runs the fuzz targets of `fuzz/`, each for some seconds, from real files and from what earlier
//! runs found worth keeping.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;

/// Each target with the files that it begins with.
const TARGETS: [(&str, &[&str]); 13] = [
    (
        "recording",
        &["crates/drsn-recording/tests/recordings", "crates/drsn-recording/tests/matlab"],
    ),
    ("image", &["crates/drsn-bundle/tests/data", "tests/data"]),
    ("manifest", &["models/mnist/1/manifest.json"]),
    ("golden", &["models/mnist/1/golden.json"]),
    ("onnx", &["models/mnist/1/model.onnx"]),
    ("import", &["models/mnist/1/model.onnx", "fuzz/seeds/import"]),
    ("json", &["fuzz/seeds/json"]),
    ("message", &["fuzz/seeds/message"]),
    ("form", &["fuzz/seeds/form"]),
    ("request", &["fuzz/seeds/request"]),
    ("index", &["crates/drsn-train/presets/cwru-12k.csv", "fuzz/seeds/index"]),
    ("idx", &["fuzz/seeds/idx"]),
    (
        "recipe",
        &[
            "crates/drsn-train/presets/mnist.toml",
            "crates/drsn-train/presets/bearing.toml",
            "crates/drsn-train/presets/seed-keras.toml",
            "fuzz/seeds/recipe",
        ],
    ),
];
/// Extensions of recordings in the order of the target's formats.
const FORMATS: [&str; 7] = ["wav", "csv", "npy", "npz", "mat", "aiff", "flac"];
/// Largest input, in bytes: all files of the bundled model fit.
const LARGEST: usize = 512 << 10;

/// Runs the targets; fails at the first finding, whose input libFuzzer names.
pub(crate) fn run(workspace: &Workspace, seconds: u64, wanted: &[String]) -> Result<()> {
    for name in wanted {
        if !TARGETS.iter().any(|(target, _)| target == name) {
            let known: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
            bail!("there is no target {name}; the targets are {}", known.join(", "));
        }
    }
    for (target, seeds) in TARGETS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == target) {
            continue;
        }
        let corpus = workspace.root.join("target/fuzz-corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for seed in seeds {
            sow(&workspace.root.join(seed), &corpus, target)?;
        }
        let status = Command::new("cargo")
            .args(["fuzz", "run", "--sanitizer", "none", target])
            .arg(&corpus)
            .arg("--")
            .args([format!("-max_total_time={seconds}"), format!("-max_len={LARGEST}")])
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"])
            .current_dir(&workspace.root)
            .status()
            .context("cannot start cargo fuzz; install it with cargo install cargo-fuzz")?;
        if !status.success() {
            bail!("the target {target} failed; the input is named above");
        }
    }
    Ok(())
}

/// Copies real files into a target's corpus.
fn sow(seed: &Path, corpus: &Path, target: &str) -> Result<()> {
    let files: Vec<PathBuf> = if seed.is_dir() {
        fs::read_dir(seed)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?
    } else if seed.is_file() {
        vec![seed.to_owned()]
    } else {
        bail!("{} does not exist", seed.display());
    };
    for file in files.iter().filter(|file| file.is_file()) {
        let mut bytes = fs::read(file)?;
        if target == "recording" {
            let extension = file.extension().and_then(|extension| extension.to_str());
            let Some(format) = FORMATS.iter().position(|known| extension == Some(known)) else {
                continue;
            };
            bytes.insert(0, format as u8);
        }
        bytes.truncate(LARGEST);
        if let Some(name) = file.file_name() {
            fs::write(corpus.join(name), bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that is not in the list would never be run.
    #[test]
    fn every_target_is_run_and_begins_with_files_that_exist() {
        let root = Workspace::locate().unwrap().root;
        let mut sources: Vec<String> = fs::read_dir(root.join("fuzz/targets"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| fs::read_to_string(path).unwrap().contains("fuzz_target!"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let mut targets: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
        targets.sort_unstable();
        sources.sort_unstable();
        assert_eq!(targets, sources);
        for seed in TARGETS.iter().flat_map(|(_, seeds)| *seeds) {
            assert!(root.join(seed).exists(), "{seed}");
        }
    }
}
