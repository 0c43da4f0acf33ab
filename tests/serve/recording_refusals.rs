//! What is wrong with a recording is told in a sentence.

use serde_json::json;

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    recordings::{WAV, noise, normalised, npy, wav},
    tiny,
};

#[expect(clippy::too_many_lines, reason = "a table, a line for each fault")]
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_cannot_be_taken_is_told_why() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &[]).await;
    let good = noise(20);
    let mut with_nan = good.clone();
    with_nan[13] = f32::NAN;
    let mut constant = good.clone();
    constant[8..16].fill(0.5);
    let cut = wav(8000, std::slice::from_ref(&good))[..90].to_vec();
    let npy_type = "application/x-npy";
    for (query, content_type, body, sentence) in [
        (
            "",
            WAV,
            wav(8000, &[good[..5].to_vec()]),
            "too short: it has 5 samples a channel, and this model's window has 8",
        ),
        ("", WAV, wav(8000, &[vec![]]), "the recording is empty"),
        ("", WAV, vec![], "cut short"),
        ("", WAV, cut, "it ends after 11 of the 20 samples that it declares: it was cut short"),
        ("", WAV, b"this is text".to_vec(), "it does not begin with RIFF and WAVE"),
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
            "the window of samples 8 to 16: channel 0 is constant (0.5)",
        ),
        (
            "",
            WAV,
            wav(8000, &[good.clone(), good.clone()]),
            "has 2 channels, and this model takes 1 channel: choose with the option channel",
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
            "has 4000 samples in a second, and this model takes 8000",
        ),
        (
            "sample_rate_hz=4000",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "the option sample_rate_hz says 4000 Hz",
        ),
        ("sample_rate_hz=4000", FLOATS, floats(&good), "has 4000 samples in a second"),
        ("resample=true", FLOATS, floats(&good), "does not say its sample rate"),
        ("resample=true&sample_rate_hz=3.7", FLOATS, floats(&good), "cannot be resampled"),
        ("channel=0", FLOATS, floats(&good), "the option channel belongs to files and JSON"),
        (
            "",
            FLOATS,
            wav(8000, std::slice::from_ref(&good)),
            "the body is a WAV file: send it as audio/wav",
        ),
        ("", FLOATS, npy("(20,)", &good), "the body is a NPY file: send it as application/x-npy"),
        (
            "",
            npy_type,
            npy("(2, 2, 2, 2)", &good[..16]),
            "a recording is [samples] or [channels, samples]",
        ),
        ("", npy_type, floats(&good), "it is not a valid NPY file"),
        ("", "text/csv", b"a,b\n1,2\n3,x\n".to_vec(), "is not a number"),
        ("", "application/x-matlab-data", floats(&good), "its header is not that of version 5"),
        (
            "batch=2",
            WAV,
            wav(8000, std::slice::from_ref(&good)),
            "the option batch belongs to bodies of raw numbers",
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
            "image data, and this model takes signal data",
        ),
        (
            "",
            JSON,
            json!({"signal": [1.0, 2.0]}).to_string().into_bytes(),
            "a list of 2 came; a signal may be longer",
        ),
        ("", JSON, json!({"signal": []}).to_string().into_bytes(), "a list of 0 came"),
        // Zero samples cannot be resampled either, which must be told before they are cut.
        (
            "resample=true&sample_rate_hz=4000",
            JSON,
            json!({"signal": [[]]}).to_string().into_bytes(),
            "their shape is 1 x 0",
        ),
        (
            "resample=true&sample_rate_hz=4000",
            JSON,
            json!({"signals": [[]]}).to_string().into_bytes(),
            "a list of 0 came",
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
async fn more_bytes_or_windows_than_are_taken_are_refused() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--max-recording-bytes", "2000", "--max-windows", "20"];
    let server = Server::start(models.path(), &flags).await;
    for (query, content_type, body, sentence) in [
        ("", WAV, wav(8000, &[noise(600)]), "larger than the 2000 bytes"),
        ("overlap=0.9", WAV, wav(8000, &[noise(100)]), "windows, and at most 20 are taken"),
        ("overlap=0.9", "application/x-npy", npy("(100,)", &noise(100)), "at most 20 are taken"),
        ("", "application/x-npy", npy("(600,)", &noise(600)), "larger than the 2000 bytes"),
    ] {
        let response = server.post(&format!("/classify?{query}"), content_type, body).await;
        let detail = refusal(response, 413, "too_large").await;
        assert!(detail.contains(sentence), "{detail}");
    }
    server.stop().await;
}
