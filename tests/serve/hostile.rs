//! Wrong inputs: each gets its code and a message that a client can act on, and the server still
//! answers.

use std::io::Cursor;

use reqwest::Response;
use serde_json::json;

use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

pub(crate) const JSON: &str = "application/json";
pub(crate) const FLOATS: &str = "application/octet-stream";
const PNG: &str = "image/png";

/// Expects an error as problem details, and returns its message.
pub(crate) async fn refusal(response: Response, status: u16, code: &str) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let found = response.status().as_u16();
    let problem = harness::json(response).await;
    assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["detail"], problem["error"]);
    for field in ["type", "title", "detail", "instance"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem["detail"].as_str().unwrap().to_owned()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut pixels = vec![0; width as usize * height as usize];
    // A picture of one colour is refused.
    let half = pixels.len() / 2;
    pixels[..half].fill(200);
    let picture = image::GrayImage::from_raw(width, height, pixels).unwrap();
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

fn jpeg() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let picture = image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * y) as u8]));
    picture.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    file.into_inner()
}

/// A PNG whose header declares another size, with a correct checksum.
fn png_that_declares(width: u32, height: u32) -> Vec<u8> {
    let mut file = png(4, 4);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    file
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Content type, body, status, code, and a part of the message.
type Case = (&'static str, Vec<u8>, u16, &'static str, &'static str);

async fn expect_refusals(server: &Server, cases: Vec<Case>) {
    for (content_type, body, status, code, sentence) in cases {
        let response = server.post("/classify", content_type, body).await;
        let detail = refusal(response, status, code).await;
        assert!(detail.contains(sentence), "expected \"{sentence}\" in \"{detail}\"");
    }
    let good = server.classify("/classify", PNG, png(4, 4)).await;
    assert_eq!(good["predictions"].as_array().map(Vec::len), Some(1));
}

fn invalid(content_type: &'static str, body: impl Into<Vec<u8>>, sentence: &'static str) -> Case {
    (content_type, body.into(), 400, "invalid_argument", sentence)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_files_and_numbers_are_refused_with_what_was_expected_and_what_came() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let mut with_nan = vec![0.5_f32; 16];
    with_nan[3] = f32::NAN;
    let whole = jpeg();
    let half = &whole[..whole.len() / 2];
    let cases = vec![
        invalid(PNG, "", "the body is empty; expected a file"),
        invalid(FLOATS, "", "the body has 0 bytes"),
        invalid(PNG, "this is text", "a PNG, JPEG, WebP, BMP or GIF file was expected"),
        invalid(PNG, &png(4, 4)[..50], "PNG file cannot be decoded: it is damaged or cut short"),
        invalid("image/jpeg", half, "JPEG file cannot be decoded: it is damaged or cut short"),
        invalid(PNG, png(5, 4), "5 x 4 pixels, and this model requires exactly 4 x 4"),
        invalid(FLOATS, floats(&with_nan), "value 3 is not a finite 32-bit number: NaN"),
        invalid(
            FLOATS,
            floats(&[0.5; 15]),
            "64 bytes of 32-bit floats (1 x 4 x 4, channels x height x width); the body has 60 bytes",
        ),
        invalid(FLOATS, png(4, 4), "the body is a PNG file; send it as image/png"),
        (
            PNG,
            png_that_declares(60_000, 60_000),
            413,
            "too_large",
            "60000 x 60000 pixels, above the limit of 50000000",
        ),
        (
            FLOATS,
            vec![0; 17 * 1024 * 1024],
            413,
            "too_large",
            "larger than the limit of 16777216 bytes",
        ),
        (
            "text/plain",
            b"7".to_vec(),
            415,
            "unsupported_media_type",
            "send application/json, image/png",
        ),
    ];
    expect_refusals(&server, cases).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_json_is_refused_with_what_was_expected_and_what_came() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let cases = vec![
        invalid(JSON, "", "the body is empty; a JSON object was expected"),
        invalid(JSON, r#"{"tensor": [[NaN]]}"#, "the JSON body is invalid"),
        invalid(
            JSON,
            r#"{"tensor": [[1, 2]]}"#,
            "each input must have shape 1 x 4 x 4, channels x height x width; got shape 1 x 2",
        ),
        invalid(JSON, r#"{"tensor": [[1, 2], [3]]}"#, "different lengths"),
        invalid(JSON, r#"{"tensor": "seven"}"#, "expected a number or a list of numbers"),
        invalid(JSON, r#"{"image": "!!"}"#, "not valid base64"),
        invalid(JSON, r#"{"signal": [1, 2]}"#, "signal data, but this model expects image data"),
        invalid(JSON, "{}", "exactly one of signal, signals, image, images, tensor and tensors"),
        invalid(JSON, r#"{"tensor": [1], "image": ""}"#, "it has more than one"),
        invalid(JSON, r#"{"pixels": [1]}"#, "unknown field `pixels`"),
        invalid(JSON, r#"{"tensors": []}"#, "no inputs"),
        invalid(JSON, r#"{"tensor": 5}"#, "channels x height x width; got a single number"),
        invalid(JSON, "[null, null, null]", "the body must be a JSON object"),
        invalid(JSON, r#"{"top_k": 0, "image": ""}"#, "top_k must be a whole number above 0"),
        invalid(JSON, "[".repeat(100_000), "the body must be a JSON object"),
        invalid(JSON, "{\"tensor\":".to_owned() + &"[".repeat(100_000), "nested deeper"),
    ];
    expect_refusals(&server, cases).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_routes_methods_models_and_options_are_told_which_exist() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("one", tiny::image_input()), ("two", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let detail = refusal(server.get("/v9/nothing").await, 404, "not_found").await;
    assert!(detail.contains("POST /classify"));

    let response = server.get("/classify").await;
    assert_eq!(response.headers()["allow"], "POST");
    refusal(response, 405, "method_not_allowed").await;

    let response = server.post("/models/three/classify", PNG, png(4, 4)).await;
    assert!(refusal(response, 404, "not_found").await.contains("the models are: one, two"));
    let response = server.post("/models/one/versions/9/classify", PNG, png(4, 4)).await;
    assert!(refusal(response, 404, "not_found").await.contains("the served versions are: 1"));
    let response = server.post("/models/%ff/classify", PNG, png(4, 4)).await;
    refusal(response, 404, "not_found").await;
    let response = server.post("/classify", PNG, png(4, 4)).await;
    let detail = refusal(response, 400, "invalid_argument").await;
    assert!(detail.contains("several are served: one, two"), "{detail}");
    let response = server.post("/models/one/classify?topk=1", PNG, png(4, 4)).await;
    assert!(refusal(response, 400, "invalid_argument").await.contains("no option \"topk\""));
    let body = json!({"tensor": [1.0], "model": "two"}).to_string();
    let response = server.post("/models/one/classify", JSON, body).await;
    let detail = refusal(response, 400, "invalid_argument").await;
    assert!(detail.contains("model is given twice"), "{detail}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_input_refuses_its_request_and_is_named() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let mut signals = vec![vec![json!(1.0); 8]; 3];
    signals[2][5] = json!(1e300);
    let body = json!({"signals": signals}).to_string();
    let detail = refusal(server.post("/classify", JSON, body).await, 400, "invalid_argument").await;
    assert_eq!(detail, "input 2: value 5 is not a finite 32-bit number: inf");
    server.stop().await;
}
