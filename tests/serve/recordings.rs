//! Recordings: every form of one gives the same windows, and long ones take turns with other
//! requests.

use std::time::Duration;

use drsn_bundle::{InputSpec, Normalization};
use serde_json::{Value, json};

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    tiny,
};

pub(crate) const WAV: &str = "audio/wav";

/// A WAV file of 32-bit floats, one frame after another.
pub(crate) fn wav(rate: u32, channels: &[Vec<f32>]) -> Vec<u8> {
    let count = channels.len() as u16;
    let frames = channels[0].len();
    let samples = (0..frames).flat_map(|frame| channels.iter().map(move |c| c[frame]));
    let data: Vec<u8> = samples.flat_map(f32::to_le_bytes).collect();
    [wav_header(rate, count, 3, 32, data.len() as u32), data].concat()
}

/// The header of a WAV file.
pub(crate) fn wav_header(rate: u32, channels: u16, code: u16, bits: u16, bytes: u32) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    for number in [code, channels] {
        file.extend(number.to_le_bytes());
    }
    for number in [rate, rate.wrapping_mul(u32::from(frame))] {
        file.extend(number.to_le_bytes());
    }
    for number in [frame, bits] {
        file.extend(number.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file
}

/// An NPY file of little-endian 32-bit floats.
pub(crate) fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &floats(values)].concat()
}

