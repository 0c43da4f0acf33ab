//! Files that other programs write with random content and options: `tests/references/`.
//!
//! `DRSN_REFERENCES` sets how many files of a kind are written, and `DRSN_REFERENCES_SEED` which
//! ones. Include it beside `skip`.

use std::{env, ffi::OsString, path::Path, process::Command};

use crate::skip;

/// Exit code of the script if a package is not installed.
const MISSING_PACKAGES: i32 = 77;
/// Differences that are shown.
const SHOWN: usize = 20;

/// Writes files of a kind and `cases.json` into a folder; `None` if the machine lacks Python's
/// packages, and the test is skipped.
pub(crate) fn write(kind: &str) -> Option<tempfile::TempDir> {
    let Some(python) = env::var_os("DRSN_PYTHON") else {
        skip::skip("DRSN_PYTHON names no Python with tests/requirements.txt installed");
        return None;
    };
    let given = |name: &str, usual: &str| env::var_os(name).unwrap_or_else(|| usual.into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/references/write.py");
    let folder = tempfile::tempdir().unwrap();
    let arguments: [OsString; 5] = [
        script.into(),
        kind.into(),
        given("DRSN_REFERENCES", "60"),
        given("DRSN_REFERENCES_SEED", "1"),
        folder.path().into(),
    ];
    let output = Command::new(python).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Some(folder),
        Some(MISSING_PACKAGES) => {
            skip::skip(&said);
            None
        }
        code => panic!("the script ended with {code:?}: {said}"),
    }
}

/// The first of a list of differences, one a line.
pub(crate) fn first(list: &[String]) -> String {
    list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n")
}
