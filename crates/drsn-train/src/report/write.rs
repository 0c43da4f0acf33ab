//! Reports as files: `report.html`, `report.json`, and each plot as SVG and PNG.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use drsn_bundle::staging::write_file;
use serde::Serialize;

use super::{
    comparison::Comparison,
    error::ReportError,
    evaluation::EvaluationReport,
    html::{self, Rendered},
    study::Study,
};

/// A report to write.
#[derive(Debug, Clone, Copy)]
pub enum Report<'a> {
    /// One bundle.
    Evaluation(&'a EvaluationReport),
    /// Several bundles.
    Comparison(&'a Comparison),
    /// Several trainings of several kinds of network.
    Study(&'a Study),
}

/// Writes a report into `folder`, which is created if necessary, and returns the path of
/// `report.html`.
///
/// Each file of an earlier report is replaced in one step; other files in the folder are kept.
/// `report.html` is written last, so that it never refers to missing files.
///
/// # Errors
/// [`ReportError`] with the path that cannot be written.
pub fn write(folder: &Path, report: Report<'_>) -> Result<PathBuf, ReportError> {
    let (rendered, json) = match report {
        Report::Evaluation(report) => (html::evaluation(report), json(report)?),
        Report::Comparison(comparison) => (html::comparison(comparison), json(comparison)?),
        Report::Study(study) => (html::study(study), json(study)?),
    };
    fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    let Rendered { html, figures } = rendered;
    for figure in &figures {
        replace(&folder.join(format!("{}.svg", figure.name)), figure.svg().as_bytes())?;
        replace(&folder.join(format!("{}.png", figure.name)), &figure.png()?)?;
    }
    replace(&folder.join("report.json"), &json)?;
    let path = folder.join("report.html");
    replace(&path, html.as_bytes())?;
    Ok(path)
}

fn json(report: &impl Serialize) -> Result<Vec<u8>, ReportError> {
    let mut json = serde_json::to_vec_pretty(report)
        .map_err(|e| ReportError::Json { reason: e.to_string() })?;
    json.push(b'\n');
    Ok(json)
}

/// Writes a file in one step.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    write_file(path, bytes).map_err(|source| unwritable(path, source))
}

/// The error of a file or folder that cannot be written.
pub(super) fn unwritable(path: &Path, source: io::Error) -> ReportError {
    ReportError::Unwritable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures, *};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_is_written_completely_and_replaces_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/report");
        let report = fixtures::report("digits", 0.95);
        for _ in 0..2 {
            write(&target, Report::Evaluation(&report)).unwrap();
        }
        let expected = [
            "confusion.png",
            "confusion.svg",
            "noise.png",
            "noise.svg",
            "reliability.png",
            "reliability.svg",
            "report.html",
            "report.json",
            "shift.png",
            "shift.svg",
            "thresholds.png",
            "thresholds.svg",
            "training.png",
            "training.svg",
            "zeroed.png",
            "zeroed.svg",
        ];
        assert_eq!(names(&target), expected);
        let json = fs::read(target.join("report.json")).unwrap();
        let read: EvaluationReport = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.model.name, report.model.name);
        assert_eq!(read.model.architecture, report.model.architecture);
        assert_eq!(read.results[1].noise, report.results[1].noise);
        assert_eq!(read.results[1].scores.confusion, report.results[1].scores.confusion);
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let study = Study::default();
        let error = write(&file.join("report"), Report::Study(&study)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && error.contains("file/report"), "{error}");
    }

    /// `DRSN_PLOTS=folder cargo test -p drsn-train --lib reports_to_look_at` writes them for
    /// inspection.
    #[test]
    fn reports_to_look_at() {
        let Some(folder) = std::env::var_os("DRSN_PLOTS") else { return };
        let folder = Path::new(&folder);
        let report = fixtures::report("digits", 0.95);
        write(&folder.join("one"), Report::Evaluation(&report)).unwrap();
        let reports =
            vec![report, fixtures::report("plain", 0.91), fixtures::report("other", 0.90)];
        let comparison = Comparison::new(reports).unwrap();
        write(&folder.join("several"), Report::Comparison(&comparison)).unwrap();
    }
}
