//! Makes the versions of the compiler and of Burn known to the program: the bytes of a trained
//! model depend on both, so the manifest records them.

use std::{env, error::Error, fs, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    let rustc = env::var("RUSTC")?;
    let version = Command::new(rustc).arg("--version").output()?.stdout;
    println!("cargo::rustc-env=DRSN_RUSTC_VERSION={}", String::from_utf8(version)?.trim());

    let lock_file = format!("{}/../../Cargo.lock", env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-changed={lock_file}");
    let lock = fs::read_to_string(&lock_file)?;
    let burn = lock
        .split("[[package]]")
        .filter(|package| package.contains("\nname = \"burn\"\n"))
        .find_map(|package| package.split_once("\nversion = \"")?.1.split_once('"'))
        .map(|(version, _)| version)
        .ok_or("Cargo.lock names no version of burn")?;
    println!("cargo::rustc-env=DRSN_BURN_VERSION={burn}");
    Ok(())
}
