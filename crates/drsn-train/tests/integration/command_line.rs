//! Errors of the command line are one sentence, with exit code 1, or 2 for wrong usage.

use std::{fs, process::Command};

/// Exit code and standard error of a run.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_drsn-train")).args(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "an error belongs on standard error");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_usage_ends_with_code_two() {
    for arguments in [&["train"][..], &["fetch", "mnits", "--to", "x"], &["train", "--epochs", "x"]]
    {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn an_error_is_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir_all(path("models/mnist/1")).unwrap();
    fs::write(path("recipe.toml"), "epoch = 3").unwrap();
    let (models, recipe, nowhere) = (path("models"), path("recipe.toml"), path("nowhere"));
    let train = ["train", "--data", &nowhere, "--name", "mnist"];
    let preset = ["--preset", "mnist"];
    let out = ["--out", models.as_str()];
    let (inside_file, long) = (path("recipe.toml/models"), "99999999999999999999999999");
    let cases: [(&[&str], &str); 12] = [
        (&["--unit", "cx"], "unknown variant"),
        (&["--set", "epochs"], "expected path=value"),
        (&["--version", long], "positive integer"),
        (&["--epochs", "0"], "epochs must be between 1"),
        (&["--out", &inside_file], "choose another path with --out"),
        (&["--resume", "--restart"], "exclude each other"),
        (&["--version", "2", "--checkpoint", &inside_file], "--checkpoint"),
        (&[], "add --replace"),
        (&["--version", "one"], "positive integer"),
        (&["--version", "../x"], "is not a name"),
        (&["--config", &recipe], "unknown field `epoch`"),
        (&["--config", &nowhere], "cannot read"),
    ];
    for (flags, expected) in cases {
        let (code, said) = run(&[
            &train[..],
            if flags.contains(&"--out") { &[] } else { &out },
            if flags.contains(&"--config") { &[] } else { &preset },
            flags,
        ]
        .concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    }
    let (code, said) = run(&[&train[..], &["--out", &path("other")]].concat());
    assert!(code == Some(1) && said.contains("missing recipe"), "{said}");
}

/// A wrong path was once reported only after a missing name.
#[test]
fn an_export_reports_a_missing_checkpoint_before_a_missing_name() {
    let export = ["export", "--checkpoint", "/nowhere/x.checkpoint", "--data", "/nowhere"];
    let (code, said) = run(&export);
    assert!(code == Some(1) && said.contains("no checkpoint at /nowhere/x.checkpoint"), "{said}");
}

#[test]
fn a_fetch_that_fails_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("deep/mnist");
    let output = Command::new(env!("CARGO_BIN_EXE_drsn-train"))
        .args(["fetch", "mnist", "--to"])
        .arg(&to)
        .env("PATH", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
