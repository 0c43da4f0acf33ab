//! Recordings written by other tools, and real ones.

use std::{fs, path::PathBuf};

use crate::{
    harness::{self, Server, has_runtime},
    recordings::WAV,
    skip, tiny,
};

fn fixture(name: &str) -> Vec<u8> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/drsn-recording/tests/recordings");
    fs::read(folder.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_tools_are_accepted_and_recognised_by_their_first_bytes() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let answers = async |name: &str, content_type: &str, query: &str| {
        let path = format!("/classify?overlap=0.5&{query}");
        let mut answer = server.classify(&path, content_type, fixture(name)).await;
        answer["predictions"].take()
    };
    for (file, content_type) in [
        ("sox_16.wav", WAV),
        ("sox_24.wav", WAV),
        ("sox_pipe.wav", WAV),
        ("wavex_double.wav", WAV),
        ("npy_be_f8.npy", "application/x-npy"),
        ("deflated.npz", "application/x-npy"),
        ("tall.mat", "application/x-matlab-data"),
        ("comma.csv", "text/csv"),
    ] {
        let query = if file == "deflated.npz" { "channel=0&variable=DE_time" } else { "channel=0" };
        let found = answers(file, content_type, query).await;
        // The declared type, an image, is ignored.
        if file != "comma.csv" {
            assert_eq!(answers(file, "image/png", query).await, found, "{file}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_bearing_records_are_classified_right() {
    if !has_runtime() {
        return;
    }
    let data = std::env::var_os("DRSN_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let records = data.join("cwru");
    if !records.is_dir() {
        skip::skip("there are no bearing records: the folder cwru of DRSN_TEST_DATA is missing");
        return;
    }
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let server = Server::start(&models, &["--default-model", "bearing"]).await;
    for (file, label) in [
        ("normal_0_97.mat", "normal"),
        ("48k_Drive_End_IR014_0_174.mat", "inner race 0.014 in"),
        ("48k_Drive_End_B021_0_226.mat", "ball 0.021 in"),
        ("48k_Drive_End_OR007@6_0_135.mat", "outer race 0.007 in"),
    ] {
        let body = fs::read(records.join(file)).unwrap();
        let path = "/classify?variable=DE_time&sample_rate_hz=48000";
        let answer = server.classify(path, "application/x-matlab-data", body).await;
        let prediction = &answer["predictions"][0];
        assert_eq!(prediction["label"], label, "{file}: {}", prediction["probabilities"]);
        let windows = prediction["windows"].as_array().unwrap();
        assert!(windows.len() > 25, "{file}");
        let right = windows.iter().filter(|window| window["label"] == label).count();
        assert!(10 * right >= 9 * windows.len(), "{file}: {right} of {}", windows.len());
        let shift = &prediction["diagnostics"]["input_shift"];
        assert!(shift["score"].is_f64() && shift["alarm_share"].is_f64(), "{shift}");
        assert!(windows[0]["input_shift"]["p_value"].is_f64());
    }
    server.stop().await;
}
