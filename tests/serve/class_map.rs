//! The class activation map of full diagnostics: where in the input the evidence for the class is.

use std::ops::Range;

use drsn_bundle::Manifest;
use drsn_serve::proto::drsn::{
    ClassifyRequest, Detail, Prediction, Signal, StreamStart, classify_request::Input,
};
use serde_json::{Value, json};

use crate::{
    grpc::{Classifier, channel, streams::Stream},
    harness::{self, Server, has_runtime},
    tiny,
};

const FLOATS: &str = "application/octet-stream";

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Numbers between −4 and 4.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 11_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        8.0 * (state >> 8) as f32 / (1 << 24) as f32 - 4.0
    };
    (0..count).map(|_| next()).collect()
}

/// What each value of an input adds to the logit of a class, by the network's definition.
fn expected_map(input: &[f32], class: usize) -> Vec<f32> {
    let tiny::Answer { threshold, .. } = tiny::answer(input);
    let shrunk = |channel: usize, value: f32| {
        let x = value * tiny::WEIGHTS[channel];
        x.signum() * (x.abs() - threshold[channel]).max(0.0)
    };
    let sign = if class == 0 { 1.0 } else { -1.0 };
    input.iter().map(|&value| shrunk(0, value) + sign * shrunk(1, value)).collect()
}

fn numbers(values: &Value) -> Vec<f32> {
    let all = values.as_array().unwrap().iter();
    all.map(|value| value.as_f64().unwrap() as f32).collect()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} are not {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_of_a_window_or_a_picture_is_that_of_the_definition() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("signal", tiny::signal_input(1)), ("image", tiny::image_input())]);
    let server = Server::start(models.path(), &["--default-model", "signal"]).await;
    let signal = noise(8);
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&signal)).await;
    let prediction = &answer["predictions"][0];
    let class = prediction["class_index"].as_u64().unwrap() as usize;
    let map = &prediction["diagnostics"]["map"];
    assert_eq!(map["class_index"], class);
    assert_eq!([&map["start"], &map["end"], &map["step"]], [&json!(0), &json!(8), &json!(1.0)]);
    let values = numbers(&map["values"]);
    assert_near(&values, &expected_map(&signal, class));
    let logit = values.iter().sum::<f32>() / 8.0 + map["bias"].as_f64().unwrap() as f32;
    assert_near(&[logit], &[tiny::answer(&signal).logits[class]]);
    // The mean magnitude that the block left.
    let block = &prediction["diagnostics"]["blocks"][0];
    for channel in 0..2 {
        let left = |&value: &f32| {
            let x = (value * tiny::WEIGHTS[channel]).abs();
            (x - tiny::answer(&signal).threshold[channel]).max(0.0)
        };
        let left = signal.iter().map(left).sum::<f32>() / 8.0;
        assert_near(
            &[block["channel"][channel]["mean_abs_after"].as_f64().unwrap() as f32],
            &[left],
        );
    }

    let picture = noise(16);
    let path = "/models/image/classify?diagnostics=full";
    let answer = server.classify(path, FLOATS, bytes_of(&picture)).await;
    let prediction = &answer["predictions"][0];
    let map = &prediction["diagnostics"]["map"];
    assert_eq!([&map["height"], &map["width"]], [&json!(4), &json!(4)]);
    let rows: Vec<f32> = map["values"].as_array().unwrap().iter().flat_map(numbers).collect();
    let class = prediction["class_index"].as_u64().unwrap() as usize;
    assert_near(&rows, &expected_map(&picture, class));

    let summary = server.classify("/classify", FLOATS, bytes_of(&signal)).await;
    assert!(summary["predictions"][0]["diagnostics"].get("map").is_none());
    let list = harness::json(server.get("/models").await).await;
    let maps: Vec<_> = list["models"].as_array().unwrap().iter().map(|m| &m["map"]).collect();
    assert_eq!(maps, [&json!({"height": 4, "width": 4}), &json!({"positions": 8})]);
    server.stop().await;
}

