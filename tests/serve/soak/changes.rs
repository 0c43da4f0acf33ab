//! Versions that are added, broken, replaced and removed under load.

use std::{fs, path::Path, sync::Arc, time::Duration};

use drsn_bundle::update_manifest;
use serde_json::Value;
use tokio::time::sleep;

use super::{tally::count, traffic::Scene};
use crate::{
    harness::{eventually, write_tiny},
    reload::{damage, replace},
    tiny,
};

const PAUSE: Duration = Duration::from_millis(350);
/// A version above all others, which is always broken.
const BROKEN: &str = "1000000";

/// Copies the bundled version of a model: the same weights under another version.
pub(super) fn copy(repository: &Path, model: &str, version: u32) {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model).join("1");
    let staged = repository.join(model).join(".staged");
    fs::create_dir_all(&staged).unwrap();
    for file in ["manifest.json", "model.onnx", "golden.json"] {
        fs::copy(bundled.join(file), staged.join(file)).unwrap();
    }
    update_manifest(&staged, |manifest| {
        manifest.version = drsn_bundle::Name::new(version.to_string()).unwrap();
    })
    .unwrap();
    fs::rename(staged, repository.join(model).join(version.to_string())).unwrap();
}

/// Changes the models until told to stop, and returns the last version of each.
pub(super) async fn keep_changing(scene: Arc<Scene>, repository: &Path) -> u32 {
    let mut version = 1;
    while scene.goes_on() {
        let (old, new) = (version, version + 1);
        change_tiny(&scene, repository, old, new).await;
        for model in ["bearing", "mnist"] {
            change_real(&scene, repository, model, old, new).await;
        }
        version = new;
    }
    version
}

/// Adds a version, damages it while it serves, replaces it in place with other labels, adds and
/// removes a broken one and another model, and removes the old version.
async fn change_tiny(scene: &Scene, repository: &Path, old: u32, new: u32) {
    let pause = async || {
        count(&scene.tally.changes);
        sleep(PAUSE).await;
    };
    let name = new.to_string();
    let bundle = write_tiny(repository, "tiny", &name, tiny::signal_input(1));
    pause().await;
    damage(&bundle);
    pause().await;
    replace(repository, &name, &format!("class of {new}"));
    pause().await;
    damage(&write_tiny(repository, "tiny", BROKEN, tiny::signal_input(1)));
    write_tiny(repository, "other", &name, tiny::image_input());
    pause().await;
    fs::remove_dir_all(repository.join("tiny").join(BROKEN)).unwrap();
    fs::remove_dir_all(repository.join("other")).unwrap();
    serves(scene, "tiny", new).await;
    fs::remove_dir_all(repository.join("tiny").join(old.to_string())).unwrap();
    pause().await;
}

/// Adds the same weights as a new version and a broken one, and removes the old version once the
/// new one serves.
async fn change_real(scene: &Scene, repository: &Path, model: &str, old: u32, new: u32) {
    let broken = repository.join(model).join(BROKEN);
    copy(repository, model, BROKEN.parse().unwrap());
    damage(&broken);
    count(&scene.tally.changes);
    sleep(PAUSE).await;
    copy(repository, model, new);
    count(&scene.tally.changes);
    fs::remove_dir_all(&broken).unwrap();
    serves(scene, model, new).await;
    fs::remove_dir_all(repository.join(model).join(old.to_string())).unwrap();
    count(&scene.tally.changes);
    sleep(PAUSE).await;
}

/// Waits until this version answers requests without a version.
async fn serves(scene: &Scene, model: &str, version: u32) {
    let client = reqwest::Client::new();
    let version = version.to_string();
    eventually(&format!("version {version} of {model} serves"), async || {
        let Ok(response) = client.get(scene.url(&format!("/models/{model}"))).send().await else {
            return false;
        };
        let body = response.bytes().await.unwrap_or_default();
        let shown: Value = serde_json::from_slice(&body).unwrap_or_default();
        shown["version"].as_str() == Some(&*version) && shown["state"] == "ready"
    })
    .await;
}
