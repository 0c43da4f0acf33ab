//! Writes the samples of each recording that is named on the command line beside it, as little-endian
//! 32-bit floats, one sample of every channel after another, in a file with the ending `.f32` more.
//! A recording that is refused gets its reason there instead, in a file with the ending `.error`.
//!
//! `tests/recordings/compare.py` compares them with other readers.

use std::{env, fs, path::PathBuf};

use drsn_recording::{Limits, Recording, Selection};

fn main() -> std::io::Result<()> {
    let limits = Limits::new(1 << 30, 1 << 30);
    for path in env::args_os().skip(1).map(PathBuf::from) {
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            name
        };
        match Recording::open(&path, &Selection::default(), &limits) {
            Ok(recording) => {
                let samples = recording.samples.t();
                let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
                fs::write(beside(".f32"), bytes)?;
            }
            Err(error) => fs::write(beside(".error"), error.to_string())?,
        }
    }
    Ok(())
}
