//! Files that other programs write with random content and options, against what these programs
//! read from them: either the numbers are the same, or the file is refused, or a notice tells what
//! is doubtful. What is read otherwise in silence is a fault.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use drsn_recording::{ChannelId, Limits, Recording, Selection};
use serde::Deserialize;

#[path = "../../../tests/support/references.rs"]
mod references;
#[path = "../../../tests/support/skip.rs"]
mod skip;

const LIMITS: Limits = Limits::new(1 << 26, 1 << 24);

/// What is right for one file and selection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    /// `None` if there is nothing that a reader may give without a word.
    channels: Option<Vec<Vec<f32>>>,
    names: Option<Vec<String>>,
    rate: Option<f64>,
    /// How it was written.
    about: String,
    options: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    variable: Option<String>,
    channel: Vec<String>,
}

impl Options {
    fn selection(&self) -> Selection {
        Selection {
            variable: self.variable.clone(),
            channel: self.channel.iter().map(|name| ChannelId::from(&name[..])).collect(),
            ..Selection::default()
        }
    }
}

impl Case {
    /// What differs from what is right, if anything.
    fn difference(&self, found: &Recording) -> Option<String> {
        let Some(right) = &self.channels else {
            return Some(format!("{} channels instead of none", found.channels()));
        };
        let samples: Vec<Vec<f32>> = found.samples.rows().into_iter().map(|r| r.to_vec()).collect();
        if samples != *right {
            let shape = |s: &[Vec<f32>]| (s.len(), s.first().map_or(0, Vec::len));
            let (a, b) = (shape(&samples), shape(right));
            let first = |s: &[Vec<f32>]| s.first().and_then(|row| row.first()).copied();
            return Some(format!(
                "{a:?} from {:?}, not {b:?} from {:?}",
                first(&samples),
                first(right)
            ));
        }
        let names: Option<Vec<String>> = found.names.iter().cloned().collect();
        if let (Some(names), Some(right)) = (&names, &self.names)
            && names != right
        {
            return Some(format!("the names {names:?}, not {right:?}"));
        }
        match (found.sample_rate_hz, self.rate) {
            (Some(rate), Some(right)) if (rate - right).abs() > 0.01 * right => {
                Some(format!("{rate} Hz, not {right} Hz"))
            }
            _ => None,
        }
    }
}

/// How the files of a kind were read.
#[derive(Debug, Default)]
struct Outcome {
    right: usize,
    /// Read, and something told.
    told: usize,
    refused: usize,
    /// Refused although there is something to read.
    missed: Vec<String>,
    wrong: Vec<String>,
}

fn read_all(folder: &Path) -> Outcome {
    let cases = fs::read(folder.join("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    let mut outcome = Outcome::default();
    for case in cases {
        let told = format!("{} ({}): ", case.file, case.about);
        match Recording::open(&folder.join(&case.file), &case.options.selection(), &LIMITS) {
            Err(error) => {
                outcome.refused += 1;
                if case.channels.is_some() {
                    outcome.missed.push(format!("{told}{error}"));
                }
            }
            Ok(found) if !found.notices.is_empty() => outcome.told += 1,
            Ok(found) => match case.difference(&found) {
                None => outcome.right += 1,
                Some(difference) => outcome.wrong.push(told + &difference),
            },
        }
    }
    outcome
}

/// Writes files of a kind and reads them; at least this share of those with signals must be read.
fn compare(kind: &str, least: f64) {
    let Some(folder) = references::write(kind) else { return };
    let Outcome { right, told, refused, missed, wrong } = read_all(folder.path());
    eprintln!(
        "{kind}: {right} read, {told} read and told, {refused} refused ({} of them with a signal), {} wrong\n{}",
        missed.len(),
        wrong.len(),
        references::first(&missed)
    );
    assert!(wrong.is_empty(), "read otherwise in silence:\n{}", references::first(&wrong));
    let readable = (right + told + missed.len()) as f64;
    assert!((right + told) as f64 >= least * readable, "{} were refused", missed.len());
}

#[test]
fn tables_of_pandas_are_read_as_pandas_reads_them() {
    compare("tables", 0.45);
}

#[test]
fn arrays_of_numpy_are_read_as_numpy_reads_them() {
    compare("arrays", 0.8);
}

#[test]
fn files_of_scipy_are_read_as_scipy_reads_them() {
    compare("matlab", 0.8);
}

#[test]
fn sounds_of_libsndfile_are_read_as_libsndfile_reads_them() {
    compare("sounds", 0.5);
}

#[test]
fn tables_of_instruments_are_read_as_their_makers_describe_them() {
    compare("instruments", 0.95);
}
