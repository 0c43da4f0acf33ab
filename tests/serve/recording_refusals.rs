//! Invalid recordings: the error says what is wrong.

use serde_json::{Value, json};

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    recordings::{WAV, noise, normalised, npy, wav},
    tiny,
};

#[expect(clippy::too_many_lines, reason = "a table, a line for each fault")]
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_recording_is_refused_with_the_reason() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &[]).await;
    let good = noise(20);
    let mut with_nan = good.clone();
    with_nan[13] = f32::NAN;
    let mut constant = good.clone();
    constant.fill(0.5);
    let cut = wav(8000, std::slice::from_ref(&good))[..40].to_vec();
    let npy_type = "application/x-npy";
    for (query, content_type, body, sentence) in [
        (
            "",
            WAV,
            wav(8000, &[good[..5].to_vec()]),
            "too short: it has 5 samples per channel, but this model's window needs 8",
        ),
        ("", WAV, wav(8000, &[vec![]]), "the recording is empty"),
        ("", WAV, vec![], "the body is empty; expected a file"),
        ("", WAV, cut, "it ends before its first sample: it was truncated"),
        ("", WAV, b"this is text".to_vec(), "it does not start with RIFF and WAVE"),
        (
            "",
            WAV,
            wav(8000, std::slice::from_ref(&with_nan)),
            "sample 13 of channel 0 is not a finite 32-bit number: NaN",
        ),
        (
            "",
            FLOATS,
            floats(&with_nan),
            "sample 13 of channel 0 is not a finite 32-bit number: NaN",
        ),
        ("", npy_type, npy("(20,)", &with_nan), "sample 13 of channel 0 is not a finite"),
        (
            "",
            WAV,
            wav(8000, std::slice::from_ref(&constant)),
            "the window of samples 0 to 8: channel 0 is constant (0.5)",
        ),
        (
            "",
            WAV,
            wav(8000, &[good.clone(), good.clone()]),
            "has 2 channels, but this model expects 1 channel; select with the option channel",
        ),
        (
            "channel=2",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "it has no channel 2; it has channels 0 to 0",
        ),
        (
            "",
            WAV,
            wav(4000, std::slice::from_ref(&good)),
            "sample rate is 4000 Hz, but this model expects 8000 Hz",
        ),
        (
            "sample_rate_hz=4000",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "the option sample_rate_hz is 4000 Hz",
        ),
        ("sample_rate_hz=4000", FLOATS, floats(&good), "the recording's sample rate is 4000 Hz"),
        ("resample=true", FLOATS, floats(&good), "does not declare its sample rate"),
        ("resample=true&sample_rate_hz=3.7", FLOATS, floats(&good), "cannot be resampled"),
        ("channel=0", FLOATS, floats(&good), "the option channel applies to files and JSON"),
        (
            "",
            FLOATS,
            wav(8000, std::slice::from_ref(&good)),
            "the body is a WAV file; send it as audio/wav",
        ),
        ("", FLOATS, npy("(20,)", &good), "the body is a NPY file; send it as application/x-npy"),
        (
            "",
            npy_type,
            npy("(2, 2, 2, 2)", &good[..16]),
            "a recording has [samples] or [channels, samples]",
        ),
        ("", npy_type, floats(&good), "it is not a valid NPY file"),
        ("", "text/csv", b"a,b\n1,2\n3,x\n".to_vec(), "is not a number"),
        (
            "",
            "application/x-matlab-data",
            floats(&good),
            "its header is not that of version 4 or 5",
        ),
        (
            "batch=2",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "the option batch applies to raw numbers",
        ),
        (
            "overlap=1",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "overlap must be a number from 0 to below 1",
        ),
        (
            "",
            "image/png",
            b"\x89PNG\r\n\x1a\n".to_vec(),
            "image data, but this model expects signal data",
        ),
        (
            "",
            JSON,
            json!({"signal": [1.0, 2.0]}).to_string().into_bytes(),
            "got a list of 2; a longer signal is cut into windows",
        ),
        ("", JSON, json!({"signal": []}).to_string().into_bytes(), "got a list of 0"),
        // Zero samples cannot be resampled either, which must be reported before they are cut.
        (
            "resample=true&sample_rate_hz=4000",
            JSON,
            json!({"signal": [[]]}).to_string().into_bytes(),
            "got shape 1 x 0",
        ),
        (
            "resample=true&sample_rate_hz=4000",
            JSON,
            json!({"signals": [[]]}).to_string().into_bytes(),
            "got a list of 0",
        ),
    ] {
        let response = server.post(&format!("/classify?{query}"), content_type, body).await;
        let detail = refusal(response, 400, "invalid_argument").await;
        assert!(detail.contains(sentence), "expected \"{sentence}\" in \"{detail}\"");
    }
    server.classify("/classify", WAV, wav(8000, &[good])).await;
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_bytes_or_windows_are_refused() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--max-recording-bytes", "2000", "--max-windows", "20"];
    let server = Server::start(models.path(), &flags).await;
    for (query, content_type, body, sentence) in [
        ("", WAV, wav(8000, &[noise(600)]), "larger than the limit of 2000 bytes"),
        ("overlap=0.9", WAV, wav(8000, &[noise(100)]), "windows; at most 20 are allowed"),
        ("overlap=0.9", "application/x-npy", npy("(100,)", &noise(100)), "at most 20 are allowed"),
        (
            "",
            "application/x-npy",
            npy("(600,)", &noise(600)),
            "larger than the limit of 2000 bytes",
        ),
    ] {
        let response = server.post(&format!("/classify?{query}"), content_type, body).await;
        let detail = refusal(response, 413, "too_large").await;
        assert!(detail.contains(sentence), "{detail}");
    }
    server.stop().await;
}

