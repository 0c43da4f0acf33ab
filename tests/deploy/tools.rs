//! Programs that tests run beside the server, and free ports for them.

use std::{
    ffi::OsStr,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

use crate::skip;

/// A process that ends with its owner.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The root of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python with the tests' packages; reports the test as skipped without one.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("DRSN_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skip::skip("DRSN_PYTHON names no Python with tests/requirements.txt installed");
    }
    python
}

/// Free ports.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Runs the built `drsn-serve`.
pub(crate) fn drsn_serve(arguments: &[impl AsRef<OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drsn-serve")).args(arguments).output().unwrap()
}

/// The output of a program.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
