//! The bundled model on real digits.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use drsn_bundle::Bundle;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    harness::{Server, has_runtime},
    skip,
};

const PIXELS: usize = 28 * 28;
const CLIENTS: usize = 8;
const BATCH: usize = 50;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// MNIST's test images as bytes, and their labels.
fn test_set() -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = std::env::var_os("DRSN_MNIST")
        .map_or_else(|| root().join("target/data/mnist"), PathBuf::from);
    let read = |name: &str, header: usize| {
        fs::read(folder.join(name)).ok().map(|bytes| bytes[header..].to_vec())
    };
    let set = read("t10k-images-idx3-ubyte", 16).zip(read("t10k-labels-idx1-ubyte", 8));
    if set.is_none() {
        skip::skip(
            "MNIST is missing: cargo run -p drsn-train -- fetch mnist --to target/data/mnist",
        );
    }
    set
}

/// Numbers from 0 to 1 that are the same on every machine (splitmix64).
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_readme_is_a_seven_with_a_threshold_for_every_block() {
    if !has_runtime() {
        return;
    }
    let server = Server::start(&root().join("models"), &["--default-model", "mnist"]).await;
    let seven = fs::read(root().join("tests/data/seven.png")).unwrap();
    let answer = server.classify("/classify", "image/png", seven).await;
    assert_eq!(answer["predictions"][0]["label"], "7");
    let blocks = answer["predictions"][0]["diagnostics"]["blocks"].as_array().unwrap();
    let manifest = Bundle::open(&root().join("models/mnist/1")).unwrap().manifest;
    assert_eq!(blocks.len(), manifest.blocks.len());
    for (block, expected) in blocks.iter().zip(&manifest.blocks) {
        assert_eq!(block["name"], expected.name.as_str());
        assert!(block["threshold"]["mean"].as_f64().unwrap() > 0.0);
    }
    server.stop().await;
}

/// Fraction of right answers among the 10,000 test images, with `noise`·U(0, 1) added to each
/// pixel.
async fn accuracy(noise: f32) -> Option<f64> {
    let (images, labels) = test_set()?;
    let server =
        Arc::new(Server::start(&root().join("models"), &["--default-model", "mnist"]).await);
    let mut state = 7;
    let values: Vec<f32> = images
        .iter()
        .map(|&pixel| f32::from(pixel) / 255.0 + noise * uniform(&mut state))
        .collect();
    let (values, labels) = (Arc::new(values), Arc::new(labels));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (server, values, labels) =
            (Arc::clone(&server), Arc::clone(&values), Arc::clone(&labels));
        clients.spawn(async move {
            let mut right = 0;
            let batches = values.chunks(BATCH * PIXELS).zip(labels.chunks(BATCH));
            for (images, labels) in batches.skip(client).step_by(CLIENTS) {
                let body: Vec<u8> = images.iter().flat_map(|v| v.to_le_bytes()).collect();
                let answer = server
                    .classify(
                        "/classify?diagnostics=none&top_k=1",
                        "application/octet-stream",
                        body,
                    )
                    .await;
                right += right_answers(&answer, labels);
            }
            right
        });
    }
    let right: usize = clients.join_all().await.into_iter().sum();
    Arc::into_inner(server).unwrap().stop().await;
    Some(right as f64 / labels.len() as f64)
}

fn right_answers(answer: &Value, labels: &[u8]) -> usize {
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), labels.len());
    predictions.iter().zip(labels).filter(|(p, label)| p["class_index"] == **label).count()
}

fn in_manifest(noisy: bool) -> f64 {
    let manifest = Bundle::open(&root().join("models/mnist/1")).unwrap().manifest;
    let evaluations = manifest.training.unwrap().evaluations;
    let found = evaluations.iter().find(|e| e.inputs == 10_000 && e.noise.is_some() == noisy);
    found.unwrap().accuracy
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_digits_are_classified_as_well_as_the_manifest_says() {
    if !has_runtime() {
        return;
    }
    let Some(accuracy) = accuracy(0.0).await else { return };
    assert!(accuracy >= 0.988, "{accuracy}");
    assert!((accuracy - in_manifest(false)).abs() <= 0.001, "{accuracy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn noisy_digits_are_classified_as_well_as_promised() {
    if !has_runtime() {
        return;
    }
    let Some(accuracy) = accuracy(0.5).await else { return };
    assert!(accuracy >= 0.97, "{accuracy}");
    // Another draw of the noise than the manifest's: two standard errors at this accuracy are 0.3
    // points.
    assert!((accuracy - in_manifest(true)).abs() <= 0.003, "{accuracy}");
}
