//! Counts tests by cargo's output and the log of skips.

use std::collections::BTreeMap;

/// The reasons of `#[ignore]` that are allowed even if everything has to run: hardware that cannot
/// be installed.
const HARDWARE: [&str; 1] = ["needs an NVIDIA GPU"];

/// Counts and names of tests, by outcome.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Tests that ran and passed.
    pub(super) passed: usize,
    /// Tests that failed.
    pub(super) failed: usize,
    /// Tests that did not run, or returned early because something is missing.
    pub(super) skipped: usize,
    /// The failed tests' names.
    pub(super) failures: Vec<String>,
    /// The skipped tests' names, with the reason of each.
    pub(super) skips: BTreeMap<String, String>,
}

impl Tally {
    /// Reads one line of cargo test's output: a test's verdict, or a test program's counts.
    pub(super) fn read_line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.skipped += count(counts, "ignored");
        } else if let Some((name, verdict)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        {
            if verdict == "FAILED" {
                self.failures.push(name.to_owned());
            } else if let Some(reason) = verdict.strip_prefix("ignored") {
                let reason = reason.strip_prefix(", ").unwrap_or("marked as ignored");
                self.skips.insert(name.to_owned(), reason.to_owned());
            }
        }
    }

    /// Reads the log of skips, one line `test<TAB>reason` each; a test that skips twice counts
    /// once.
    ///
    /// Cargo has counted these tests as passed.
    pub(super) fn read_skip_log(&mut self, log: &str) {
        for (name, reason) in log.lines().filter_map(|line| line.split_once('\t')) {
            if self.skips.insert(name.to_owned(), reason.to_owned()).is_none() {
                self.passed = self.passed.saturating_sub(1);
                self.skipped += 1;
            }
        }
    }

    /// Whether a skipped test could have run here after installing something.
    pub(super) fn is_incomplete(&self) -> bool {
        self.skips.values().any(|reason| !HARDWARE.contains(&reason.as_str()))
    }
}

/// The number before `word` in `ok. 5 passed; 0 failed; 1 ignored; …`.
fn count(counts: &str, word: &str) -> usize {
    counts
        .split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(word))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 5 tests
test engine::queue::tests::a_lone_job_does_not_wait ... ok
test session::tests::numbers_agree ... FAILED
test decode::tests::wrong_lengths_are_refused - should panic ... ok
test hours_of_load ... ignored, takes hours
test src/lib.rs - flow (line 12) ... ignored

failures:

---- session::tests::numbers_agree stdout ----
test result: of no program at all

test result: FAILED. 2 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 61.25s

test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn tally_of(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_line(line));
        tally
    }

    #[test]
    fn counts_add_up_over_the_test_programs() {
        let tally = tally_of(OUTPUT);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (42, 1, 2));
        assert_eq!(tally.failures, ["session::tests::numbers_agree"]);
        assert_eq!(tally.skips["hours_of_load"], "takes hours");
        assert_eq!(tally.skips["src/lib.rs - flow (line 12)"], "marked as ignored");
    }

    #[test]
    fn a_logged_skip_is_not_a_pass() {
        let mut tally = tally_of(OUTPUT);
        tally.read_skip_log("http::answers_seven\tno ONNX Runtime\nhttp::nan\tno ONNX Runtime\n");
        assert_eq!((tally.passed, tally.failed, tally.skipped), (40, 1, 4));
        assert_eq!(tally.skips["http::nan"], "no ONNX Runtime");
    }

    #[test]
    fn a_test_that_skips_twice_counts_once() {
        let mut tally = tally_of(OUTPUT);
        tally.read_skip_log("http::nan\tno ONNX Runtime\nhttp::nan\tno ONNX Runtime\n");
        assert_eq!((tally.passed, tally.skipped), (41, 3));
    }

    #[test]
    fn a_line_without_a_tab_is_no_skip() {
        let mut tally = tally_of(OUTPUT);
        tally.read_skip_log("torn line");
        assert_eq!(tally, tally_of(OUTPUT));
    }

    /// CI failed on the GPU's tests, which are skipped without a GPU.
    #[test]
    fn a_test_of_hardware_may_be_skipped_where_everything_has_to_run() {
        let of_hardware = tally_of("test cuda::the_gpu_answers ... ignored, needs an NVIDIA GPU");
        assert!(!of_hardware.is_incomplete());
        assert!(tally_of(OUTPUT).is_incomplete(), "takes hours, or gives no reason");

        let mut without_a_tool = of_hardware;
        without_a_tool.read_skip_log("http::nan\tno ONNX Runtime\n");
        assert!(without_a_tool.is_incomplete());
    }
}
