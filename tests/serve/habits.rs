//! Habits of clients and browsers that are no faults: compressed bodies, a slash too many, the mark
//! of UTF-8 before JSON, and scripts of other origins.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    forms::{FORM, form},
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    recordings::{WAV, wav},
    tiny,
};

const CSV: &str = "text/csv";

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn packed(
    server: &Server,
    path: &str,
    content_type: &str,
    encoding: &str,
    body: Vec<u8>,
) -> Response {
    let request = server.client.post(server.url(path)).header("content-type", content_type);
    request.header("content-encoding", encoding).body(body).send().await.unwrap()
}

/// Raw numbers, a file, a table, a form and JSON.
fn bodies(samples: &[f32]) -> [(&'static str, Vec<u8>); 5] {
    let table: Vec<String> = samples.iter().map(|sample| format!("{sample:?}")).collect();
    let table = table.join("\n").into_bytes();
    let json = json!({ "signal": samples }).to_string().into_bytes();
    let parts = form(&[("file", Some("a.csv"), None, &table), ("top_k", None, None, b"2")]);
    let wav = wav(48_000, &[samples.to_vec()]);
    [(FLOATS, floats(samples)), (WAV, wav), (CSV, table), (FORM, parts), (JSON, json)]
}

/// Regression: only the route of the Open Inference Protocol took compressed bodies.
#[tokio::test(flavor = "multi_thread")]
async fn every_body_may_be_compressed() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    // Longer than what is read whole: raw numbers are cut as they come.
    let samples: Vec<f32> = (0..300_000).map(|n| (n as f32 * 0.1).sin() + 0.1).collect();
    for samples in [&samples[..8], &samples[..20_000]] {
        for (content_type, body) in bodies(samples) {
            let plain = server.classify("/classify", content_type, body.clone()).await;
            for (encoding, sent) in
                [("gzip", gzip(&body)), ("deflate", deflate(&body)), ("X-GZip", gzip(&body))]
            {
                let answer = packed(&server, "/classify", content_type, encoding, sent).await;
                assert_eq!(answer.status(), 200, "{content_type} {encoding}");
                let answer: Value = harness::json(answer).await;
                assert_eq!(answer["predictions"], plain["predictions"], "{content_type}");
            }
        }
    }
    // More windows than one request may have, which is known while they are cut.
    let answer = packed(&server, "/classify", FLOATS, "gzip", gzip(&floats(&samples))).await;
    refusal(answer, 413, "too_large").await;
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// Regression: files that were packed with gzip were refused, and a packed table was read as text.
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_file_is_read_as_what_is_in_it() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--max-recording-bytes", "200000"]).await;
    for samples in [8, 3000] {
        let samples: Vec<f32> = (0..samples).map(|n| (n as f32 * 0.1).sin() + 0.1).collect();
        let [_, (_, wav), (_, table), ..] = bodies(&samples);
        let plain = server.classify("/classify", WAV, wav.clone()).await;
        for (content_type, body) in [(WAV, &wav), (CSV, &table), (CSV, &wav)] {
            let answer = server.classify("/classify", content_type, gzip(body)).await;
            let [found, expected] = [&answer, &plain].map(|answer| &answer["predictions"][0]);
            for part in ["probabilities", "windows", "diagnostics"] {
                assert_eq!(found[part], expected[part], "{part} of {content_type}");
            }
        }
        let (packed_wav, packed_table) = (gzip(&wav), gzip(&table));
        let part = |name, content| ("file", Some(name), Some("application/gzip"), content);
        let parts = [part("a.wav.gz", &packed_wav[..]), part("b.csv.gz", &packed_table[..])];
        let answer = server.classify("/classify", FORM, form(&parts)).await;
        for (index, name) in ["a.wav.gz", "b.csv.gz"].into_iter().enumerate() {
            let prediction = &answer["predictions"][index];
            assert_eq!(prediction["input"]["name"], name);
            assert_eq!(prediction["probabilities"], plain["predictions"][0]["probabilities"]);
        }
    }
    for (body, status, code, sentence) in [
        (gzip(&vec![b'1'; 32 << 20]), 413, "too_large", "larger than the limit of 200000 bytes"),
        (gzip(b"1\n2\n")[..15].to_vec(), 400, "invalid_argument", "damaged or cut short"),
        (gzip(b"%PDF-1.7"), 400, "invalid_argument", "the file is a PDF document"),
        (gzip(&gzip(b"1\n2\n")), 400, "invalid_argument", "the file is gzip data; unpack it"),
        (b"OggS\0\x02".to_vec(), 400, "invalid_argument", "an Ogg file; convert it to WAV"),
    ] {
        for content_type in [CSV, WAV] {
            let answer = server.post("/classify", content_type, body.clone()).await;
            let detail = refusal(answer, status, code).await;
            assert!(detail.contains(sentence), "{detail}");
        }
    }
    let raw = refusal(server.post("/classify", FLOATS, gzip(b"1")).await, 400, "invalid_argument");
    assert!(raw.await.contains("Content-Encoding: gzip"));
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_bounded_as_what_it_becomes() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--max-body-bytes", "100000", "--max-recording-bytes", "200000"];
    let server = Server::start(models.path(), &flags).await;
    let bomb = vec![b' '; 64 << 20];
    for content_type in [FLOATS, WAV, CSV, FORM, JSON] {
        let answer = packed(&server, "/classify", content_type, "gzip", gzip(&bomb)).await;
        refusal(answer, 413, "too_large").await;
        let answer = packed(&server, "/classify", content_type, "deflate", b"no".to_vec()).await;
        refusal(answer, 400, "invalid_argument").await;
        let cut = gzip(&bomb[..5000])[..20].to_vec();
        let answer = packed(&server, "/classify", content_type, "gzip", cut).await;
        refusal(answer, 400, "invalid_argument").await;
        for encoding in ["br", "zstd", "gzip, gzip"] {
            let answer = packed(&server, "/classify", content_type, encoding, b"x".to_vec()).await;
            let detail = refusal(answer, 415, "unsupported_media_type").await;
            assert!(detail.contains("as gzip or deflate"), "{detail}");
        }
    }
    // JSON has the smaller limit of the two.
    let answer = packed(&server, "/classify", JSON, "gzip", gzip(&bomb[..150_000])).await;
    refusal(answer, 413, "too_large").await;
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// Regression: a path with a slash at its end was unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_end_of_a_path_changes_nothing() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    for path in
        ["/healthz/", "/readyz/", "/metrics/", "/models/", "/models/tiny/", "/v2/", "/docs/"]
    {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
    let body = || floats(&[1.0; 8]);
    for path in ["/classify/", "/classify//?top_k=1", "/models/tiny/classify/"] {
        server.classify(path, FLOATS, body()).await;
    }
    let tensor = json!({ "name": "input", "shape": [1, 1, 8], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6, 7, 8] });
    let infer = json!({ "inputs": [tensor] }).to_string();
    let answer = server.post("/v2/models/tiny/infer/", JSON, infer).await;
    assert_eq!(answer.status(), 200);
    refusal(server.get("/nowhere/").await, 404, "not_found").await;
    server.stop().await;
}

