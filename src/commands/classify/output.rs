//! Where answers are written: standard output, or a file that appears when it is complete.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, BufWriter, IsTerminal as _, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// The output of a command.
#[derive(Debug)]
pub(super) struct Output {
    writer: BufWriter<Sink>,
    /// Whether lines are shown as they are written.
    is_on_terminal: bool,
}

#[derive(Debug)]
enum Sink {
    Stdout(io::Stdout),
    /// A pipe or device.
    Open(fs::File),
    /// A file that does not have its name yet.
    Growing {
        file: NamedTempFile,
        target: PathBuf,
    },
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Open(file) => file.write(bytes),
            Self::Growing { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Open(file) => file.flush(),
            Self::Growing { file, .. } => file.flush(),
        }
    }
}

impl Output {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout();
        let is_on_terminal = stdout.is_terminal();
        Self { writer: BufWriter::new(Sink::Stdout(stdout)), is_on_terminal }
    }

    /// A file. What is written goes to a temporary file beside it, which gets its name in
    /// [`Self::finish`]; a pipe or device is written to directly.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(super) fn file(path: &Path) -> anyhow::Result<Self> {
        let sink = sink(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { writer: BufWriter::new(sink), is_on_terminal: false })
    }

    /// Writes a piece of text.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())?;
        if self.is_on_terminal { self.writer.flush() } else { Ok(()) }
    }

    /// Writes out what is buffered, so that a reader of a pipe sees it.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Completes the output.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.writer.into_inner().map_err(io::IntoInnerError::into_error)? {
            Sink::Growing { file, target } => {
                file.persist(target).map_err(|refused| refused.error)?;
                Ok(())
            }
            mut sink @ (Sink::Stdout(_) | Sink::Open(_)) => sink.flush(),
        }
    }
}

fn sink(path: &Path) -> io::Result<Sink> {
    let (target, permissions) = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => (path.canonicalize()?, metadata.permissions()),
        Ok(_) => return Ok(Sink::Open(OpenOptions::new().write(true).open(path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (path.to_owned(), Permissions::from_mode(0o666))
        }
        Err(error) => return Err(error),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions(permissions)
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    Ok(Sink::Growing { file, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete_and_nothing_is_left_if_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.csv");
        fs::write(&path, "before").unwrap();
        let mut output = Output::file(&path).unwrap();
        output.write("half").unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        let mut output = Output::file(&path).unwrap();
        output.write("whole").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Output::file(&folder.path().join("none/x")).is_err());
        assert!(Output::file(folder.path()).is_err());
    }
}
