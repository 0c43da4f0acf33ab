//! Recordings shorter than the model's window, and random ones of any length: in every form of
//! request, the server classifies exactly the windows that the definition gives.

use drsn_bundle::{InputSpec, Normalization, Padding};
use drsn_serve::proto::drsn::{StreamStart, classifier_client::ClassifierClient};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    grpc::{channel, streams::Stream},
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    random_recordings::{Expected, Random, WINDOW, expected, recording},
    recordings::{WAV, noise, npy, wav},
    tiny,
};

const RULES: [(&str, Option<Padding>); 4] = [
    ("none", None),
    ("zero", Some(Padding::Zero)),
    ("repeat", Some(Padding::Repeat)),
    ("reflect", Some(Padding::Reflect)),
];

/// The tiny model with windows of 32 samples that are normalised.
fn input(channels: usize, padding: Option<Padding>) -> InputSpec {
    let InputSpec::Signal(mut signal) = tiny::signal_input(channels) else { unreachable!() };
    signal.window = WINDOW;
    signal.normalization = Normalization::ZScore { epsilon: 1e-8 };
    signal.padding = padding;
    InputSpec::Signal(signal)
}

/// A model for each rule, named after it, and for each of up to three channels.
fn models() -> tempfile::TempDir {
    let repository = tempfile::tempdir().unwrap();
    for channels in 1..=3 {
        for (name, padding) in RULES {
            let name = format!("{name}{channels}");
            harness::write_tiny(repository.path(), &name, "1", input(channels, padding));
        }
    }
    repository
}

/// The codes of the notices.
fn codes(prediction: &Value) -> Vec<&str> {
    let notices = prediction["notices"].as_array();
    notices.into_iter().flatten().filter_map(|notice| notice["code"].as_str()).collect()
}

/// Sends a recording in one of the forms.
async fn send(server: &Server, model: &str, form: usize, recording: &[Vec<f32>]) -> Response {
    let (channels, length) = (recording.len(), recording[0].len());
    let (content_type, body) = match form {
        0 => (WAV, wav(8000, recording)),
        1 => (FLOATS, floats(&recording.concat())),
        2 => (JSON, json!({"signal": recording}).to_string().into_bytes()),
        _ => {
            let shape = format!("(1, {channels}, {length})");
            ("application/x-npy", npy(&shape, &recording.concat()))
        }
    };
    server.post(&format!("/models/{model}/classify"), content_type, body).await
}

/// The probability of a window that is already as it has to be.
async fn alone(server: &Server, model: &str, window: &[f32]) -> f64 {
    let channels: Vec<&[f32]> = window.chunks(WINDOW).collect();
    let body = json!({"tensor": channels}).to_string();
    let answer = server.classify(&format!("/models/{model}/classify"), JSON, body).await;
    answer["predictions"][0]["probabilities"]
        .as_array()
        .unwrap()
        .iter()
        .find(|class| class["class_index"] == 0)
        .map(|class| class["probability"].as_f64().unwrap())
        .unwrap()
}

