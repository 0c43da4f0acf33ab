//! Open Inference Protocol v2 over REST.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    harness::{self, Server, has_runtime, json as json_of},
    tiny,
};

const JSON: &str = "application/json";
const INFER: &str = "/v2/models/tiny/infer";
const HEADER_LENGTH: &str = "inference-header-content-length";

async fn server(flags: &[&str]) -> (Server, tempfile::TempDir) {
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    (Server::start(models.path(), flags).await, models)
}

fn signal(shift: f32) -> Vec<f32> {
    (0..8).map(|n| n as f32 - shift).collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn request(values: &[f32]) -> Value {
    json!({"inputs": [
        {"name": "input", "shape": [values.len() / 8, 1, 8], "datatype": "FP32", "data": values},
    ]})
}

fn floats(data: &Value) -> Vec<f32> {
    data.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-5, "{found:?} is not {expected:?}");
    }
}

/// Expects an error, and returns its message, which must be under the key that the protocol's
/// clients read.
async fn refusal(response: Response, status: u16, code: &str) -> String {
    let found = response.status();
    let problem = json_of(response).await;
    assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
    assert_eq!(problem["error"], problem["detail"]);
    problem["error"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_its_models_describe_themselves() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&["--max-batch", "16"]).await;
    let get = async |path: &str| {
        let response = server.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        json_of(response).await
    };
    assert_eq!(get("/v2").await["name"], "drsn-serve");
    assert_eq!(get("/v2/health/live").await, json!({"live": true}));
    assert_eq!(get("/v2/health/ready").await, json!({"ready": true}));
    let ready = json!({"name": "tiny", "ready": true});
    assert_eq!(get("/v2/models/tiny/ready").await, ready);
    assert_eq!(get("/v2/models/tiny/versions/1/ready").await, ready);
    let metadata = get("/v2/models/tiny/versions/1").await;
    assert_eq!(get("/v2/models/tiny").await, metadata);
    let input = json!([{"name": "input", "datatype": "FP32", "shape": [-1, 1, 8]}]);
    assert_eq!(metadata["inputs"], input);
    let names: Vec<&Value> =
        metadata["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    let block = "stage1.block1";
    let expected = [
        json!("probabilities"),
        json!("logits"),
        json!(format!("threshold.{block}")),
        json!(format!("mean_abs.{block}")),
        json!("class_map"),
    ];
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    assert_eq!(metadata["parameters"]["classes"], json!(["plus", "minus"]));
    assert_eq!(metadata["parameters"]["execution_provider"], harness::provider());
    let config = get("/v2/models/tiny/config").await;
    assert_eq!((&config["name"], &config["max_batch_size"]), (&json!("tiny"), &json!(16)));
    assert_eq!(config["input"][0]["dims"], json!([1, 8]));
    for unknown in ["/v2/models/none", "/v2/models/tiny/versions/2", "/v2/models/none/ready"] {
        refusal(server.get(unknown).await, 404, "not_found").await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tensors_get_the_answers_of_the_definition() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&["--max-batch", "2"]).await;
    // Five inputs in batches of at most two.
    let inputs: Vec<Vec<f32>> = (0..5).map(|n| signal(n as f32)).collect();
    let mut body = request(&inputs.concat());
    body["id"] = json!("7");
    let answer = server.classify_json(INFER, body).await;
    assert_eq!((&answer["model_name"], &answer["id"]), (&json!("tiny"), &json!("7")));
    let expected: Vec<tiny::Answer> = inputs.iter().map(|input| tiny::answer(input)).collect();
    let of = |part: fn(&tiny::Answer) -> [f32; 2]| -> Vec<f32> {
        expected.iter().flat_map(part).collect()
    };
    let wanted =
        [of(|a| a.probabilities), of(|a| a.logits), of(|a| a.threshold), of(|a| a.mean_abs)];
    for (output, wanted) in answer["outputs"].as_array().unwrap().iter().zip(wanted) {
        assert_eq!(output["shape"], json!([5, 2]));
        assert_close(&floats(&output["data"]), &wanted);
    }
    let stats = json_of(server.get("/v2/models/tiny/stats").await).await;
    let stats = &stats["model_stats"][0];
    assert_eq!((&stats["inference_count"], &stats["execution_count"]), (&json!(5), &json!(3)));
    assert_eq!(stats["inference_stats"]["success"]["count"], 1);
    let all = json_of(server.get("/v2/models/stats").await).await;
    assert_eq!(&all["model_stats"][0], stats);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_requested_outputs_are_returned_and_classes_if_requested() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&[]).await;
    let mut body = request(&signal(2.0));
    body["outputs"] = json!([
        {"name": "logits"}, {"name": "probabilities", "parameters": {"classification": 1}}
    ]);
    let answer = server.classify_json(INFER, body).await;
    let outputs = answer["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 2);
    assert_eq!(outputs[0]["name"], "logits");
    assert_eq!((&outputs[1]["datatype"], &outputs[1]["shape"]), (&json!("BYTES"), &json!([1, 1])));
    let expected = tiny::answer(&signal(2.0)).probabilities;
    let (class, label) = if expected[0] >= expected[1] { (0, "plus") } else { (1, "minus") };
    let text = outputs[1]["data"][0].as_str().unwrap();
    let (value, rest) = text.split_once(':').unwrap();
    assert_eq!(rest, format!("{class}:{label}"));
    assert_close(&[value.parse().unwrap()], &[expected[class]]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_tensors_are_accepted_and_returned_also_compressed() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&[]).await;
    let header = json!({
        "inputs": [{"name": "input", "shape": [1, 1, 8], "datatype": "FP32", "parameters": {"binary_data_size": 32}}],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": true}}, {"name": "logits"}]
    });
    let header = header.to_string().into_bytes();
    let plain = [&header[..], &bytes_of(&signal(2.0))].concat();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let expected = tiny::answer(&signal(2.0));
    for (encoding, sent) in [("identity", &plain), ("gzip", &gzip)] {
        let response = server
            .client
            .post(server.url(INFER))
            .header(HEADER_LENGTH, header.len())
            .header("content-encoding", encoding)
            .header("accept-encoding", encoding)
            .body(sent.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let length: usize = response.headers()[HEADER_LENGTH].to_str().unwrap().parse().unwrap();
        let is_gzip = response.headers().get("content-encoding").is_some_and(|e| e == "gzip");
        assert_eq!(is_gzip, encoding == "gzip");
        let received = response.bytes().await.unwrap();
        let mut body = Vec::new();
        if is_gzip {
            GzDecoder::new(&received[..]).read_to_end(&mut body).unwrap();
        } else {
            body.extend_from_slice(&received);
        }
        let answer: Value = serde_json::from_slice(&body[..length]).unwrap();
        assert_eq!(answer["outputs"][0]["parameters"]["binary_data_size"], 8);
        assert_eq!(body[length..], bytes_of(&floats_of(&body[length..])));
        assert_close(&floats_of(&body[length..]), &expected.probabilities);
        assert_close(&floats(&answer["outputs"][1]["data"]), &expected.logits);
    }
    server.stop().await;
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_are_told_why() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&["--max-body-bytes", "4096"]).await;
    let post = async |body: Value| server.post(INFER, JSON, body.to_string()).await;
    let with = |key: &str, value: Value| {
        let mut body = request(&signal(0.0));
        body["inputs"][0][key] = value;
        body
    };
    for (body, part) in [
        (with("name", json!("x")), "named \"input\""),
        (with("datatype", json!("FP64")), "FP32"),
        (with("shape", json!([1, 8])), "N x 1 x 8"),
        (with("shape", json!([2, 1, 8])), "16 numbers"),
        (with("data", json!([1, "a"])), "expected a number"),
        (json!({"inputs": []}), "one input tensor"),
        (
            json!({"inputs": request(&signal(0.0))["inputs"], "outputs": [{"name": "x"}]}),
            "no output",
        ),
    ] {
        let detail = refusal(post(body).await, 400, "invalid_argument").await;
        assert!(detail.contains(part), "{detail}");
    }
    // 64 KiB of zeros compress to a few dozen bytes: the limit is that of the decompressed body.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![b' '; 64 << 10]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 4096);
    let sent = async |encoding: &str, body: Vec<u8>| {
        let request = server.client.post(server.url(INFER)).header("content-encoding", encoding);
        request.body(body).send().await.unwrap()
    };
    refusal(sent("gzip", bomb.clone()).await, 413, "too_large").await;
    refusal(sent("deflate", bomb.clone()).await, 400, "invalid_argument").await;
    refusal(sent("br", bomb).await, 415, "unsupported_media_type").await;
    let wrong = server.get(INFER).await;
    refusal(wrong, 405, "method_not_allowed").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_shorter_limit_than_the_server_is_answered_within_it() {
    if !has_runtime() {
        return;
    }
    // An incomplete batch waits for a second, and the client for a tenth of that.
    let (server, _models) = server(&["--max-wait-us", "1000000", "--max-batch", "8"]).await;
    let mut body = request(&signal(0.0));
    // Beyond the range of the clock: the server's own limit holds.
    body["parameters"] = json!({"timeout": u64::MAX});
    let response = server.post(INFER, JSON, body.to_string()).await;
    assert_eq!(response.status(), 200);
    body["parameters"] = json!({"timeout": 100_000, "priority": 1});
    let response = server.post(INFER, JSON, body.to_string()).await;
    refusal(response, 504, "deadline_exceeded").await;
    server.stop().await;
}

/// Regression: the time for parsing was left out of the statistics.
#[tokio::test(flavor = "multi_thread")]
async fn the_statistics_of_decoding_include_parsing() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = server(&[]).await;
    // Few numbers, in JSON that takes long to parse.
    let body = request(&signal(0.0)).to_string();
    let padded = format!("{}{body}", " ".repeat(8 << 20));
    let nanoseconds = async |body: String| {
        let before = json_of(server.get("/v2/models/tiny/stats").await).await;
        assert_eq!(server.post(INFER, JSON, body).await.status(), 200);
        let after = json_of(server.get("/v2/models/tiny/stats").await).await;
        let of = |stats: &Value| {
            stats["model_stats"][0]["inference_stats"]["compute_input"]["ns"].as_u64().unwrap()
        };
        of(&after) - of(&before)
    };
    let short = nanoseconds(body).await;
    let long = nanoseconds(padded).await;
    assert!(long > 1_000_000 && long > short, "{short} ns, and {long} ns for 8 MiB more");
    server.stop().await;
}
