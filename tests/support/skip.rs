//! Skips a test visibly if the machine lacks a tool or data that it needs.
//!
//! Include it with `#[path = "…/tests/support/skip.rs"] mod skip;`, and return from the test after
//! the call.

use std::fs::OpenOptions;
use std::io::Write;

/// Reports on standard error that the running test is skipped and why, and appends it to the log in
/// `DRSN_SKIP_LOG`.
///
/// By that log `cargo xtask test` counts skips, which cargo cannot tell from passes: one line
/// `crate::test<TAB>reason` each.
///
/// # Panics
///
/// With `DRSN_REQUIRE_ALL=1`, and if the log cannot be written.
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = format!("{}::{}", env!("CARGO_CRATE_NAME"), thread.name().unwrap_or("unnamed"));
    let required = std::env::var_os("DRSN_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "{test} may not be skipped: {reason}");
    eprintln!("SKIPPED {test}: {reason}");

    let Some(log) = std::env::var_os("DRSN_SKIP_LOG") else { return };
    // A single write, so that concurrent test programs do not mix their lines.
    let line = format!("{test}\t{}\n", reason.replace(['\t', '\n', '\r'], " "));
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot note the skip in {}: {error}", log.display());
    }
}