/// As a tensor, the map has all classes; it is only computed if it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_map_of_every_class_is_a_tensor_of_the_open_inference_protocol() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("signal", tiny::signal_input(1)), ("image", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    for (model, input, sizes) in
        [("signal", noise(16), json!([1, 8])), ("image", noise(32), json!([1, 4, 4]))]
    {
        let described = harness::json(server.get(&format!("/v2/models/{model}")).await).await;
        let outputs = described["outputs"].as_array().unwrap();
        let map = outputs.iter().find(|output| output["name"] == "class_map").unwrap();
        let shape: Vec<Value> =
            std::iter::once(json!(2)).chain(sizes.as_array().unwrap()[1..].to_vec()).collect();
        assert_eq!(map["shape"].as_array().unwrap()[1..], shape);

        let mut tensor = sizes.as_array().unwrap().clone();
        tensor.insert(0, json!(2));
        let mut body = json!({
            "inputs": [{"name": "input", "datatype": "FP32", "shape": tensor, "data": input}],
            "outputs": [{"name": "logits"}, {"name": "class_map"}],
        });
        let path = format!("/v2/models/{model}/infer");
        let post = async |body: &Value| {
            harness::json(server.post(&path, "application/json", body.to_string()).await).await
        };
        let answer = post(&body).await;
        let map = &answer["outputs"][1];
        assert_eq!(map["shape"].as_array().unwrap()[0], 2, "{map}");
        let each = input.len() / 2;
        for (row, one) in input.chunks(each).enumerate() {
            for class in 0..2 {
                let begin = (row * 2 + class) * each;
                assert_near(&numbers(&map["data"])[begin..begin + each], &expected_map(one, class));
            }
        }
        body.as_object_mut().unwrap().remove("outputs");
        let all = post(&body).await;
        let names: Vec<_> = all["outputs"].as_array().unwrap().iter().map(|o| &o["name"]).collect();
        assert!(names.len() > 2 && !names.contains(&&json!("class_map")), "{names:?}");
    }
    server.stop().await;
}

/// Twenty samples: windows from 0, 8 and 12 on, which overlap.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_many_windows_has_one_map() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let signal = noise(20);
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&signal)).await;
    let prediction = &answer["predictions"][0];
    let class = prediction["class_index"].as_u64().unwrap() as usize;
    let map = &prediction["diagnostics"]["map"];
    assert_eq!([&map["start"], &map["end"], &map["step"]], [&json!(0), &json!(20), &json!(1.0)]);
    let (mut sums, mut counts) = ([0.0; 20], [0.0; 20]);
    for start in [0, 8, 12] {
        for (at, value) in expected_map(&signal[start..start + 8], class).iter().enumerate() {
            sums[start + at] += value;
            counts[start + at] += 1.0;
        }
    }
    let expected: Vec<f32> = sums.iter().zip(counts).map(|(sum, count)| sum / count).collect();
    assert_near(&numbers(&map["values"]), &expected);
    assert!(prediction["windows"][0].get("map").is_none());

    // An hour at 20 kHz is 72 million samples; the answer stays this size.
    let long = noise(100_000);
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&long)).await;
    let map = &answer["predictions"][0]["diagnostics"]["map"];
    assert_eq!([&map["end"], &map["step"]], [&json!(100_000), &json!(128.0)]);
    assert_eq!(map["values"].as_array().map(Vec::len), Some(782));
    server.stop().await;
}

/// Features over two axes, of which none is the signal's: nothing can be said of their positions.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_whose_last_features_are_not_along_the_signal_has_no_map_and_says_so() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = tiny::manifest("tiny", "1", tiny::signal_input(1));
    let model = tiny::model_with(&manifest, |graph, shrunk| {
        let shape = graph.integers("folded", &[0, 2, 4, 2]);
        graph.node("Reshape", &[shrunk, &shape], "stream", &[])
    });
    let golden = tiny::golden(&manifest);
    drsn_bundle::write(folder.path(), manifest, &model, &golden, false).unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let described = harness::json(server.get("/models/tiny").await).await;
    assert_eq!(described["map"], Value::Null);
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&noise(8))).await;
    let diagnostics = &answer["predictions"][0]["diagnostics"];
    assert!(diagnostics.get("map").is_none(), "{diagnostics}");
    assert!(diagnostics["blocks"][0]["channel"][0]["mean_abs_after"].is_number());
    server.stop().await;
}

