//! Studies: cross-validation by group, and a grid of fields from which held-out inputs choose.

use std::fs;

use drsn_bundle::Bundle;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, last_line, names, said},
};

#[test]
fn a_cross_validation_tests_each_group_once_and_never_on_what_it_was_trained_on() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::with_groups();
    let compare =
        |folds: &str| workspace.compare(&["--folds", folds, "--set", "epochs=1"]).output().unwrap();
    let output = compare("5");
    assert!(output.status.success(), "{}", said(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.starts_with("Unit cw; 5 folds, each group tested once; one seed\n"), "{shown}");
    assert!(shown.contains('±') && shown.contains(" inputs in 5 test sets"), "{shown}");
    let mut tested = Vec::new();
    for fold in 1..=5 {
        let told = format!("cw, fold {fold} of 5, seed 1: held-out accuracy ");
        assert_eq!(said(&output).matches(&told).count(), 1, "{}", said(&output));
        let bundle = workspace.path(&format!("study/cw-fold{fold}-seed1/1"));
        let story = Bundle::open(&bundle).unwrap().manifest.training.unwrap();
        let split = &story.configuration["data"]["split"];
        let (test, held_out) = (split["test"].clone(), split["held_out"].clone());
        assert!(test.as_array().unwrap().len() == 1 && test != held_out, "{split}");
        tested.push(test[0].as_str().unwrap().to_owned());
    }
    tested.sort();
    assert_eq!(tested, names(&workspace.path("data/tone")));

    for folds in ["2", "6"] {
        let refused = compare(folds);
        assert!(last_line(&refused).contains("at most 5, the groups of the data"), "{folds}");
    }
}

/// Test accuracies of all variants would invite to choose by them.
#[test]
fn a_variant_is_chosen_by_held_out_inputs_and_only_that_one_is_tested() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let flags = ["--vary", "batch=16,32", "--vary", "optimizer.learning_rate=0.1,0.000001"];
    let metric = r#"early_stopping={patience=9,metric="macro-recall"}"#;
    let settings = ["--set", "epochs=1", "--set", metric];
    let output = workspace.compare(&flags).args(settings).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let progress = said(&output);
    // The recipe says that macro recall counts; the variant was once chosen by accuracy all the same.
    assert_eq!(progress.matches("seed 1: held-out macro recall").count(), 4, "{progress}");
    assert!(!progress.contains("of test inputs"), "{progress}");
    // The same data is summarised once, and not before each of the four trainings.
    assert_eq!(progress.matches("all inputs").count(), 1, "{progress}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("was chosen by the held-out inputs, before the test"), "{text}");
    assert!(!text.contains('±'), "a deviation of one training: {text}");
    let report = fs::read_to_string(workspace.path("study/report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let chosen = report["chosen"].as_str().unwrap();
    assert!(chosen.ends_with("optimizer.learning_rate=0.1"), "{chosen}");
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() == 1 && rows[0]["unit"] == chosen, "{rows:?}");
    assert_eq!(report["metric"], "macro-recall");
    assert_eq!(report["held_out"].as_array().unwrap().len(), 4);
}
