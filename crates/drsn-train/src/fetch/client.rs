//! Package clients, and unpacking of their archives.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;

use super::{FetchError, Folders, file_error};

/// A package, and the files to take from it.
pub(super) struct Package {
    /// Name and version, as the client expects them.
    pub(super) name: &'static str,
    /// Folder of the files in the archive.
    pub(super) folder: &'static str,
    /// Names of the files.
    pub(super) members: &'static [&'static str],
    /// Maximum size of a file in bytes.
    pub(super) max_bytes: u64,
    /// List of the data set's files, for the error if the client is missing.
    pub(super) files: fn() -> String,
}

impl Package {
    /// Downloads the package with npm, and unpacks its files into a folder.
    pub(super) fn by_npm(&self, folders: &Folders<'_>, into: &Path) -> Result<(), FetchError> {
        let arguments = ["pack", "--loglevel", "error", self.name];
        self.run(folders, "npm", "install Node.js with npm", &arguments)?;
        let archive = self.downloaded(folders, "tgz")?;
        let file = fs::File::open(&archive).map_err(file_error("read", &archive))?;
        self.unpack(GzDecoder::new(file), into)
    }

    /// Downloads the package with apt, and unpacks its files into a folder.
    pub(super) fn by_apt(&self, folders: &Folders<'_>, into: &Path) -> Result<(), FetchError> {
        const INSTALL: &str = "use Debian or Ubuntu, whose archives contain the data set";
        // Nothing is installed, and no root rights are needed.
        self.run(folders, "apt-get", INSTALL, &["download", "-qq", self.name])?;
        let archive = self.downloaded(folders, "deb")?;
        let name = archive.to_string_lossy().into_owned();
        let tar =
            self.run(folders, "dpkg-deb", "install dpkg", &["--fsys-tarfile", name.as_str()])?;
        self.unpack(tar.as_slice(), into)
    }

    /// Runs a client in the folder of downloads, and returns its standard output.
    fn run(
        &self,
        folders: &Folders<'_>,
        client: &'static str,
        install: &'static str,
        arguments: &[&str],
    ) -> Result<Vec<u8>, FetchError> {
        let output = Command::new(client)
            .args(arguments)
            .current_dir(folders.downloads)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                if error.kind() != io::ErrorKind::NotFound {
                    return file_error("run", client)(error);
                }
                FetchError::NoClient {
                    client,
                    install,
                    files: (self.files)(),
                    folder: folders.destination.to_owned(),
                }
            })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let first_line = errors.lines().find(|line| !line.trim().is_empty());
        Err(FetchError::Client {
            command: format!("{client} {}", arguments.join(" ")),
            message: first_line.unwrap_or("no message").to_owned(),
        })
    }

    fn downloaded(&self, folders: &Folders<'_>, extension: &str) -> Result<PathBuf, FetchError> {
        let entries =
            fs::read_dir(folders.downloads).map_err(file_error("read", folders.downloads))?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|e| e == extension))
            .ok_or_else(|| self.wrong("the client did not save an archive"))
    }

    /// Unpacks the wanted files of an archive, and ignores all others.
    fn unpack(&self, archive: impl Read, into: &Path) -> Result<(), FetchError> {
        let paths =
            self.members.iter().map(|&member| (Path::new(self.folder).join(member), member));
        let mut wanted: BTreeMap<PathBuf, &str> = paths.collect();
        let mut archive = tar::Archive::new(archive);
        let damaged = |error: io::Error| self.wrong(error.to_string());
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            let path = path.strip_prefix(".").unwrap_or(&path);
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let Some(member) = wanted.remove(path) else { continue };
            if entry.size() > self.max_bytes {
                return Err(self.wrong(format!("{member} is too large: {} bytes", entry.size())));
            }
            let target = into.join(member);
            let mut file = fs::File::create(&target).map_err(file_error("write", &target))?;
            io::copy(&mut entry, &mut file)
                .and_then(|_| file.sync_all())
                .map_err(file_error("write", &target))?;
        }
        match wanted.into_values().next() {
            None => Ok(()),
            Some(missing) => Err(self.wrong(format!("it does not contain {missing}"))),
        }
    }

    /// The error for a package with unexpected contents.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> FetchError {
        FetchError::Package { package: self.name, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: Package = Package {
        name: "digits",
        folder: "package",
        members: &["one", "two"],
        max_bytes: 4,
        files: String::new,
    };

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, contents) in files {
            let mut header = tar::Header::new_gnu();
            // `set_path` would reject the paths of an attacker.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(contents.len() as u64);
            header.set_cksum();
            builder.append(&header, contents.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn wanted_files_are_taken_and_others_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("into");
        fs::create_dir(&into).unwrap();
        let files = [
            ("./package/one", "1"),
            ("package/../../out", "x"),
            ("/out", "x"),
            ("package/two", "2"),
        ];
        PACKAGE.unpack(archive(&files).as_slice(), &into).unwrap();
        assert_eq!(fs::read_to_string(into.join("one")).unwrap(), "1");
        assert_eq!(fs::read_dir(&into).unwrap().count(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn missing_files_large_files_and_damage_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let unpack = |bytes: &[u8]| PACKAGE.unpack(bytes, folder.path()).unwrap_err().to_string();
        assert!(unpack(&archive(&[("package/one", "1")])).contains("not contain two"));
        assert!(
            unpack(&archive(&[("package/one", "12345")])).contains("one is too large: 5 bytes")
        );
        assert!(unpack(&[7; 700]).contains("contents of the package digits"));
    }
}
