//! Batches change how fast answers come, and not what they are.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

const CLIENTS: usize = 32;
const IMAGES: usize = 64;

fn image(seed: usize) -> Vec<u8> {
    (0..16).flat_map(|n| (((seed * 31 + n * 7) % 97) as f32 / 97.0).to_le_bytes()).collect()
}

fn prediction(answer: &Value, row: usize) -> (&Value, f64, f64) {
    let prediction = &answer["predictions"][row];
    let threshold = &prediction["diagnostics"]["blocks"][0]["threshold"]["mean"];
    (&prediction["label"], prediction["probability"].as_f64().unwrap(), threshold.as_f64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_64_inputs_answers_what_64_requests_answer_under_32_clients() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Arc::new(Server::start(models.path(), &[]).await);
    let together: Vec<u8> = (0..IMAGES).flat_map(image).collect();
    let together = server
        .classify(&format!("/classify?batch={IMAGES}"), "application/octet-stream", together)
        .await;
    assert_eq!(together["predictions"].as_array().map(Vec::len), Some(IMAGES));
    assert!(together["timing"]["batch_size"].as_u64() > Some(1));

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut answers = Vec::new();
            for number in (client..IMAGES).step_by(CLIENTS) {
                let body = image(number);
                answers.push((
                    number,
                    server.classify("/classify", "application/octet-stream", body).await,
                ));
            }
            answers
        });
    }
    for (number, alone) in clients.join_all().await.into_iter().flatten() {
        let (label, probability, threshold) = prediction(&alone, 0);
        let (expected_label, expected_probability, expected_threshold) =
            prediction(&together, number);
        assert_eq!(label, expected_label);
        assert!((probability - expected_probability).abs() < 1e-4);
        assert!((threshold - expected_threshold).abs() < 1e-4);
    }
    Arc::into_inner(server).unwrap().stop().await;
}
