//! Batching changes how fast answers arrive, and not what they are.

use std::{path::Path, sync::Arc};

use drsn_bundle::Tolerance;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{Server, has_runtime};

const CLIENTS: usize = 32;
const IMAGES: usize = 64;
const FLOATS: &str = "application/octet-stream";

/// An image of 28 x 28 pixels: a bright bar on a dark, uneven background, different for each
/// number.
fn image(number: usize) -> Vec<u8> {
    let pixel = |position: usize| {
        let (row, column) = (position / 28, position % 28);
        let bar = (row + column * (number % 5)).abs_diff(10 + number % 13) < 3;
        let ground = (position * 31 + number * 17) % 97;
        if bar { 1.0 } else { ground as f32 / 400.0 }
    };
    (0..28 * 28).flat_map(|position| pixel(position).to_le_bytes()).collect()
}

/// Every number of a prediction: probabilities by class, and each block's thresholds and scales.
fn numbers(prediction: &Value) -> Vec<Vec<f32>> {
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let mut probabilities = vec![0.0; 10];
    for class in prediction["probabilities"].as_array().unwrap() {
        let index = class["class_index"].as_u64().unwrap() as usize;
        probabilities[index] = number(&class["probability"]);
    }
    let mut numbers = vec![probabilities];
    for block in prediction["diagnostics"]["blocks"].as_array().unwrap() {
        for channel in block["channel"].as_array().unwrap() {
            let parts = ["threshold", "scale", "mean_abs", "zeroed"];
            numbers.push(parts.iter().map(|&part| number(&channel[part])).collect());
        }
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_64_images_gets_the_answers_of_64_requests_from_32_clients() {
    if !has_runtime() {
        return;
    }
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let server =
        Arc::new(Server::start(&models, &["--default-model", "mnist", "--max-batch", "16"]).await);
    let together: Vec<u8> = (0..IMAGES).flat_map(image).collect();
    let path = format!("/classify?diagnostics=full&batch={IMAGES}");
    let together = server.classify(&path, FLOATS, together).await;
    assert_eq!(together["predictions"].as_array().map(Vec::len), Some(IMAGES));
    assert!(together["timing"]["batch_size"].as_u64() > Some(1));

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut answers = Vec::new();
            for number in (client..IMAGES).step_by(CLIENTS) {
                let path = "/classify?diagnostics=full";
                answers.push((number, server.classify(path, FLOATS, image(number)).await));
            }
            answers
        });
    }
    for (number, alone) in clients.join_all().await.into_iter().flatten() {
        let (alone, together) = (&alone["predictions"][0], &together["predictions"][number]);
        assert_eq!(alone["label"], together["label"]);
        for (found, expected) in numbers(alone).iter().zip(numbers(together)) {
            assert_eq!(Tolerance::CPU.check(&expected, found), Ok(()));
        }
    }
    Arc::into_inner(server).unwrap().stop().await;
}
