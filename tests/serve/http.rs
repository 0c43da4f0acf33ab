//! The routes and forms of input of the HTTP API.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

const FLOATS: &str = "application/octet-stream";

/// 16 grey values that 8-bit images represent exactly.
fn pixels() -> [u8; 16] {
    std::array::from_fn(|n| (n * 17) as u8)
}

fn values() -> Vec<f32> {
    pixels().iter().map(|&v| f32::from(v) / 255.0).collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn file(format: image::ImageFormat) -> Vec<u8> {
    let picture = image::GrayImage::from_raw(4, 4, pixels().to_vec()).unwrap();
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn assert_close(found: &Value, expected: f32) {
    let found = found.as_f64().unwrap() as f32;
    assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_image_gives_the_same_answer() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let png = file(image::ImageFormat::Png);
    let values = values();
    let tensor: Vec<Vec<&[f32]>> = vec![values.chunks(4).collect()];
    let answers = [
        server.classify("/classify", "image/png", png.clone()).await,
        server.classify("/classify", FLOATS, bytes_of(&values)).await,
        server.classify_json("/classify", json!({"image": STANDARD.encode(&png)})).await,
        server.classify_json("/classify", json!({"images": [STANDARD.encode(&png)]})).await,
        server.classify_json("/classify", json!({"tensor": tensor})).await,
        server.classify_json("/classify", json!({"tensors": [tensor]})).await,
    ];
    let expected = tiny::answer(&values);
    for answer in &answers {
        let prediction = &answer["predictions"][0];
        assert_eq!(prediction["label"], "minus", "{answer}");
        assert_close(&prediction["probability"], expected.probabilities[1]);
        assert_eq!(prediction["diagnostics"], answers[0]["predictions"][0]["diagnostics"]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jpeg_is_read_like_its_pixels() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let answer = server.classify("/classify", "image/jpeg", file(image::ImageFormat::Jpeg)).await;
    let found = answer["predictions"][0]["probability"].as_f64().unwrap() as f32;
    // JPEG is lossy.
    assert!((found - tiny::answer(&values()).probabilities[1]).abs() < 0.02);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_signal_gives_the_same_answer() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("one", tiny::signal_input(1)), ("two", tiny::signal_input(2))]);
    let server = Server::start(models.path(), &["--default-model", "one"]).await;
    let signal: Vec<f32> = (0..8).map(|n| n as f32 - 2.0).collect();
    let other = [0.5; 8];
    let expected = tiny::answer(&signal);
    let both = bytes_of(&[&signal[..], &other].concat());
    for (path, body) in [
        ("/classify", json!({"signal": signal})),
        ("/classify", json!({"signal": [signal]})),
        ("/classify", json!({"signals": [signal]})),
        ("/classify", json!({"tensor": [signal]})),
        ("/models/two/classify", json!({"signal": [signal, other]})),
        ("/models/two/versions/1/classify", json!({"tensors": [[signal, other]]})),
        ("/classify", json!({"signal": [signal, other], "model": "two", "version": "1"})),
    ] {
        let answer = server.classify_json(path, body).await;
        assert_close(&answer["predictions"][0]["probabilities"][0]["probability"], {
            let best = answer["predictions"][0]["class_index"].as_u64().unwrap() as usize;
            expected.probabilities[best]
        });
    }
    let answer = server.classify("/classify?model=two", FLOATS, both).await;
    assert_eq!(answer["model"]["name"], "two");
    server.stop().await;
}

#[expect(clippy::too_many_lines, reason = "it is a whole answer")]
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_answer_is_the_documented_one() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let body = json!({"signal": [4, -4, 1, -1, 2, -2, 0, 0], "diagnostics": "full"});
    let mut answer = server.classify_json("/classify", body).await;
    for duration in ["decode_us", "queue_us", "inference_us"] {
        assert!(answer["timing"][duration].is_u64());
        answer["timing"][duration] = json!("…");
    }
    // A = 14/8 and 28/8, τ = A/2 and A/4; the logits are 0 and 0.
    insta::assert_json_snapshot!(answer, @r#"
    {
      "model": {
        "name": "tiny",
        "version": "1"
      },
      "predictions": [
        {
          "class_index": 0,
          "diagnostics": {
            "blocks": [
              {
                "channel": [
                  {
                    "mean_abs": 1.75,
                    "mean_abs_after": 1.09375,
                    "scale": 0.5,
                    "threshold": 0.875,
                    "zeroed": 0.25
                  },
                  {
                    "mean_abs": 3.5,
                    "mean_abs_after": 2.84375,
                    "scale": 0.25,
                    "threshold": 0.875,
                    "zeroed": 0.25
                  }
                ],
                "channels": 2,
                "name": "stage1.block1",
                "scale": {
                  "max": 0.5,
                  "mean": 0.375,
                  "min": 0.25
                },
                "threshold": {
                  "max": 0.875,
                  "mean": 0.875,
                  "min": 0.875
                }
              }
            ],
            "input_level": null,
            "input_shift": null,
            "map": {
              "bias": 0.0,
              "class_index": 0,
              "end": 8,
              "start": 0,
              "step": 1.0,
              "values": [
                -4.0,
                4.0,
                -1.0,
                1.0,
                -2.0,
                2.0,
                0.0,
                0.0
              ]
            }
          },
          "input": {
            "index": 0,
            "name": null
          },
          "label": "plus",
          "probabilities": [
            {
              "class_index": 0,
              "label": "plus",
              "probability": 0.5
            },
            {
              "class_index": 1,
              "label": "minus",
              "probability": 0.5
            }
          ],
          "probability": 0.5
        }
      ],
      "timing": {
        "batch_size": 1,
        "decode_us": "…",
        "inference_us": "…",
        "queue_us": "…"
      }
    }
    "#);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fraction_of_zeroed_features_is_that_of_the_definition() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&values())).await;
    let expected = tiny::answer(&values());
    let channels = &answer["predictions"][0]["diagnostics"]["blocks"][0]["channel"];
    for channel in 0..2 {
        assert_close(&channels[channel]["zeroed"], expected.zeroed[channel]);
        assert_close(&channels[channel]["threshold"], expected.threshold[channel]);
        assert_close(&channels[channel]["mean_abs"], expected.mean_abs[channel]);
        assert_close(&channels[channel]["scale"], tiny::SCALES[channel]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_classes_and_diagnostics_it_asks_for() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let body = bytes_of(&values());
    let answer = server.classify("/classify?diagnostics=none&top_k=1", FLOATS, body.clone()).await;
    assert!(answer["predictions"][0].get("diagnostics").is_none());
    assert_eq!(answer["predictions"][0]["probabilities"].as_array().map(Vec::len), Some(1));
    let answer = server.classify("/classify", FLOATS, body).await;
    let block = &answer["predictions"][0]["diagnostics"]["blocks"][0];
    assert!(block.get("channel").is_none());
    assert!(block["threshold"]["mean"].is_f64());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_described_and_probes_and_metrics_answer() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let list = harness::json(server.get("/models").await).await;
    assert_eq!(list["default"], "tiny");
    assert_eq!(list["models"][0]["input"]["shape"], json!([1, 4, 4]));
    assert_eq!(list["models"][0]["input"]["geometry"], "refuse");
    assert_eq!(list["models"][0]["execution_provider"], harness::provider());
    let one = harness::json(server.get("/models/tiny").await).await;
    assert_eq!(one, list["models"][0]);
    assert_eq!(server.get("/healthz").await.status(), 200);

    server.classify("/classify", FLOATS, bytes_of(&values())).await;
    server.post("/classify", FLOATS, "").await;
    let text = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "drsn_requests_total{model=\"tiny\",version=\"1\",protocol=\"http\",code=\"200\"} 1",
        "drsn_requests_total{model=\"tiny\",version=\"1\",protocol=\"http\",code=\"400\"} 1",
        "drsn_rejected_total{model=\"tiny\",reason=\"invalid\"} 1",
        "drsn_predictions_total{model=\"tiny\",version=\"1\",class=\"minus\"} 1",
        "drsn_model_ready{model=\"tiny\",version=\"1\"} 1",
        "drsn_batch_size_count{model=\"tiny\",version=\"1\"} 1",
        "drsn_threshold_count{model=\"tiny\",version=\"1\",block=\"stage1.block1\"} 1",
        "drsn_inflight_requests 0",
        "drsn_inflight_bytes 0",
        "# TYPE drsn_requests_total counter",
        "# TYPE drsn_stage_duration_seconds histogram",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_echoed_or_made() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let made = server.get("/nowhere").await;
    let id = made.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem = harness::json(made).await;
    assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
    let request = server.client.get(server.url("/models")).header("x-request-id", "mine-7");
    let echoed = request.send().await.unwrap();
    assert_eq!(echoed.headers()["x-request-id"], "mine-7");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_in_clear_text_is_supported() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let response = client.get(server.url("/models")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.status(), 200);
    drop(client);
    server.stop().await;
}
