//! Writes a small data set of made-up signals in which the test is of another speaker, patient,
//! speed or load than the training:
//!
//! ```sh
//! cargo run -p drsn-train --example miniatures -- speech target/miniatures/speech
//! ```
//!
//! The same command writes the same files, on any machine up to the rounding of sines.

mod situations;

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use situations::SITUATIONS;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let said = match &arguments[..] {
        [name, folder] => write(name, Path::new(folder)),
        _ => Err(io::Error::other(format!("usage: miniatures NAME FOLDER; NAME is {}", names()))),
    };
    let Err(error) = said else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "miniatures: {error}");
    ExitCode::FAILURE
}

/// Writes the data set of a situation into a new folder.
fn write(name: &str, folder: &Path) -> io::Result<()> {
    let Some((_, write)) = SITUATIONS.iter().find(|(known, _)| *known == name) else {
        return Err(io::Error::other(format!("expected {}, got {name}", names())));
    };
    if folder.exists() {
        return Err(io::Error::other(format!("{} already exists", folder.display())));
    }
    write(folder)
}

fn names() -> String {
    SITUATIONS.map(|(name, _)| name).join(", ")
}