/// Regression: a tensor was classified whatever its sample rate, ignoring the requested channels.
#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_does_not_apply_to_a_body_is_refused_and_not_ignored() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &[]).await;
    let window = noise(8);
    let tensor = |name: &str, more: Value| {
        let numbers = if name == "tensor" { json!([window]) } else { json!([[window]]) };
        let mut body = json!({ name: numbers });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    for name in ["tensor", "tensors"] {
        server.classify("/classify", JSON, tensor(name, json!({"sample_rate_hz": 8000}))).await;
        for (option, sentence) in [
            (json!({"sample_rate_hz": 4000}), "the recording's sample rate is 4000 Hz"),
            (json!({"sample_rate_hz": 4000, "resample": true}), "a tensor is not resampled"),
            (json!({"channel": [0]}), "a tensor has the model's channels"),
        ] {
            let response = server.post("/classify", JSON, tensor(name, option)).await;
            let detail = refusal(response, 400, "invalid_argument").await;
            assert!(detail.contains(sentence), "{detail}");
        }
    }
    for (content_type, body) in
        [(JSON, tensor("tensor", json!({}))), (JSON, json!({"signal": window}).to_string())]
    {
        let response = server.post("/classify?variable=DE_time", content_type, body).await;
        let detail = refusal(response, 400, "invalid_argument").await;
        assert!(detail.contains("applies to MAT and NPZ files"), "{content_type}: {detail}");
    }
    server.stop().await;
}

/// A table is not a WAV file because its first line contains that word.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_column_named_wave_is_a_table() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let rows: Vec<String> = (0..8).map(|row| format!("{row},{}", row * row)).collect();
    let table = format!("time[s],WAVE\n{}\n", rows.join("\n"));
    server.classify("/classify", "text/csv", table).await;
    server.stop().await;
}

/// Regression: batches were counted, and not the windows in them.
#[tokio::test(flavor = "multi_thread")]
async fn windows_of_a_recording_are_inferences_in_the_statistics() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    server.classify("/classify", FLOATS, floats(&noise(80))).await;
    let statistics = harness::json(server.get("/v2/models/tiny/stats").await).await;
    let statistics = &statistics["model_stats"][0];
    assert_eq!(statistics["inference_count"], 10, "{statistics}");
    assert_eq!(statistics["inference_stats"]["success"]["count"], 1, "{statistics}");
    server.stop().await;
}
