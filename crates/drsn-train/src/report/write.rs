//! Reports as files: `report.html`, `report.json`, and each plot as SVG and PNG.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::{
    comparison::Comparison,
    error::ReportError,
    evaluation::EvaluationReport,
    html::{self, Rendered},
    plot::Figure,
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
/// Files of an earlier report are replaced atomically; other files in the folder are kept.
/// `report.html` is written last, so that it never refers to missing files.
///
/// # Errors
/// [`ReportError`] with the path that cannot be written.
pub fn write(folder: &Path, report: Report<'_>) -> Result<PathBuf, ReportError> {
    let (rendered, json) = match report {
        Report::Evaluation(report) => (html::evaluation(report)?, json(report)?),
        Report::Comparison(comparison) => (html::comparison(comparison)?, json(comparison)?),
        Report::Study(study) => (html::study(study)?, json(study)?),
    };
    fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    let Rendered { html, figures } = rendered;
    for figure in &figures {
        replace(&folder.join(format!("{}.svg", figure.name)), figure.svg()?.as_bytes())?;
        replace_png(&folder.join(format!("{}.png", figure.name)), figure)?;
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

/// Writes a file atomically.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let write = || -> io::Result<()> {
        let mut file = temporary(path)?;
        file.write_all(bytes)?;
        persist(file, path)
    };
    write().map_err(|source| unwritable(path, source))
}

/// Writes a plot, which the drawing library saves itself, atomically.
fn replace_png(path: &Path, figure: &Figure) -> Result<(), ReportError> {
    let file = temporary(path).map_err(|source| unwritable(path, source))?;
    figure.png(file.path())?;
    persist(file, path).map_err(|source| unwritable(path, source))
}

/// A temporary file next to `path`, deleted unless it is moved there.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    // The drawing library derives the format from the extension.
    let folder = path.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".report").suffix(".png").tempfile_in(folder)
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    readable(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Makes a file readable by others, unlike a temporary file.
#[cfg(unix)]
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

fn unwritable(path: &Path, source: io::Error) -> ReportError {
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
            "classes.png",
            "classes.svg",
            "confusion.png",
            "confusion.svg",
            "noise.png",
            "noise.svg",
            "reliability.png",
            "reliability.svg",
            "report.html",
            "report.json",
            "training.png",
            "training.svg",
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
        let study = Study { title: String::new(), data: String::new(), rows: Vec::new() };
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
