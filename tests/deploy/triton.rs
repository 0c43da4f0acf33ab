//! An exported repository in NVIDIA's tritonserver, which PyPI's nvidia-pytriton contains without
//! the ONNX backend.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    export_triton::export,
    harness::{Process, has_runtime},
    skip,
    tools::{self, Running, free_ports, project, text},
};

/// The bundled models.
const MODELS: [&str; 3] = ["bearing", "cifar10", "mnist"];
/// Longest start that a test waits for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Exit code of a script whose packages are not installed.
const MISSING_PACKAGES: i32 = 77;
/// tritonserver's message about a missing backend.
const NO_BACKEND: &str = "unable to find backend library for backend 'onnxruntime'";

/// The program tritonserver, as pip installs it.
struct Triton {
    program: PathBuf,
}

impl Triton {
    /// Reports the test as skipped if the program is not configured.
    fn find() -> Option<Self> {
        let Some(program) = std::env::var_os("DRSN_TRITONSERVER") else {
            skip::skip(
                "DRSN_TRITONSERVER names no tritonserver, as tests/requirements-triton.txt brings it",
            );
            return None;
        };
        Some(Self { program: PathBuf::from(program) })
    }

    /// A part of the package beside the program.
    fn part(&self, name: &str) -> PathBuf {
        self.program.parent().unwrap().parent().unwrap().join(name)
    }

    fn command(&self, repository: &Path, backends: &Path) -> Command {
        let [port] = free_ports();
        let mut command = Command::new(&self.program);
        command
            .args([
                "--http-address",
                "127.0.0.1",
                "--allow-grpc",
                "false",
                "--allow-metrics",
                "false",
            ])
            .args(["--http-port", &port.to_string(), "--model-repository"])
            .arg(repository)
            .arg("--backend-directory")
            .arg(backends)
            // The package's own libraries, for the programs that it starts.
            .env("LD_LIBRARY_PATH", self.part("../../nvidia_pytriton.libs"));
        command
    }

    /// The program's output for a repository that it cannot load.
    fn complaint(&self, repository: &Path) -> String {
        let output = self.command(repository, &self.part("backends")).output().unwrap();
        assert!(!output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    }
}

/// Every bundled model, exported.
fn exported(repository: &Path) {
    for model in MODELS {
        let output = export(&project().join("models").join(model).join("1"), repository, &[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

fn failures(complaint: &str) -> Vec<&str> {
    complaint
        .lines()
        .filter(|line| line.contains("failed to load '") && line.contains("version"))
        .collect()
}

#[test]
fn tritonserver_reads_the_configuration_and_misses_nothing_but_the_onnx_backend() {
    let Some(triton) = Triton::find() else { return };
    let repository = tempfile::tempdir().unwrap();
    exported(repository.path());
    let complaint = triton.complaint(repository.path());
    let failures = failures(&complaint);
    assert_eq!(failures.len(), MODELS.len(), "{complaint}");
    assert!(failures.iter().all(|line| line.contains(NO_BACKEND)), "{complaint}");

    // Faults in a configuration are found before that.
    for (right, wrong, reason) in [
        ("max_batch_size: 64", "max_batch_size: -1", "'max_batch_size' must be non-negative"),
        ("data_type: TYPE_FP32", "data_type: FP32", "failed to read text proto"),
    ] {
        let config = repository.path().join("mnist/config.pbtxt");
        let sound = fs::read_to_string(&config).unwrap();
        assert!(sound.contains(right), "{sound}");
        fs::write(&config, sound.replacen(right, wrong, 1)).unwrap();
        let complaint = triton.complaint(repository.path());
        let found = complaint.lines().any(|line| line.contains("mnist") && line.contains(reason));
        assert!(found, "{complaint}");
        fs::write(&config, sound).unwrap();
    }
}

/// Triton's backends, with one for ONNX on Python's onnxruntime; `None` if the package has none for
/// this Python.
fn backends(triton: &Triton, folder: &Path, minor: &str) -> Option<()> {
    let stub = triton.part("python_backend_stubs").join(minor).join("triton_python_backend_stub");
    if !stub.is_file() {
        skip::skip(&format!("nvidia-pytriton has nothing for Python {minor}"));
        return None;
    }
    let python = folder.join("python");
    fs::create_dir_all(&python).unwrap();
    for name in ["libtriton_python.so", "triton_python_backend_utils.py"] {
        fs::copy(triton.part("backends/python").join(name), python.join(name)).unwrap();
    }
    fs::copy(stub, python.join("triton_python_backend_stub")).unwrap();
    let onnx = folder.join("onnxruntime");
    fs::create_dir(&onnx).unwrap();
    fs::copy(project().join("tests/deploy/onnxruntime_backend.py"), onnx.join("model.py")).unwrap();
    Some(())
}

/// Version and folder of packages of the tests' Python.
fn described(python: &Path) -> (String, String) {
    let program = "import sys, sysconfig\n\
                   print('%d.%d' % sys.version_info[:2], sysconfig.get_path('purelib'), sep='\\n')";
    let output = Command::new(python).args(["-c", program]).output().unwrap();
    let said = text(&output.stdout);
    let mut lines = said.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_answers_in_tritonserver_as_the_golden_outputs_and_drsn_serve_do() {
    let (Some(triton), Some(python)) = (Triton::find(), tools::python()) else { return };
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (repository, backend_folder) =
        (folder.path().join("models"), folder.path().join("backends"));
    let (minor, packages) = described(&python);
    if backends(&triton, &backend_folder, &minor).is_none() {
        return;
    }
    exported(&repository);
    let mut command = triton.command(&repository, &backend_folder);
    let port = command.get_args().skip_while(|a| *a != "--http-port").nth(1).unwrap().to_owned();
    let address = format!("127.0.0.1:{}", port.to_str().unwrap());
    let log = folder.path().join("log");
    command.env("DRSN_SITE_PACKAGES", packages).stdout(Stdio::null());
    command.stderr(fs::File::create(&log).unwrap());
    let mut running = Running(command.spawn().unwrap());
    let said = || fs::read_to_string(&log).unwrap();
    let url = format!("http://{address}/v2/health/ready");
    let ready = async {
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200) {
            assert_eq!(running.0.try_wait().unwrap(), None, "{}", said());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ready).await.is_ok(), "{}", said());

    let models = project().join("models");
    let server = Process::start(&models, &["--linger-ms", "0"]);
    let output = Command::new(&python)
        .arg(project().join("tests/deploy/triton.py"))
        .args([address, server.address.to_string()])
        .args([&repository, &models])
        .args(MODELS)
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => eprint!("{}", text(&output.stdout)),
        Some(MISSING_PACKAGES) => skip::skip(&text(&output.stderr)),
        code => panic!("the client ended with {code:?}: {}\n{}", text(&output.stderr), said()),
    }
}
