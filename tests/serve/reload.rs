//! Models that are added, changed and removed while the server runs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use drsn_bundle::Manifest;
use serde_json::{Value, json};

use crate::{
    harness::{self, Process, Server, eventually, has_runtime, write_tiny},
    hostile::{FLOATS, JSON, floats, refusal},
    tiny,
};

const POLL: [&str; 4] = ["--model-control", "poll", "--poll-seconds", "1"];
const EXPLICIT: [&str; 2] = ["--model-control", "explicit"];

fn signal(repository: &Path, version: &str) -> PathBuf {
    write_tiny(repository, "tiny", version, tiny::signal_input(1))
}

/// Writes the version again, with another name for its second class.
pub(crate) fn replace(repository: &Path, version: &str, label: &str) {
    let manifest: Manifest = {
        let mut manifest = tiny::manifest("tiny", version, tiny::signal_input(1));
        label.clone_into(&mut manifest.classes[1]);
        manifest
    };
    let (model, golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    drsn_bundle::write(repository, manifest, &model, &golden, true).unwrap();
}

pub(crate) fn damage(bundle: &Path) {
    let path = bundle.join("model.onnx");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The version that answers requests.
async fn version(server: &Server) -> String {
    let answer = server.classify("/classify", FLOATS, floats(&[1.0; 8])).await;
    answer["model"]["version"].as_str().unwrap().to_owned()
}

async fn entry(server: &Server, version: &str) -> Value {
    let list = harness::json(server.get("/models").await).await;
    let models = list["models"].as_array().unwrap();
    models.iter().find(|m| m["version"] == version).cloned().unwrap_or_default()
}

async fn metrics(server: &Server) -> String {
    server.get("/metrics").await.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_polled_and_a_broken_one_leaves_the_old_one_serving() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &POLL).await;
    signal(models.path(), "2");
    eventually("version 2 serves", async || version(&server).await == "2").await;
    assert_eq!(harness::json(server.get("/models").await).await["default"], "tiny");
    let gone = async || !metrics(&server).await.contains("version=\"1\"");
    eventually("the series of version 1 are gone", gone).await;

    damage(&signal(models.path(), "3"));
    eventually("version 3 is shown", async || entry(&server, "3").await["state"] == "unavailable")
        .await;
    let broken = entry(&server, "3").await;
    let reason = broken["reason"].as_str().unwrap();
    assert!(reason.contains("model.onnx is damaged or was changed"), "{reason}");
    assert!(!broken.to_string().contains(models.path().to_str().unwrap()), "{broken}");
    assert_eq!(entry(&server, "2").await["versions"][1]["state"], "unavailable");
    assert_eq!(version(&server).await, "2");
    assert!(metrics(&server).await.contains("drsn_model_ready{model=\"tiny\",version=\"2\"} 1"));
    assert!(!metrics(&server).await.contains("version=\"3\""));
    let path = "/models/tiny/versions/3/classify";
    refusal(server.post(path, FLOATS, floats(&[1.0; 8])).await, 404, "not_found").await;

    fs::remove_dir_all(models.path().join("tiny/3")).unwrap();
    signal(models.path(), "3");
    eventually("version 3 serves", async || version(&server).await == "3").await;
    fs::remove_dir_all(models.path().join("tiny")).unwrap();
    let gone = async || server.get("/models/tiny").await.status() == 404;
    eventually("the model is gone", gone).await;
    refusal(server.post("/classify", FLOATS, floats(&[1.0; 8])).await, 404, "not_found").await;
    eventually("all its series are gone", async || {
        !metrics(&server).await.contains("model=\"tiny\"")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_files_are_replaced_in_place_is_reloaded() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &POLL).await;
    replace(models.path(), "1", "other");
    let other = json!(["plus", "other"]);
    eventually("the new classes", async || entry(&server, "1").await["classes"] == other).await;
    let text = metrics(&server).await;
    assert!(text.contains("drsn_model_ready{model=\"tiny\",version=\"1\"} 1"), "{text}");
    let series = async || !metrics(&server).await.contains("class=\"minus\"");
    eventually("the old class's series is gone", series).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_starts_with_what_loads_and_shows_the_rest() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    damage(&signal(models.path(), "2"));
    damage(&write_tiny(models.path(), "broken", "1", tiny::image_input()));
    fs::create_dir_all(models.path().join("unwritten/1")).unwrap();
    let server = Server::start(models.path(), &POLL).await;
    // If the highest version cannot be served, the next lower one is.
    assert_eq!(version(&server).await, "1");
    let state = async || harness::json(server.get("/models/broken").await).await["state"].clone();
    // Loading is retried; meanwhile the state is loading.
    eventually("the broken model is shown", async || state().await == "unavailable").await;
    let path = "/models/broken/classify";
    refusal(server.post(path, FLOATS, floats(&[1.0; 16])).await, 503, "not_ready").await;
    // During a retry the state is loading, without a reason.
    eventually("the reason of the unwritten version", async || {
        let unwritten = harness::json(server.get("/models/unwritten").await).await;
        unwritten["reason"].as_str().is_some_and(|r| r.contains("it has no manifest.json"))
    })
    .await;
    server.stop().await;
}

#[test]
fn a_folder_that_is_still_being_written_is_retried_and_logged_once() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Process::start(models.path(), &POLL);
    let elsewhere = tempfile::tempdir().unwrap();
    let whole = signal(elsewhere.path(), "2");
    let half = models.path().join("tiny/2");
    fs::create_dir(&half).unwrap();
    let log = server.lines_for(Duration::from_millis(3500));
    let told = log.iter().filter(|l| l["message"].as_str().unwrap().contains("manifest.json"));
    assert_eq!(told.count(), 1, "{log:?}");
    // The manifest first, as in a careless copy: the checksums do not match yet.
    for file in ["manifest.json", "golden.json", "model.onnx"] {
        fs::copy(whole.join(file), half.join(file)).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let ready = server.wait_for("model is ready");
    assert_eq!(ready["version"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_loaded_and_unloaded_on_request() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &EXPLICIT).await;
    let index = async |body: &str| {
        harness::json(server.post("/v2/repository/index", JSON, body).await).await
    };
    let change = async |what: &str, body: &str| {
        server.post(&format!("/v2/repository/models/{what}"), JSON, body).await
    };
    let ready = json!([{"name": "tiny", "version": "1", "state": "READY", "reason": ""}]);
    assert_eq!(index("").await, ready);

    signal(models.path(), "2");
    assert_eq!(version(&server).await, "1");
    assert_eq!(change("tiny/load", "{}").await.status(), 200);
    assert_eq!(version(&server).await, "2");

    assert_eq!(
        change("tiny/unload", r#"{"parameters":{"unload_dependents":true}}"#).await.status(),
        200
    );
    eventually("nothing is ready", async || index(r#"{"ready":true}"#).await == json!([])).await;
    eventually("it is unavailable", async || index("").await[0]["state"] == "UNAVAILABLE").await;
    let path = "/models/tiny/classify";
    refusal(server.post(path, FLOATS, floats(&[1.0; 8])).await, 404, "not_found").await;

    damage(&signal(models.path(), "3"));
    let detail = refusal(change("tiny/load", "").await, 422, "model_unloadable").await;
    assert!(detail.contains("version 3") && detail.contains("damaged"), "{detail}");
    assert!(!detail.contains(models.path().to_str().unwrap()), "{detail}");
    refusal(change("none/load", "").await, 404, "not_found").await;
    refusal(change("none/unload", "").await, 404, "not_found").await;
    refusal(change("..%2F..%2Fetc/load", "").await, 404, "not_found").await;
    for parameters in [json!({"config": "{}"}), json!({"file:1/model.onnx": "AAAA"})] {
        let body = json!({ "parameters": parameters }).to_string();
        refusal(change("tiny/load", &body).await, 400, "invalid_argument").await;
    }
    refusal(change("tiny/load", "[").await, 400, "invalid_argument").await;
    server.stop().await;

    let server = Server::start(models.path(), &["--version-policy", "specific:1"]).await;
    for what in ["load", "unload"] {
        let path = format!("/v2/repository/models/tiny/{what}");
        refusal(server.post(&path, JSON, "{}").await, 403, "forbidden").await;
    }
    assert_eq!(version(&server).await, "1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_when_its_model_is_unloaded_is_answered() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let slow = ["--model-control", "explicit", "--max-wait-us", "1000000", "--max-batch", "8"];
    let server = Server::start(models.path(), &slow).await;
    let waiting = server.classify("/classify", FLOATS, floats(&[1.0; 8]));
    let unloading = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let path = "/v2/repository/models/tiny/unload";
        assert_eq!(server.post(path, JSON, "").await.status(), 200);
        let index = harness::json(server.post("/v2/repository/index", JSON, "").await).await;
        index[0]["state"].as_str().unwrap().to_owned()
    };
    let (answer, state) = tokio::join!(waiting, unloading);
    assert_eq!(answer["model"]["version"], "1");
    assert_eq!(state, "UNAVAILABLE");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_versions_are_served_and_the_highest_answers_requests_without_a_version() {
    if !has_runtime() {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    for version in ["2", "10", "9"] {
        signal(models.path(), version);
    }
    let server = Server::start(models.path(), &["--version-policy", "all"]).await;
    assert_eq!(version(&server).await, "10");
    for version in ["2", "9", "10"] {
        let path = format!("/models/tiny/versions/{version}/classify");
        let answer = server.classify(&path, FLOATS, floats(&[1.0; 8])).await;
        assert_eq!(answer["model"]["version"], version);
    }
    let path = "/models/tiny/versions/3/classify";
    let detail =
        refusal(server.post(path, FLOATS, floats(&[1.0; 8])).await, 404, "not_found").await;
    assert!(detail.contains("2, 9, 10"), "{detail}");
    let shown = harness::json(server.get("/models/tiny").await).await;
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(3));
    for (path, versions) in
        [("/v2/models/tiny", json!(["2", "9", "10"])), ("/v2/models/tiny/versions/9", json!(["9"]))]
    {
        assert_eq!(harness::json(server.get(path).await).await["versions"], versions);
    }
    server.stop().await;

    let server = Server::start(models.path(), &["--version-policy", "specific:9,2"]).await;
    assert_eq!(version(&server).await, "9");
    server.stop().await;
}

/// A volume as Kubernetes mounts it: `tiny -> ..data/tiny`, `..data -> ..first`; a change renames
/// another link over `..data`.
#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_volume_that_is_swapped_by_a_link_is_followed() {
    if !has_runtime() {
        return;
    }
    let volume = tempfile::tempdir().unwrap();
    signal(&volume.path().join("..first"), "1");
    signal(&volume.path().join("..second"), "2");
    symlink("..first", volume.path().join("..data")).unwrap();
    symlink("..data/tiny", volume.path().join("tiny")).unwrap();
    let server = Server::start(volume.path(), &POLL).await;
    assert_eq!(version(&server).await, "1");
    symlink("..second", volume.path().join("..data_tmp")).unwrap();
    fs::rename(volume.path().join("..data_tmp"), volume.path().join("..data")).unwrap();
    eventually("version 2 serves", async || version(&server).await == "2").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_rescans_the_folder_of_a_server_with_fixed_models() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Process::start(models.path(), &[]);
    signal(models.path(), "2");
    damage(&signal(models.path(), "3"));
    let version_now = async || {
        let response = reqwest::get(server.url("/models/tiny")).await.unwrap();
        harness::json(response).await["version"].as_str().unwrap().to_owned()
    };
    server.signal("-HUP");
    let line = server.lines_for(Duration::from_secs(2));
    assert!(line.iter().any(|l| l["message"].as_str().unwrap().contains("the served models stay")));
    assert_eq!(version_now().await, "1");
    fs::remove_dir_all(models.path().join("tiny/3")).unwrap();
    server.signal("-HUP");
    server.wait_for("model is ready");
    eventually("version 2 serves", async || version_now().await == "2").await;
}
