//! What a training says while it runs: a line for each phase in a log, and the time to the end on a
//! terminal.

use std::process::Command;

use crate::{
    skip,
    support::runtime,
    workspace::{EPOCHS, Workspace, said},
};

/// A network of twelve units once said 37 lines of one phase, and nothing while it read the data.
#[test]
fn a_log_has_one_line_for_each_phase() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let output = Workspace::new().command(&[]).output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let phases = [
        "reading the data in",
        "measuring the statistics of 7 batch normalizations",
        "comparing the exported model with the network",
        "measuring the baseline",
        "evaluating the exported model",
    ];
    let places: Vec<usize> = phases.iter().map(|phase| text.find(phase).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    for phase in phases {
        assert_eq!(text.matches(phase).count(), 1, "{text}");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("epoch ")).count(), EPOCHS, "{text}");
}

#[test]
fn a_terminal_shows_the_time_to_the_end_over_all_phases() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let command = workspace.command(&[]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut terminal = Command::new("script");
    let script = format!("stty cols 160; {}", words.join(" "));
    terminal.args(["-qefc", &script, "/dev/null"]).env("TERM", "xterm");
    let Ok(output) = terminal.output() else {
        return skip::skip("requires the program `script`, of util-linux");
    };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for part in ["reading the data in", " left, loss ", "/7 about "] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
}