/// Random recordings, against the definition that the trainer is compared with, too.
#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_windows_of_the_definition_come_out_of_random_recordings() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--max-batch", "1", "--default-model", "none1"];
    let server = Server::start(models.path(), &flags).await;
    let mut random = Random(11);
    let mut seen = [0; 4];
    for round in 0..240 {
        let channels = 1 + random.below(3);
        let (name, padding) = RULES[random.below(4)];
        let model = format!("{name}{channels}");
        let recording = recording(&mut random, channels);
        let response = send(&server, &model, random.below(4), &recording).await;
        let context = format!("round {round}, {model}, {} samples", recording[0].len());
        let (varying, constant, is_padded) = match expected(&recording, padding, WINDOW, true) {
            Expected::TooShort => {
                assert_eq!(response.status(), 400, "{context}");
                seen[0] += 1;
                continue;
            }
            Expected::Windows { varying, constant, is_padded } => (varying, constant, is_padded),
        };
        if varying.is_empty() {
            let sentence = refusal(response, 400, "invalid_argument").await;
            assert!(sentence.contains("is constant"), "{context}: {sentence}");
            seen[1] += 1;
            continue;
        }
        assert_eq!(response.status(), 200, "{context}");
        let answer = harness::json(response).await;
        let prediction = &answer["predictions"][0];
        let found = codes(prediction);
        assert_eq!(found.contains(&"padded"), is_padded, "{context}: {found:?}");
        assert_eq!(found.contains(&"constant_windows"), constant > 0, "{context}: {found:?}");
        seen[2] += usize::from(is_padded);
        seen[3] += usize::from(constant > 0);
        if varying.len() + constant == 1 {
            assert!(prediction.get("windows").is_none(), "{context}");
        } else {
            let windows = prediction["windows"].as_array().unwrap();
            let starts: Vec<u64> =
                windows.iter().map(|window| window["start"].as_u64().unwrap()).collect();
            let of_definition: Vec<u64> = varying.iter().map(|(start, _)| *start as u64).collect();
            assert_eq!(starts, of_definition, "{context}");
        }
        let mut sum = 0.0;
        for (_, window) in &varying {
            sum += alone(&server, &model, window).await;
        }
        let classes = prediction["probabilities"].as_array().unwrap();
        let first = classes.iter().find(|class| class["class_index"] == 0).unwrap();
        let difference = first["probability"].as_f64().unwrap() - sum / varying.len() as f64;
        // A single window is the same to the last bit.
        let tolerance = if varying.len() == 1 { 0.0 } else { 1e-6 };
        assert!(difference.abs() <= tolerance, "{context}: {difference}");
    }
    assert!(seen.iter().all(|&count| count > 3), "{seen:?}");
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_too_short_is_refused_with_what_to_do() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &["--default-model", "none1"]).await;
    let short = [noise(20)];
    for form in 0..4 {
        let sentence =
            refusal(send(&server, "none1", form, &short).await, 400, "invalid_argument").await;
        assert!(sentence.contains("data.padding"), "{sentence}");
        let response = send(&server, "zero1", form, &short).await;
        let prediction = &harness::json(response).await["predictions"][0];
        let told = prediction["notices"].as_array().unwrap();
        let padded = told.iter().find(|notice| notice["code"] == "padded").unwrap();
        let message = padded["message"].as_str().unwrap();
        let expected = "the recording has 20 samples at the model's rate, and was extended at its \
                        end to the 32 of a window";
        assert!(message.starts_with(expected), "{message}");
        let response = send(&server, "zero1", form, &[noise(1)]).await;
        let sentence = refusal(response, 400, "invalid_argument").await;
        assert!(sentence.contains('2'), "{sentence}");
    }
    // The Open Inference Protocol and tensors are exact.
    let body = json!({"tensor": noise(20)}).to_string().into_bytes();
    let response = server.post("/models/zero1/classify", JSON, body).await;
    refusal(response, 400, "invalid_argument").await;
    let models = harness::json(server.get("/models").await).await;
    let listed = models["models"].as_array().unwrap();
    let zero = listed.iter().find(|model| model["name"] == "zero1").unwrap();
    assert_eq!(zero["input"]["padding"], "zero");
    server.stop().await;
}

/// A stream that ends before its first window is a short recording.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_before_its_first_window_is_extended_to_it() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--max-batch", "1", "--default-model", "none1"];
    let server = Server::start(models.path(), &flags).await;
    let mut client = ClassifierClient::new(channel(server.grpc).await);
    for (model, samples, windows, left_over) in [
        ("reflect1", 20, 1, 0),
        ("reflect1", 1, 0, 1),
        ("reflect1", 0, 0, 0),
        ("reflect1", 36, 1, 4),
        ("none1", 20, 0, 20),
    ] {
        let start = StreamStart { model: model.to_owned(), ..StreamStart::default() };
        let stream = Stream::open(&mut client, start).await;
        stream.send(noise(samples)).await;
        let (answers, end) = stream.end().await;
        assert_eq!((end.windows, end.left_over), (windows, left_over), "{model} {samples}");
        let is_padded = windows == 1 && samples < WINDOW;
        let told: Vec<String> = end.notices.into_iter().map(|notice| notice.code).collect();
        assert_eq!(told.contains(&"padded".to_owned()), is_padded);
        if is_padded {
            let response = send(&server, model, 1, &[noise(samples)]).await;
            let whole = harness::json(response).await;
            let prediction = answers[0].prediction.clone().unwrap();
            assert_eq!((answers[0].start, answers[0].end), (0, samples as u64));
            let probability = whole["predictions"][0]["probability"].as_f64().unwrap();
            assert_eq!(prediction.probability.to_bits(), (probability as f32).to_bits());
            assert_eq!(prediction.notices[0].code, "padded");
        }
    }
    let start = StreamStart { model: "zero1".to_owned(), ..StreamStart::default() };
    let stream = Stream::open(&mut client, start).await;
    stream.send(vec![0.5; 20]).await;
    assert!(stream.refusal_at_end().await.message().starts_with("channel 0 is constant (0.5)"));
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}
