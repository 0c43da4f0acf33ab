//! `GET /models/{model}/baseline`: what answers are compared with.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    baseline::{serve, with_baseline},
    harness::{self, Server, has_runtime},
    tiny,
};

async fn usual(server: &Server, path: &str) -> Value {
    let response = server.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    harness::json(response).await
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_alarms_above_the_score_that_the_baseline_names() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = serve(&[with_baseline("plain", tiny::signal_input(1))]).await;
    let found = usual(&server, "/models/plain/baseline").await;
    assert_eq!(found, usual(&server, "/models/plain/versions/1/baseline").await);
    assert_eq!((&found["data"], &found["alarm_level"]), (&json!("even noise"), &json!(0.01)));
    let shift = &found["input_shift"];
    let scores: Vec<f64> =
        shift["quantiles"].as_array().unwrap().iter().map(|q| number(&q["score"])).collect();
    assert!(scores.len() == 101 && scores.is_sorted(), "{scores:?}");
    let above = number(&shift["alarm_above"]);
    assert!(scores[98] <= above && above <= scores[100], "{above}: {scores:?}");
    for scale in [0.5, 1.0, 1.5, 2.0, 4.0] {
        let signal = [0.1, -0.3, 0.2, 0.4, -0.4, 0.3, -0.1, 0.2].map(|x: f32| scale * x);
        let body = json!({"model": "plain", "signal": signal});
        let answer = server.classify_json("/classify", body).await;
        let shift = &answer["predictions"][0]["diagnostics"]["input_shift"];
        assert_eq!(shift["alarm"], number(&shift["score"]) > above, "{shift}");
    }
    assert_eq!(found["thresholds"], Value::Null, "an older baseline");
    let level = &found["input_level"]["classes"][1]["channel"][0];
    let of = |what: &str| ["low", "middle", "high"].map(|limit| number(&level[what][limit]));
    // Samples are spread evenly over [-1, 1].
    assert!((of("rms")[1] - 3_f64.sqrt().recip()).abs() < 0.1, "{level}");
    assert!(["rms", "peak", "frequency"].iter().all(|what| of(what).is_sorted()), "{level}");

    let bare = usual(&server, "/models/bare/baseline").await;
    for field in ["data", "alarm_level", "input_shift", "input_level", "thresholds"] {
        assert_eq!(bare[field], Value::Null, "{field}");
    }
    assert_eq!(server.get("/models/none/baseline").await.status(), 404);
    assert_eq!(server.get("/models/plain/versions/7/baseline").await.status(), 404);
    server.stop().await;
}

/// The digit's thresholds are those of its class and not of every other.
#[tokio::test(flavor = "multi_thread")]
async fn the_thresholds_of_a_usual_digit_are_near_those_of_its_class() {
    if !has_runtime() {
        return;
    }
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let server = Server::start(&models, &["--default-model", "mnist"]).await;
    let seven = include_bytes!("../data/seven.png").to_vec();
    let answer = server.classify("/classify?diagnostics=full", "image/png", seven).await;
    let found = usual(&server, "/models/mnist/baseline").await;
    let prediction = &answer["predictions"][0];
    // The mean over all channels of how many deviations a threshold is from that of a class.
    let distance = |class: &Value, what: &str| {
        let blocks = class["blocks"].as_array().unwrap().iter();
        let answered = prediction["diagnostics"]["blocks"].as_array().unwrap();
        let (mut sum, mut count) = (0.0, 0.0);
        for (usual, block) in blocks.zip(answered) {
            assert_eq!(usual["name"], block["name"]);
            let channels = usual["channel"].as_array().unwrap().iter();
            for (usual, channel) in channels.zip(block["channel"].as_array().unwrap()) {
                let deviation = number(&usual[what]["deviation"]).max(1e-6);
                sum += (number(&channel[what]) - number(&usual[what]["mean"])).abs() / deviation;
                count += 1.0;
            }
        }
        sum / count
    };
    for what in ["threshold", "scale"] {
        let classes = found["thresholds"].as_array().unwrap();
        let distances: Vec<f64> = classes.iter().map(|class| distance(class, what)).collect();
        let nearest = (0..10).min_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        assert_eq!(json!(nearest), prediction["class_index"], "{what}: {distances:?}");
        assert!(distances[7] < 1.5, "{what}: {distances:?}");
    }
    let inputs: u64 = found["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["inputs"].as_u64().unwrap())
        .sum();
    assert_eq!(inputs, 55_000);
    server.stop().await;
}
