//! The shared library: the build for this machine, and whether a file is that build.

use std::env::consts::{ARCH, OS};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{OTHERWISE, VERSION};

/// The library for one processor architecture, the same in the release's wheels for every Python.
pub(super) struct Build {
    /// Its name in Rust and pip.
    pub(super) architecture: &'static str,
    /// `e_machine` in the ELF header.
    machine: u16,
    /// The file's size.
    pub(super) bytes: u64,
    /// The file's checksum in hexadecimal.
    pub(super) sha256: &'static str,
}

const BUILDS: [Build; 2] = [
    Build {
        architecture: "x86_64",
        machine: 62,
        bytes: 29_352_200,
        sha256: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    },
    Build {
        architecture: "aarch64",
        machine: 183,
        bytes: 25_265_040,
        sha256: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    },
];

impl Build {
    /// The build for this machine.
    pub(super) fn of_this_machine() -> Result<&'static Self> {
        Self::of(OS, ARCH, cfg!(target_env = "musl"))
    }

    fn of(system: &str, architecture: &str, musl: bool) -> Result<&'static Self> {
        let build = BUILDS.iter().find(|build| build.architecture == architecture);
        match build {
            Some(build) if system == "linux" && !musl => Ok(build),
            _ => bail!(
                "there is no ONNX Runtime {VERSION} to download for {architecture} {system}{}: \
                 use Linux with glibc on x86_64 or aarch64, {OTHERWISE}",
                if musl { " with musl" } else { "" }
            ),
        }
    }

    /// The wheel's platform tag, for a pip of another Python.
    pub(super) fn platform(&self) -> String {
        format!("manylinux_2_28_{}", self.architecture)
    }
}

/// Checks architecture, size and checksum, in this order: the first mismatch says most about the
/// cause.
pub(super) fn verify(path: &Path, expected: &Build) -> Result<()> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut header = Vec::new();
    file.by_ref().take(20).read_to_end(&mut header)?;
    let machine = elf_machine(&header).context("it is not a 64-bit ELF library")?;
    if machine != expected.machine {
        let found = BUILDS.iter().find(|build| build.machine == machine);
        bail!(
            "it is a library for {}, and this machine is {}",
            found.map_or("another processor", |build| build.architecture),
            expected.architecture
        );
    }
    let bytes = file.metadata()?.len();
    if bytes != expected.bytes {
        bail!("it has {bytes} bytes instead of {}", expected.bytes);
    }
    let sum = sha256(&header, &mut file)?;
    if sum != expected.sha256 {
        bail!("its SHA-256 is {sum} instead of {}", expected.sha256);
    }
    Ok(())
}

/// `e_machine` of a 64-bit little-endian ELF file, read from its first 20 bytes.
fn elf_machine(header: &[u8]) -> Option<u16> {
    let is_elf = header.starts_with(b"\x7fELF\x02\x01");
    let machine = header.get(18..20)?;
    is_elf.then(|| u16::from_le_bytes([machine[0], machine[1]]))
}

/// The checksum of `start` and the rest of `rest`.
fn sha256(start: &[u8], rest: &mut impl Read) -> Result<String> {
    let mut hasher = Sha256::new_with_prefix(start);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match rest.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An ELF header for `machine`, and eight bytes more.
    fn elf(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 28];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    fn verdict(content: &[u8], expected: &Build) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.so");
        fs::write(&path, content).unwrap();
        match verify(&path, expected) {
            Ok(()) => "right".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_machine_gets_its_own_build() {
        assert_eq!(Build::of("linux", "x86_64", false).unwrap().machine, 62);
        let arm = Build::of("linux", "aarch64", false).unwrap();
        assert_eq!(arm.platform(), "manylinux_2_28_aarch64");
    }

    #[test]
    fn a_machine_without_a_build_is_told_what_to_do() {
        for (system, architecture, musl) in
            [("linux", "riscv64", false), ("macos", "aarch64", false), ("linux", "x86_64", true)]
        {
            let error = Build::of(system, architecture, musl).err().unwrap().to_string();
            assert!(error.contains(architecture), "{error}");
            assert!(error.contains("ORT_DYLIB_PATH"), "{error}");
        }
    }

    #[test]
    fn a_library_for_another_processor_is_refused_by_name() {
        assert_eq!(
            verdict(&elf(183), &BUILDS[0]),
            "it is a library for aarch64, and this machine is x86_64"
        );
        assert_eq!(
            verdict(&elf(243), &BUILDS[0]),
            "it is a library for another processor, and this machine is x86_64"
        );
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let refusal = "it is not a 64-bit ELF library";
        assert_eq!(verdict(b"", &BUILDS[0]), refusal);
        assert_eq!(verdict(b"\x7fELF\x02\x01", &BUILDS[0]), refusal);
        assert_eq!(verdict(&[b'<'; 100], &BUILDS[0]), refusal);
    }

    #[test]
    fn size_and_checksum_must_agree() {
        let content = elf(62);
        let mut expected = Build {
            architecture: "x86_64",
            machine: 62,
            bytes: 28,
            // By Python's hashlib, of the 28 bytes that `elf(62)` gives.
            sha256: "164677abc484120f08af0145478e31aef450c5fd651c0366b1391723fe4d2479",
        };
        assert_eq!(verdict(&content, &expected), "right");

        let mut flipped = content.clone();
        flipped[27] = 1;
        assert!(verdict(&flipped, &expected).starts_with("its SHA-256 is "));

        expected.bytes = 29;
        assert_eq!(verdict(&content, &expected), "it has 28 bytes instead of 29");
    }
}
