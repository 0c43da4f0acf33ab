//! The resources in `deploy/`: they render, Kubernetes and KServe would accept them, and the
//! server does what they say.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use clap::Parser as _;
use drsn_serve::config::Config;
use serde_json::Value;

use crate::{
    harness::{Process, command, eventually, has_runtime},
    skip,
    tools::{self, Running, free_ports, project, text},
};

/// Exit code of a script whose packages are not installed.
const MISSING_PACKAGES: i32 = 77;
/// Time that a kubelet needs for a stop, in addition to the server's.
const MARGIN: Duration = Duration::from_secs(5);

/// The output of `kubectl kustomize` for a folder, as YAML; reports the test as skipped if it is
/// not installed.
fn render(folder: &Path) -> Option<Vec<u8>> {
    let Ok(output) = Command::new("kubectl").arg("kustomize").arg(folder).output() else {
        skip::skip("kubectl is not installed");
        return None;
    };
    assert!(output.status.success(), "{}: {}", folder.display(), text(&output.stderr));
    assert!(output.stderr.is_empty(), "a warning: {}", text(&output.stderr));
    Some(output.stdout)
}

/// Lets `manifests.py` check resources, and returns them.
fn checked(yaml: &[u8], mode: &[&str]) -> Option<Vec<Value>> {
    let mut script = Command::new(tools::python()?)
        .arg(project().join("tests/deploy/manifests.py"))
        .args(mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It reads once it has found its packages; without them it has exited.
    let _ = script.stdin.take().unwrap().write_all(yaml);
    let output = script.wait_with_output().unwrap();
    let said = text(&output.stderr);
    if output.status.code() == Some(MISSING_PACKAGES) {
        skip::skip(&said);
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn deploy(part: &str) -> PathBuf {
    project().join("deploy").join(part)
}

/// The resources of a folder of kinds that Kubernetes itself has, checked.
fn resources(folder: &Path) -> Option<Vec<Value>> {
    checked(&render(folder)?, &[])
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Option<&'a Value> {
    resources.iter().find(|resource| resource["kind"] == kind)
}

/// The server's container of the Deployment, and the pod around it.
fn pod(resources: &[Value]) -> (&Value, &Value) {
    let pod = &of_kind(resources, "Deployment").unwrap()["spec"]["template"]["spec"];
    (pod, &pod["containers"][0])
}

/// Name and value of a container's variables.
fn environment(container: &Value) -> Vec<(&str, &str)> {
    let variables = container["env"].as_array().unwrap();
    let text = |value: &'_ Value| value.as_str().map(str::len).is_some();
    assert!(variables.iter().all(|v| text(&v["name"]) && text(&v["value"])), "{variables:?}");
    variables.iter().map(|v| (v["name"].as_str().unwrap(), v["value"].as_str().unwrap())).collect()
}

/// The configuration that such variables and arguments give; each variable must be the twin of a
/// flag.
fn configuration(container: &Value) -> Config {
    let flags = environment(container).into_iter().map(|(name, value)| {
        let flag = name.strip_prefix("DRSN_").unwrap().to_lowercase().replace('_', "-");
        format!("--{flag}={value}")
    });
    let arguments = container["args"].as_array().into_iter().flatten();
    let arguments = arguments.map(|argument| argument.as_str().unwrap().replace("{{.Name}}", "a"));
    Config::try_parse_from(std::iter::once("drsn-serve".to_owned()).chain(flags).chain(arguments))
        .unwrap()
}

#[test]
fn base_components_and_overlay_render_to_what_kubernetes_takes() {
    let Some(base) = resources(&deploy("base")) else { return };
    for kind in
        ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
    {
        assert!(of_kind(&base, kind).is_some(), "{kind}");
    }
    let is_own = |group: &str| !group.contains('.') || group.ends_with(".k8s.io");
    let groups = base.iter().map(|r| r["apiVersion"].as_str().unwrap().split('/').next().unwrap());
    assert!(groups.clone().all(is_own), "the base needs a custom resource");
    assert!(resources(&deploy("overlays/example")).is_some_and(|r| r.len() > base.len()));

    // Each component on the base alone.
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(deploy("")).arg(folder.path().join("deploy"));
    assert!(copy.status().unwrap().success());
    let overlay = folder.path().join("deploy/overlays/one");
    fs::create_dir(&overlay).unwrap();
    let components: Vec<_> =
        fs::read_dir(deploy("components")).unwrap().map(Result::unwrap).collect();
    assert!(components.len() >= 4);
    for component in components {
        let name = component.file_name().into_string().unwrap();
        let kustomization =
            format!("resources: [../../base]\ncomponents: [../../components/{name}]\n");
        fs::write(overlay.join("kustomization.yaml"), kustomization).unwrap();
        let with = resources(&overlay).unwrap();
        assert_ne!(with, base, "{name} changes nothing");
        let scalers = ["HorizontalPodAutoscaler", "ScaledObject"].map(|kind| of_kind(&with, kind));
        assert_eq!(scalers.iter().flatten().count(), 1, "{name}: one autoscaler decides");
    }
}

#[test]
fn a_pod_has_the_time_that_a_server_takes_to_end() {
    let Some(base) = resources(&deploy("base")) else { return };
    let (pod, container) = pod(&base);
    let config = configuration(container);
    let grace = Duration::from_secs(pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    let before = Duration::from_secs(
        container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap(),
    );
    assert!(grace >= before + config.linger() + config.drain_timeout() + MARGIN);
    assert!(config.drain_timeout() >= config.request_timeout(), "a request may be cut off");
    // Clients of the probe notice the shutdown while the server still answers.
    let probe = &container["readinessProbe"];
    let seconds =
        probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
    assert!(before + config.linger() >= Duration::from_secs(seconds));

    let Some(yaml) = render(&deploy("kserve")) else { return };
    for runtime in checked(&yaml, &["kserve"]).into_iter().flatten() {
        let container = &runtime["spec"]["containers"][0];
        if container.is_object() {
            let config = configuration(container);
            let usual = Duration::from_secs(30);
            assert!(usual >= config.linger() + config.drain_timeout() + MARGIN);
            assert!(config.drain_timeout() >= config.request_timeout());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_starts_with_the_deployments_variables_and_has_the_metric_that_scales_it() {
    let Some(example) = resources(&deploy("overlays/example")) else { return };
    if !has_runtime() {
        return;
    }
    let (_, container) = pod(&example);
    let mut command = command(&project().join("models"), &["--linger-ms", "0"]);
    command.envs(environment(container));
    let server = Process::spawn(command);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert_eq!(reqwest::get(server.url(path)).await.unwrap().status(), 200, "{path}");
    }
    let scaled = of_kind(&example, "ScaledObject").unwrap();
    let query = scaled["spec"]["triggers"][0]["metadata"]["query"].as_str().unwrap();
    let metric = query.split(['(', ')', '{']).find(|word| word.starts_with("drsn_")).unwrap();
    let monitor = of_kind(&example, "ServiceMonitor").unwrap();
    let path = monitor["spec"]["endpoints"][0]["path"].as_str().unwrap();
    let metrics = reqwest::get(server.url(path)).await.unwrap().text().await.unwrap();
    assert!(metrics.lines().any(|line| line.starts_with(&format!("{metric}{{"))), "{metric}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kserves_own_types_hold_its_resources_and_the_runtimes_serve_a_flat_bundle() {
    let Some(yaml) = render(&deploy("kserve")) else { return };
    let Some(resources) = checked(&yaml, &["kserve"]) else { return };
    let service = &of_kind(&resources, "InferenceService").unwrap()["spec"]["predictor"]["model"];
    let runtimes = resources.iter().filter(|r| r["kind"] == "ClusterServingRuntime");
    let runtimes: Vec<&Value> = runtimes.map(|runtime| &runtime["spec"]).collect();
    let protocols: Vec<&Value> = runtimes.iter().map(|spec| &spec["protocolVersions"][0]).collect();
    assert_eq!(protocols, ["grpc-v2", "v2"]);
    assert!(protocols.contains(&&service["protocolVersion"]));
    for spec in runtimes {
        assert_eq!(spec["supportedModelFormats"][0]["name"], service["modelFormat"]["name"]);
        if has_runtime() {
            serves(&spec["containers"][0]).await;
        }
    }
}

/// Starts the server with a runtime's arguments, and asks for its model by the service's name.
async fn serves(container: &Value) {
    let ports: [u16; 2] = free_ports();
    let [http, grpc] = ports.map(|port| format!("127.0.0.1:{port}"));
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| {
        let argument = argument.as_str().unwrap().replace("{{.Name}}", "digits");
        let argument = argument.replace("0.0.0.0:8080", &http).replace("0.0.0.0:9000", &grpc);
        argument.replace("/mnt/models", project().join("models/mnist/1").to_str().unwrap())
    });
    let _running = Running(
        Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
            .args(arguments)
            .envs(environment(container))
            // The image says so for its own models.
            .env("DRSN_DEFAULT_MODEL", "mnist")
            .env("DRSN_DEVICE", "cpu")
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let url = format!("http://{http}/v2/models/digits/ready");
    let is_ready = || async { reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200) };
    eventually("the model has the service's name", is_ready).await;
    // The routes that KServe sends requests to exist.
    let named = container["ports"][0]["name"].as_str().unwrap();
    let address = if named == "h2c" { &grpc } else { &http };
    assert!(std::net::TcpStream::connect(address).is_ok(), "{named}");
}
