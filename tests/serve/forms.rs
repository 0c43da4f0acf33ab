//! Multipart bodies and image formats.

use std::io::Cursor;

use drsn_bundle::InputSpec;
use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::json;

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, floats, refusal},
    recordings::{WAV, wav},
    tiny,
};

/// Name, file name, declared type, content.
pub(crate) type Part<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [u8]);

pub(crate) const FORM: &str = "multipart/form-data; boundary=xyz";

pub(crate) fn form(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content_type, content) in parts {
        body.extend(format!("--xyz\r\ncontent-disposition: form-data; name=\"{name}\"").bytes());
        if let Some(file_name) = file_name {
            body.extend(format!("; filename=\"{file_name}\"").bytes());
        }
        if let Some(content_type) = content_type {
            body.extend(format!("\r\ncontent-type: {content_type}").bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    body
}

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|n| ((n * 7919) % 101) as f32 / 50.0 - 1.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_inputs_with_names_and_options_are_text_parts() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("one", tiny::signal_input(1)), ("two", tiny::signal_input(2))]);
    let server = Server::start(models.path(), &[]).await;
    let signal = ramp(20);
    let csv = signal.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let wav = wav(8000, std::slice::from_ref(&signal));
    let short = csv.lines().take(8).collect::<Vec<_>>().join("\n");
    let body = form(&[
        ("model", None, None, b"one"),
        ("file", Some("a.wav"), Some("application/octet-stream"), &wav),
        // Detection order: first bytes, file name, declared type.
        ("file", Some("wrong.csv"), Some("image/png"), &wav),
        ("file", Some("C:\\data\\b.csv"), Some("application/octet-stream"), csv.as_bytes()),
        ("file", None, Some("text/csv"), csv.as_bytes()),
        ("file", Some("window.txt"), None, short.as_bytes()),
        ("overlap", None, None, b"0.5"),
        ("top_k", None, None, b"1"),
    ]);
    let answer = server.classify("/classify", FORM, body).await;
    let predictions = answer["predictions"].as_array().unwrap();
    let names =
        [json!("a.wav"), json!("wrong.csv"), json!("b.csv"), json!(null), json!("window.txt")];
    assert_eq!(predictions.len(), names.len());
    let alone = server.classify("/classify?model=one&overlap=0.5&top_k=1", WAV, wav).await;
    for (index, (prediction, name)) in predictions.iter().zip(&names).enumerate() {
        let input = &prediction["input"];
        assert_eq!((&input["index"], &input["name"]), (&json!(index), name));
        assert_eq!(prediction["probabilities"].as_array().map(Vec::len), Some(1));
        if index < 4 {
            assert_eq!(prediction["windows"], alone["predictions"][0]["windows"], "{name}");
            assert_eq!(prediction["diagnostics"], alone["predictions"][0]["diagnostics"]);
        }
    }
    assert!(predictions[4].get("windows").is_none());
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_part_refuses_the_request_and_is_named() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &["--max-recording-bytes", "100000"]).await;
    let good = encoded(&picture(), ImageFormat::Png);
    let file =
        |name, content_type, content| -> Part { ("file", Some(name), content_type, content) };
    let (a, b) = (file("a.png", None, &good), file("c.gif", Some("image/gif"), &good));
    let long = vec![b'x'; 5000];
    for (parts, sentence) in [
        (
            vec![a, b, file("b.png", None, b"text")],
            "input 2 (b.png): a PNG, JPEG, WebP, BMP or GIF file was expected",
        ),
        (
            vec![file("numbers.bin", Some(FLOATS), &[0; 64])],
            "input 0 (numbers.bin): unknown file type: neither its first bytes, its name",
        ),
        (vec![a, file("b.csv", None, b"1\n2\n")], "input 1 (b.csv): the request has signal data"),
        (vec![a, file("b.png", None, b"")], "input 1 (b.png): the image file is empty"),
        (vec![("model", None, None, b"tiny")], "no part named file"),
        (vec![a, ("topk", None, None, b"1")], "no option \"topk\""),
        (
            vec![a, ("top_k", None, None, &long)],
            "longer than the limit of 4096 bytes for an option",
        ),
        (vec![a, ("overlap", None, None, b"0.5")], "the option overlap applies to signals"),
        (vec![a, ("batch", None, None, b"2")], "the option batch applies to raw numbers"),
    ] {
        let detail =
            refusal(server.post("/classify", FORM, form(&parts)).await, 400, "invalid_argument")
                .await;
        assert!(detail.contains(sentence), "expected \"{sentence}\" in \"{detail}\"");
    }
    let unset: Part = ("file", Some(""), Some(FLOATS), b"");
    let detail = refusal(
        server.post("/classify", FORM, form(&[unset, ("top_k", None, None, b"")])).await,
        400,
        "invalid_argument",
    )
    .await;
    assert!(detail.contains("no part named file with content"), "{detail}");
    let whole = form(&[a]);
    for (content_type, body) in [
        ("multipart/form-data", whole.clone()),
        ("multipart/form-data; boundary=other", whole.clone()),
        (FORM, whole[..whole.len() - 20].to_vec()),
        (FORM, Vec::new()),
        (FORM, vec![b'-'; 50_000]),
    ] {
        refusal(server.post("/classify", content_type, body).await, 400, "invalid_argument").await;
    }
    let too_much = vec![0; 100_000];
    let large = form(&[file("a.png", None, &too_much)]);
    refusal(server.post("/classify", FORM, large).await, 413, "too_large").await;
    // As browsers send a second field for files that was left empty, and options left blank.
    let blank =
        ["channel", "overlap", "resample", "model"].map(|name| -> Part { (name, None, None, b"") });
    let parts = [&[a, unset, b][..], &blank[..]].concat();
    let answer = server.classify("/classify?batch=&variable=", FORM, form(&parts)).await;
    assert_eq!(answer["predictions"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["predictions"][1]["input"]["name"], "c.gif");
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// A grey image that all lossless formats keep exactly.
fn picture() -> RgbaImage {
    RgbaImage::from_fn(4, 4, |x, y| {
        let level = ((x + 4 * y) * 17) as u8;
        Rgba([level, level, level, 255])
    })
}

fn encoded(picture: &RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lossless_format_gives_the_same_answer_whatever_it_is_declared_as() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let raw: Vec<f32> = (0..16).map(|n| (n * 17) as f32 / 255.0).collect();
    let expected = server.classify("/classify", FLOATS, floats(&raw)).await;
    for (format, content_type) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::WebP, "image/webp"),
        (ImageFormat::Bmp, "image/bmp"),
        (ImageFormat::Gif, "image/gif"),
    ] {
        let file = encoded(&picture(), format);
        for declared in [content_type, "image/jpeg", WAV] {
            let answer = server.classify("/classify", declared, file.clone()).await;
            assert_eq!(answer["predictions"], expected["predictions"], "{format:?} as {declared}");
        }
        let detail =
            refusal(server.post("/classify", FLOATS, file).await, 400, "invalid_argument").await;
        assert!(detail.contains(&format!("send it as {content_type}")), "{detail}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_of_recordings_is_refused_for_images_and_accepted_for_signals() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    assert!(matches!(tiny::image_input(), InputSpec::Image(_)));
    let server = Server::start(models.path(), &[]).await;
    for query in ["overlap=0.5", "channel=0", "variable=x", "sample_rate_hz=1", "resample=true"] {
        let file = encoded(&picture(), ImageFormat::Png);
        let response = server.post(&format!("/classify?{query}"), "image/png", file).await;
        let detail = refusal(response, 400, "invalid_argument").await;
        assert!(detail.contains("applies to signals, but this model expects images"), "{detail}");
    }
    server.stop().await;
}