/// A manifest of a network that was trained to classify each position.
fn of_positions() -> Manifest {
    let training = json!({
        "tool": "test", "data": "none", "training_inputs": 1, "held_out_inputs": 1, "seed": 1,
        "epochs": 1, "configuration": {}, "environment": {}, "evaluations": [],
        "position_accuracy": 0.97,
    });
    let training = serde_json::from_value(training).unwrap();
    Manifest { training: Some(training), ..tiny::manifest("tiny", "1", tiny::signal_input(1)) }
}

/// A normal bearing in which a fault began in the middle of a window was taken for a third class, and
/// the map did not say where it began.
#[tokio::test(flavor = "multi_thread")]
async fn segments_say_where_in_a_signal_which_class_is() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    harness::write_manifest(folder.path(), of_positions());
    let server = Server::start(folder.path(), &[]).await;
    // Positive samples alone are of the class minus.
    let parts = [(0..7, "minus"), (7..16, "plus"), (16..20, "minus")];
    let signal: Vec<f32> =
        (0..20).map(|at| if parts[1].0.contains(&at) { -4.0 } else { 4.0 }).collect();
    let segment = |range: Range<usize>, label| {
        let class = usize::from(label == "minus");
        json!({"start": range.start, "end": range.end, "label": label, "class_index": class})
    };
    let path = "/classify?diagnostics=full";
    let answer = server.classify(path, FLOATS, bytes_of(&signal)).await;
    let whole = &answer["predictions"][0]["diagnostics"]["map"]["segments"];
    let all: Vec<Value> = parts.iter().cloned().map(|(at, label)| segment(at, label)).collect();
    assert_eq!(*whole, json!(all));
    let answer = server.classify(path, FLOATS, bytes_of(&signal[..8])).await;
    let window = &answer["predictions"][0]["diagnostics"]["map"]["segments"];
    assert_eq!(*window, json!([segment(0..7, "minus"), segment(7..8, "plus")]));

    let mut client = Classifier::new(channel(server.grpc).await);
    let request = ClassifyRequest {
        input: Some(Input::Signal(Signal { channels: 1, samples: signal[..8].to_vec() })),
        diagnostics: Detail::Full.into(),
        ..ClassifyRequest::default()
    };
    let answer = client.classify(request).await.unwrap().into_inner();
    let found = |prediction: &Prediction| {
        let segments = prediction.diagnostics.clone().unwrap().map.unwrap().segments;
        segments.into_iter().map(|s| (s.start, s.end, s.label)).collect::<Vec<_>>()
    };
    let [minus, plus] = ["minus", "plus"].map(str::to_owned);
    let expected = [(0, 7, minus.clone()), (7, 8, plus.clone())];
    assert_eq!(found(&answer.predictions[0]), expected);
    let start = StreamStart { diagnostics: Detail::Full.into(), ..StreamStart::default() };
    let stream = Stream::open(&mut client, start).await;
    stream.send(signal).await;
    let (predictions, _) = stream.end().await;
    let second = predictions[1].prediction.as_ref().unwrap();
    assert_eq!(found(second), [(8, 16, plus)]);
    server.stop().await;
}

/// Positions of other networks are parts of an answer, not answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_not_trained_on_positions_has_no_segments() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let answer = server.classify("/classify?diagnostics=full", FLOATS, bytes_of(&noise(8))).await;
    let map = &answer["predictions"][0]["diagnostics"]["map"];
    assert!(map["values"].is_array() && map.get("segments").is_none(), "{map}");
    server.stop().await;
}