/// Regression: JSON that an editor on Windows had saved was refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_mark_of_utf_8_before_json_is_skipped() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--model-control", "explicit"]).await;
    let tensor = json!({ "name": "input", "shape": [1, 1, 8], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6, 7, 8] });
    for (path, body) in [
        ("/classify", json!({ "signal": [1, 2, 3, 4, 5, 6, 7, 8] })),
        ("/v2/models/tiny/infer", json!({ "inputs": [tensor] })),
        ("/v2/repository/index", json!({ "ready": true })),
    ] {
        let answer = server.post(path, JSON, format!("\u{feff}{body}")).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
    let twice = server.post("/classify", JSON, "\u{feff}\u{feff}{}".to_owned()).await;
    refusal(twice, 400, "invalid_argument").await;
    server.stop().await;
}

async fn from_origin(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Response {
    let mut request = server.client.request(method, server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_may_call_and_their_requests_still_need_keys() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "alpha\n").unwrap();
    let origins = ["--cors-origin", "https://a.example,http://localhost:3000"];
    let flags = [&origins[..], &["--api-keys", keys.to_str().unwrap()]].concat();
    let server = Server::start(models.path(), &flags).await;
    let a = ("origin", "https://a.example");
    let asked = [
        a,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-api-key"),
    ];
    let preflight = from_origin(&server, Method::OPTIONS, "/classify", &asked).await;
    assert_eq!(preflight.status(), 204);
    let headers = preflight.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(headers["access-control-allow-methods"], "GET, POST");
    assert_eq!(headers["access-control-allow-headers"], "content-type,x-api-key");

    let refused = from_origin(&server, Method::GET, "/models", &[a]).await;
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://a.example");
    refusal(refused, 401, "unauthenticated").await;
    let with_key = [a, ("x-api-key", "alpha")];
    let answer = from_origin(&server, Method::GET, "/models", &with_key).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["vary"], "origin");
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["server-timing", "x-request-id", "retry-after"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    for others in [vec![("origin", "https://b.example")], vec![]] {
        let request = [&others[..], &[("x-api-key", "alpha")]].concat();
        let answer = from_origin(&server, Method::GET, "/models", &request).await;
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        assert_eq!(answer.headers()["vary"], "origin");
    }
    let foreign = [("origin", "https://b.example"), asked[1]];
    let answer = from_origin(&server, Method::OPTIONS, "/classify", &foreign).await;
    refusal(answer, 401, "unauthenticated").await;
    server.stop().await;

    let server = Server::start(models.path(), &["--cors-origin", "*"]).await;
    let answer = from_origin(&server, Method::GET, "/models", &[a]).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    server.stop().await;
    let server = Server::start(models.path(), &[]).await;
    let answer = from_origin(&server, Method::GET, "/models", &[a]).await;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert!(!answer.headers().contains_key("vary"));
    let answer = from_origin(&server, Method::OPTIONS, "/classify", &asked).await;
    refusal(answer, 405, "method_not_allowed").await;
    server.stop().await;
}
