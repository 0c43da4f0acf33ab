//! Time to read recordings: `cargo bench -p drsn-recording --bench reading -- FILE…` prints the median
//! and the least of 200 times for each file, by turns.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{env, error::Error, fs, hint::black_box, time::Instant};

use drsn_recording::{Limits, Recording, RecordingFormat, Selection};

const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits::new(1 << 30, 1 << 30);
    let mut files = Vec::new();
    // Cargo adds an option of its own.
    for path in env::args().skip(1).filter(|argument| argument != "--bench") {
        let bytes = fs::read(&path)?;
        let format = RecordingFormat::sniff(&bytes).unwrap_or(RecordingFormat::Csv);
        files.push((path, format, bytes, Vec::with_capacity(ROUNDS)));
    }
    for _ in 0..ROUNDS {
        for (_, format, bytes, times) in &mut files {
            let begun = Instant::now();
            black_box(Recording::read(*format, bytes, &Selection::default(), &limits)?);
            times.push(begun.elapsed());
        }
    }
    for (path, _, _, times) in &mut files {
        times.sort_unstable();
        println!("{path}: median {:.1?}, least {:.1?}", times[ROUNDS / 2], times[0]);
    }
    Ok(())
}
