//! Required contents of a page, and escaping.

use super::*;
use crate::report::{fixtures, study::StudyRow};

/// A name that would end an element, an attribute or a line without escaping.
const NASTY: &str = "<script>alert(\"1\")</script>&'\u{1b}";

#[test]
fn user_input_is_escaped_everywhere() {
    let mut report = fixtures::report("digits", 0.95);
    report.data = NASTY.to_owned();
    report.tool = NASTY.to_owned();
    report.notes = vec![NASTY.to_owned()];
    report.findings = vec![NASTY.to_owned()];
    report.blocks[0].name = NASTY.to_owned();
    report.model.classes = vec![NASTY.to_owned(); 10];
    if let Some(training) = &mut report.model.training {
        training.data = NASTY.to_owned();
        training.data_notes = vec![NASTY.to_owned()];
    }
    for class in &mut report.results[0].scores.classes {
        class.name = NASTY.to_owned();
    }
    let html = evaluation(&report).html;
    assert!(!html.contains("<script") && !html.contains('\u{1b}'));
    assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
    let html = comparison(&Comparison::new(vec![report]).unwrap()).html;
    assert!(!html.contains("<script"));
    let row = StudyRow { unit: NASTY.to_owned(), noise: None, accuracies: vec![0.5] };
    let rows = vec![row];
    let study_of =
        Study { title: NASTY.to_owned(), data: NASTY.to_owned(), rows, ..Study::default() };
    assert!(!study(&study_of).html.contains("<script"));
}

#[test]
fn a_page_needs_no_external_resources() {
    let html = evaluation(&fixtures::report("digits", 0.95)).html;
    let html = html.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    for word in ["Confusion", "Calibration", "Training", "98.46 %", "86442", "gaussian@-5dB"] {
        assert!(html.contains(word), "{word}");
    }
    assert!(html.matches("viewBox=").count() >= 7);
}

/// Readers assume and repair, and a report on numbers is read by people who did not see the run.
#[test]
fn what_was_noticed_in_the_data_is_beside_the_summary_of_the_data() {
    let mut report = fixtures::report("bearing", 0.95);
    report.notes = vec!["notice truncated of 2 files: a.wav (it ends early), …".to_owned()];
    let training = report.model.training.as_mut().unwrap();
    training.data_notes = vec!["notice transposed of 1 file: b.npy (time is longer)".to_owned()];
    assert!(report.text().starts_with("notice truncated of 2 files: a.wav"));
    let html = evaluation(&report).html;
    assert!(html.contains("<li>notice truncated of 2 files: a.wav (it ends early), …</li>"));
    let noticed = "<dt>noticed in the data</dt><dd>notice transposed of 1 file: b.npy (time is";
    let (model, rest) = html.split_once("<dt>trained on</dt>").unwrap();
    assert!(rest.contains(noticed) && !model.contains("noticed in the data"));
    let bare = evaluation(&fixtures::report("digits", 0.95)).html;
    assert!(!bare.contains("noticed in the data"));
}

#[test]
fn an_evaluation_of_nothing_is_a_page_that_says_so() {
    let mut report = fixtures::report("digits", 0.95);
    report.results.clear();
    assert!(evaluation(&report).html.contains("Nothing was evaluated."));
}
