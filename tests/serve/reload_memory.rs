//! Memory of models that are reloaded many times is released.

use std::{fs, path::Path, time::Duration};

use drsn_bundle::update_manifest;

use crate::{
    harness::{Process, has_runtime},
    hostile::FLOATS,
};

/// Resident memory of a process, in KiB, shortly after the previous model was unloaded.
async fn resident(process: u32) -> u64 {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_after_200_reloads_is_that_after_20() {
    reload_200_times("8").await;
}

/// The measured batch size differs between loads, and so does the memory of the sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_after_200_reloads_with_measured_batches_is_that_after_20() {
    reload_200_times("auto").await;
}

async fn reload_200_times(batch: &str) {
    if !has_runtime() || !cfg!(target_os = "linux") {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    let bundle = models.path().join("mnist/1");
    fs::create_dir_all(&bundle).unwrap();
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist/1");
    for file in ["manifest.json", "model.onnx", "golden.json"] {
        fs::copy(bundled.join(file), bundle.join(file)).unwrap();
    }
    let flags = ["--model-control", "explicit", "--max-batch", batch];
    let server = Process::start(models.path(), &flags);
    let client = reqwest::Client::new();
    let (mut after_20, mut after_200) = (0, 0);
    for reload in 1..=200 {
        update_manifest(&bundle, |manifest| {
            manifest.training.as_mut().unwrap().seed = reload;
        })
        .unwrap();
        let load = client.post(server.url("/v2/repository/models/mnist/load")).send();
        assert_eq!(load.await.unwrap().status(), 200);
        let body = vec![0; 8 * 4 * 28 * 28];
        let request =
            client.post(server.url("/classify")).header("content-type", FLOATS).body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
        // The mean of ten: the memory that the allocator holds varies by a few per cent, as do
        // measured batch sizes.
        match reload {
            11..=20 => after_20 += resident(server.child.id()).await / 10,
            191..=200 => after_200 += resident(server.child.id()).await / 10,
            _ => {}
        }
    }
    let shown = client.get(server.url("/models/mnist")).send().await.unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown.text().await.unwrap()).unwrap();
    assert_eq!(shown["training"]["seed"], 200, "the last content serves");
    eprintln!(
        "batch {batch}: resident after 20 reloads: {after_20} KiB, after 200: {after_200} KiB"
    );
    assert!(after_200 <= after_20 + after_20 / 10, "{after_20} KiB became {after_200} KiB");
}
