//! A network that does not work with fixed statistics: it is not exported unless the user insists.

use drsn_bundle::Bundle;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, last_line, said},
};

/// There was once no way to the bundle of a finished training that was refused.
#[test]
fn a_broken_network_is_exported_on_demand_and_its_bundle_says_so() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    // Not normalised: the spikes make the variances so large that all else is the same.
    let workspace = Workspace::with_spikes();
    let train = |more: &[&str]| {
        let flags = ["--set", "data.normalization={kind='none'}"];
        workspace.command(&[&flags, more].concat()).output().unwrap()
    };
    let refused = train(&[]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let sentence = last_line(&refused);
    for part in ["on inputs that it was trained on", "--export-anyway", "drsn-train export"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert!(!workspace.bundle().exists());

    let warning = "the network is broken and was exported with --export-anyway";
    let exported = train(&["--resume", "--export-anyway"]);
    assert!(exported.status.success(), "{}", said(&exported));
    let shown = String::from_utf8_lossy(&exported.stdout);
    assert!(shown.contains(&format!("warning: {warning}")), "{shown}");
    let story = Bundle::open(&workspace.bundle()).unwrap().manifest.training.unwrap();
    assert!(story.warnings.iter().any(|told| told.starts_with(warning)), "{:?}", story.warnings);
    assert!(story.training_accuracy.is_some_and(|accuracy| accuracy.batch > accuracy.exact));

    let export = workspace.export(&workspace.checkpoint(), "other", &["--export-anyway"]).output();
    assert!(export.is_ok_and(|output| output.status.success()));
}
