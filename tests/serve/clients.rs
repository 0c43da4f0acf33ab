//! Clients of other projects, used as their documentation says: `tests/clients/*.py`.

use std::{path::Path, process::Command};

use crate::{
    harness::{self, Process, has_runtime},
    skip, tiny,
};

/// Exit code of a script whose packages are not installed.
const MISSING_PACKAGES: i32 = 77;

/// Runs a script against a server with a model of signals of one channel and 8 samples.
fn run(script: &str) {
    if !has_runtime() {
        return;
    }
    let Some(python) = std::env::var_os("DRSN_PYTHON") else {
        return skip::skip("DRSN_PYTHON names no Python with tests/requirements.txt installed");
    };
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Process::start(models.path(), &["--linger-ms", "0", "--max-batch", "16"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let output = Command::new(python)
        .arg(script)
        .args([server.address.to_string(), server.grpc.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(MISSING_PACKAGES) => skip::skip(&said),
        code => panic!("the client ended with {code:?}: {said}"),
    }
}

#[test]
fn tritonclient_over_http_is_served() {
    run("triton_http.py");
}

#[test]
fn tritonclient_over_grpc_is_served() {
    run("triton_grpc.py");
}

#[test]
fn the_kserve_sdk_is_served() {
    run("kserve_sdk.py");
}

#[test]
fn health_and_reflection_are_served_to_grpc_tools() {
    run("grpc_tools.py");
}