/// Pseudo-random numbers, different in each window.
pub(crate) fn noise(count: usize) -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn number(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

fn assert_close(found: &Value, expected: f32) {
    assert!((number(found) - expected).abs() < 1e-5, "{found} is not {expected}");
}

/// Compares an answer with the network's definition, window by window.
fn assert_windows(prediction: &Value, signal: &[f32], starts: &[usize]) {
    let windows = prediction["windows"].as_array().unwrap();
    let answers: Vec<tiny::Answer> =
        starts.iter().map(|&start| tiny::answer(&signal[start..start + 8])).collect();
    assert_eq!(windows.len(), starts.len(), "{prediction}");
    for ((window, &start), answer) in windows.iter().zip(starts).zip(&answers) {
        assert_eq!((&window["start"], &window["end"]), (&json!(start), &json!(start + 8)));
        let class = window["class_index"].as_u64().unwrap() as usize;
        assert_close(&window["probability"], answer.probabilities[class]);
        assert_eq!(window["label"], ["plus", "minus"][class]);
        assert!(answer.probabilities[class] >= 0.5 - 1e-5);
    }
    let mean =
        |of: fn(&tiny::Answer) -> f32| answers.iter().map(of).sum::<f32>() / answers.len() as f32;
    for class in prediction["probabilities"].as_array().unwrap() {
        let index = class["class_index"].as_u64().unwrap();
        let expected =
            if index == 0 { mean(|a| a.probabilities[0]) } else { mean(|a| a.probabilities[1]) };
        assert_close(&class["probability"], expected);
    }
    let block = &prediction["diagnostics"]["blocks"][0];
    if let Some(channels) = block["channel"].as_array() {
        assert_close(&channels[0]["threshold"], mean(|a| a.threshold[0]));
        assert_close(&channels[1]["mean_abs"], mean(|a| a.mean_abs[1]));
        assert_close(&channels[1]["zeroed"], mean(|a| a.zeroed[1]));
        assert_close(&channels[0]["scale"], tiny::SCALES[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_long_recording_gives_the_same_windows() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("one", tiny::signal_input(1)), ("two", tiny::signal_input(2))]);
    let server =
        Server::start(models.path(), &["--default-model", "one", "--max-batch", "3"]).await;
    let signal = noise(43);
    let other: Vec<f32> = noise(86)[43..].to_vec();
    let csv = signal.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let rows: Vec<String> = signal.iter().zip(&other).map(|(a, b)| format!("{b},{a}")).collect();
    let two = rows.join("\n");
    let both = [other.clone(), signal.clone()];
    let aligned = [0, 8, 16, 24, 32, 35];
    let halves = [0, 4, 8, 12, 16, 20, 24, 28, 32, 35];
    for (query, content_type, body, starts) in [
        ("", FLOATS, floats(&signal), &aligned[..]),
        ("overlap=0.5", FLOATS, floats(&signal), &halves),
        ("", WAV, wav(8000, std::slice::from_ref(&signal)), &aligned),
        ("overlap=0.5&channel=1", WAV, wav(8000, &both), &halves),
        ("", "text/csv", csv.clone().into_bytes(), &aligned),
        ("channel=b", "text/csv", format!("a,b\n{two}").into_bytes(), &aligned),
        ("", "application/x-npy", npy("(43,)", &signal), &aligned),
        ("channel=1", "application/x-npy", npy("(2, 43)", &both.concat()), &aligned),
        ("", JSON, json!({"signal": signal}).to_string().into_bytes(), &aligned),
        ("", JSON, json!({"signal": [signal], "overlap": 0.5}).to_string().into_bytes(), &halves),
        ("", JSON, json!({"signal": both, "channel": 1}).to_string().into_bytes(), &aligned),
        // Declared as something else and recognised by its first bytes.
        ("", "image/png", wav(8000, std::slice::from_ref(&signal)), &aligned),
        ("", WAV, npy("(43,)", &signal), &aligned),
        ("model=two", FLOATS, floats(&[&signal[..], &other].concat()), &aligned),
        ("model=two&channel=1,0", WAV, wav(8000, &both), &aligned),
        (
            "model=two",
            "application/x-npy",
            npy("(2, 43)", &[&signal[..], &other].concat()),
            &aligned,
        ),
    ] {
        let path = format!("/classify?diagnostics=full&{query}");
        let answer = server.classify(&path, content_type, body).await;
        assert_eq!(
            answer["predictions"].as_array().map(Vec::len),
            Some(1),
            "{query} {content_type}"
        );
        assert_windows(&answer["predictions"][0], &signal, starts);
        assert!(answer["timing"]["batch_size"].as_u64().unwrap() <= 3);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_body_gets_the_same_answer_as_a_whole_one() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--max-windows", "100000"]).await;
    // Longer than the threshold above which raw numbers are streamed.
    let signal = noise(300_005);
    let raw = server.classify("/classify", FLOATS, floats(&signal)).await;
    let in_wav = server.classify("/classify", WAV, wav(8000, std::slice::from_ref(&signal))).await;
    let in_npy = server.classify("/classify", "application/x-npy", npy("(300005,)", &signal)).await;
    assert_eq!(raw["predictions"], in_wav["predictions"]);
    assert_eq!(raw["predictions"], in_npy["predictions"]);
    let windows = raw["predictions"][0]["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 37_501);
    assert_eq!(windows[37_500]["end"], 300_005);

    // In many small pieces, without a declared length.
    let short = &signal[..43];
    for (content_type, body) in [(WAV, wav(8000, &[short.to_vec()])), (FLOATS, floats(short))] {
        let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
            body.chunks(7).map(|piece| Ok(piece.to_vec())).collect();
        let stream = PieceByPiece(pieces.into());
        let request = server.client.post(server.url("/classify"));
        let request =
            request.header("content-type", content_type).body(reqwest::Body::wrap(stream));
        let answer = harness::json(request.send().await.unwrap()).await;
        assert_windows(&answer["predictions"][0], short, &[0, 8, 16, 24, 32, 35]);
    }
    server.stop().await;
}

/// A body that is sent in pieces.
struct PieceByPiece(std::collections::VecDeque<Result<Vec<u8>, std::io::Error>>);

impl hyper::body::Body for PieceByPiece {
    type Data = hyper::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        let piece = self.0.pop_front();
        std::task::Poll::Ready(piece.map(|p| p.map(|p| hyper::body::Frame::data(p.into()))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recording_in_an_array_or_a_list_is_one_input() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(2))]);
    let server = Server::start(models.path(), &[]).await;
    // Three inputs of two channels and ten samples.
    let values = noise(60);
    let nested: Vec<Vec<&[f32]>> =
        values.chunks(20).map(|input| input.chunks(10).collect()).collect();
    for (query, content_type, body) in [
        ("", "application/x-npy", npy("(3, 2, 10)", &values)),
        ("batch=3", FLOATS, floats(&values)),
        ("", JSON, json!({"signals": nested}).to_string().into_bytes()),
    ] {
        let answer = server.classify(&format!("/classify?{query}"), content_type, body).await;
        for input in 0..3 {
            let prediction = &answer["predictions"][input];
            assert_eq!(prediction["input"], json!({"index": input, "name": null}));
            assert_windows(prediction, &values[20 * input..], &[0, 2]);
        }
    }
    // Recordings of the length of a window have no windows.
    let answer =
        server.classify("/classify", "application/x-npy", npy("(3, 2, 8)", &values[..48])).await;
    assert_eq!(answer["predictions"].as_array().map(Vec::len), Some(3));
    assert!(answer["predictions"][2].get("windows").is_none());
    server.stop().await;
}

/// The tiny model at 8 kHz, each window normalised.
pub(crate) fn normalised(rate: Option<f64>) -> InputSpec {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else { return tiny::signal_input(1) };
    signal.normalization = Normalization::ZScore { epsilon: 1e-8 };
    signal.sample_rate_hz = rate;
    InputSpec::Signal(signal)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_another_rate_is_resampled_on_request() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &[]).await;
    let sine = |rate: f32, count: usize| -> Vec<f32> {
        (0..count).map(|n| (std::f32::consts::TAU * 300.0 * n as f32 / rate).sin()).collect()
    };
    let (slow, fast) = (sine(8000.0, 8000), sine(32_000.0, 32_000));
    let expected = server.classify("/classify", WAV, wav(8000, &[slow])).await;
    let resampled = "/classify?resample=true";
    let answers = [
        server.classify(resampled, WAV, wav(32_000, std::slice::from_ref(&fast))).await,
        server
            .classify("/classify?resample=true&sample_rate_hz=32000", FLOATS, floats(&fast))
            .await,
        server
            .classify(
                "/classify?resample=true&sample_rate_hz=32000",
                "application/x-npy",
                npy("(32000,)", &fast),
            )
            .await,
    ];
    let expected = expected["predictions"][0]["windows"].as_array().unwrap();
    assert_eq!(expected.len(), 1000);
    for answer in &answers {
        let windows = answer["predictions"][0]["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 1000);
        // A recording counts as silent beyond its ends, which affects the values near them.
        for (found, expected) in windows.iter().zip(expected).take(900).skip(100) {
            let difference = number(&found["probability"]) - number(&expected["probability"]);
            assert!(difference.abs() < 1e-3, "{found} {expected}");
        }
        assert_eq!(answer["predictions"], answers[0]["predictions"]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_is_one_request_in_the_queue_and_is_refused_at_its_beginning() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let slow = ["--queue", "1", "--workers", "1", "--max-batch", "16", "--max-wait-us", "700000"];
    let server = Server::start(models.path(), &slow).await;
    let occupied = server.post("/classify", FLOATS, floats(&[1.0; 8]));
    let refused = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let response = server.post("/classify", WAV, wav(8000, &[noise(100_000)])).await;
        refusal(response, 429, "queue_full").await;
    };
    assert_eq!(tokio::join!(occupied, refused).0.status(), 200);
    // Thousands of windows need one place in a queue of one.
    let answer = server.classify("/classify", WAV, wav(8000, &[noise(16_000)])).await;
    assert_eq!(answer["predictions"][0]["windows"].as_array().map(Vec::len), Some(2000));
    let text = server.get("/metrics").await.text().await.unwrap();
    let line = "drsn_predictions_total{model=\"tiny\",version=\"1\",class=\"plus\"}";
    assert!(text.lines().any(|found| found.starts_with(line)), "{text}");
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}
