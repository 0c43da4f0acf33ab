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

/// Where MNIST's four files are, if they are.
pub(crate) fn data() -> PathBuf {
    std::env::var_os("DRSN_MNIST").map_or_else(|| root().join("target/data/mnist"), PathBuf::from)
}

/// MNIST's test images as bytes, and their labels.
pub(crate) fn test_set() -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = data();
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

/// Pixels along the side of one of the map's cells.
const CELL: usize = 7;
const DIGITS: usize = 500;

/// The classes of some pictures, and with full diagnostics their maps.
async fn asked(server: &Server, pictures: &[f32], detail: &str) -> Vec<(usize, Vec<f32>)> {
    let body: Vec<u8> = pictures.iter().flat_map(|value| value.to_le_bytes()).collect();
    let path = format!("/classify?diagnostics={detail}&top_k=1");
    let answer = server.classify(&path, "application/octet-stream", body).await;
    let numbers = |row: &Value| {
        let row = row.as_array().unwrap().iter();
        row.map(|value| value.as_f64().unwrap() as f32).collect::<Vec<_>>()
    };
    let of = |prediction: &Value| {
        let rows = prediction["diagnostics"]["map"]["values"].as_array();
        let map = rows.into_iter().flatten().flat_map(numbers).collect();
        (prediction["class_index"].as_u64().unwrap() as usize, map)
    };
    answer["predictions"].as_array().unwrap().iter().map(of).collect()
}

/// Pictures of which the cells are black that are chosen, or all others.
fn masked(pictures: &[f32], chosen: &[Vec<usize>], hides_chosen: bool) -> Vec<f32> {
    let side = 28 / CELL;
    let value = |(at, &value): (usize, &f32)| {
        let (row, column) = (at % PIXELS / 28, at % 28);
        let cell = row / CELL * side + column / CELL;
        if chosen[at / PIXELS].contains(&cell) == hides_chosen { 0.0 } else { value }
    };
    pictures.iter().enumerate().map(value).collect()
}

/// The cells that hold four fifths of a map's positive values: the largest first, or the smallest
/// as many.
fn cells(map: &[f32], largest: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&a, &b| map[b].total_cmp(&map[a]));
    let all: f32 = map.iter().map(|value| value.max(0.0)).sum();
    let mut sum = 0.0;
    let is_needed = |&&cell: &&usize| {
        let needed = sum < 0.8 * all;
        sum += map[cell].max(0.0);
        needed
    };
    let count = order.iter().take_while(is_needed).count();
    if !largest {
        order.reverse();
    }
    order.truncate(count);
    order
}

/// What the map says, tried: without the cells of the map the digit is another one, and without
/// the others it stays the same. A black picture has a class, too, whose digits are left out of the
/// first.
#[tokio::test(flavor = "multi_thread")]
async fn digits_without_the_cells_of_their_map_are_other_digits() {
    if !has_runtime() {
        return;
    }
    let Some((images, _)) = test_set() else { return };
    let pictures: Vec<f32> =
        images[..DIGITS * PIXELS].iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let server = Server::start(&root().join("models"), &["--default-model", "mnist"]).await;
    let black = asked(&server, &[0.0; PIXELS], "none").await[0].0;
    let answers = asked(&server, &pictures, "full").await;
    let mut shares = Vec::new();
    for largest in [true, false] {
        let chosen: Vec<_> = answers.iter().map(|(_, map)| cells(map, largest)).collect();
        let without = asked(&server, &masked(&pictures, &chosen, true), "none").await;
        let only = asked(&server, &masked(&pictures, &chosen, false), "none").await;
        let digits = answers.iter().filter(|(class, _)| *class != black).count();
        let pairs = || answers.iter().map(|(class, _)| *class);
        let changed =
            pairs().zip(&without).filter(|(class, new)| *class != black && *class != new.0);
        let kept = pairs().zip(&only).filter(|(class, new)| *class == new.0);
        shares.push([
            changed.count() as f64 / digits as f64,
            kept.count() as f64 / answers.len() as f64,
        ]);
    }
    let [of_map, of_others] = [shares[0], shares[1]];
    assert!(of_map.iter().all(|share| *share >= 0.95), "{of_map:?}");
    assert!(of_others.iter().all(|share| *share < 0.5), "{of_others:?}");
    server.stop().await;
}
