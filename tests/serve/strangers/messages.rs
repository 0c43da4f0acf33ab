//! Messages of gRPC from strangers: small only on the wire, without an end, more than one, or to
//! services that describe the API.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use reqwest::{Client, Response};
use tokio::{task::JoinSet, time::timeout};

use super::{assert_serves, endless, grown, http2, server};
use crate::{
    harness::{Process, has_runtime},
    memory::resident,
};

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const CLASSIFY: &str = "/drsn.v1.Classifier/Classify";

/// A message with its prefix.
fn message(content: &[u8], is_packed: bool) -> Vec<u8> {
    let mut message = vec![u8::from(is_packed)];
    message.extend((content.len() as u32).to_be_bytes());
    message.extend(content);
    message
}

async fn call(client: &Client, process: &Process, path: &str, body: reqwest::Body) -> Response {
    let request = client.post(format!("http://{}{path}", process.grpc)).body(body);
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let request = if path == INFER { request.header("grpc-encoding", "gzip") } else { request };
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_small_only_on_the_wire_is_refused_before_it_is_decoded() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    let before = resident(process.child.id(), "VmRSS:");
    let client = http2();
    // Empty inputs, outputs, contents and parameters, and a list of numbers of a byte each.
    for (name, unit) in [
        ("inputs", &[0x2a, 0][..]),
        ("outputs", &[0x32, 0]),
        ("raw contents", &[0x3a, 0]),
        ("parameters", &[0x22, 0]),
        ("nested", &[0x2a, 4, 0x22, 0, 0x2a, 0]),
    ] {
        let content = unit.repeat((16 << 20) / unit.len());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&content).unwrap();
        let packed = gzip.finish().unwrap();
        for body in [message(&packed, true), message(&content[..16 << 20 >> 1], false)] {
            let response = call(&client, &process, INFER, body.into()).await;
            assert_eq!(response.headers()["grpc-status"], "8", "{name}: {response:?}");
        }
        let grown = grown(&process, before);
        eprintln!("{name}: {grown} MB more");
        assert!(grown < 150, "{name}: {grown} MB");
    }
    assert_serves(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_message_is_whole_and_that_never_end_are_counted() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    let before = resident(process.child.id(), "VmRSS:");
    // Field 7, `raw_input_contents`, of 15 MB.
    let length = 15_u32 << 20;
    let mut content = vec![0x3a];
    let varint = (0..4).map(|i| (length >> (7 * i)) as u8 & 0x7f | if i < 3 { 0x80 } else { 0 });
    content.extend(varint);
    content.resize(content.len() + length as usize, 1);
    let body = message(&content, false);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (client, body) = (http2(), endless(body.clone()));
        let request = client.post(format!("http://{}{INFER}", process.grpc)).body(body);
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        calls.spawn(async move { (request.send().await, client) });
    }
    let mut refused = 0;
    while let Ok(Some(ended)) = timeout(Duration::from_secs(3), calls.join_next()).await {
        let (response, _) = ended.unwrap();
        // A client that is still sending may only see that the stream was reset.
        let is_refused = response.map_or(true, |r| r.headers()["grpc-status"] == "8");
        refused += usize::from(is_refused);
    }
    let grown = grown(&process, before);
    eprintln!("{refused} refused, {grown} MB more");
    assert!(refused > 80, "{refused}");
    assert_serves(&process).await;
    assert!(grown < 400, "{grown} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_that_describe_the_api_need_a_key_and_can_be_off() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "alpha\n").unwrap();
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // `list_services`, field 7.
    let question = message(&[0x3a, 0], false);
    for (flags, status) in [
        (vec!["--api-keys", keys.to_str().unwrap()], "16"),
        (vec!["--grpc-reflection", "off"], "12"),
    ] {
        let (_models, process) = server(&flags);
        let response = call(&http2(), &process, reflection, question.clone().into()).await;
        assert_eq!(response.headers()["grpc-status"], status, "{flags:?}");
    }
    let (_models, process) = server(&[]);
    let response = call(&http2(), &process, reflection, question.into()).await;
    assert_eq!(response.status(), 200);
    let answer = response.bytes().await.unwrap();
    let name = b"drsn.v1.Classifier";
    assert!(answer.windows(name.len()).any(|window| window == name));
}

/// Regression: the bytes of one request were twenty thousand empty messages, all of which were
/// decoded, one after the other, before another client was served.
#[tokio::test(flavor = "multi_thread")]
async fn a_unary_call_has_one_message() {
    if !has_runtime() {
        return;
    }
    let (_models, process) = server(&[]);
    for path in [INFER, CLASSIFY] {
        let body = message(&[], false).repeat(20_000);
        let response = call(&http2(), &process, path, body.into()).await;
        assert_eq!(response.headers()["grpc-status"], "3", "{path}: {response:?}");
        let told = response.headers()["grpc-message"].to_str().unwrap();
        assert!(told.contains("one%20message"), "{path}: {told}");
    }
    assert_serves(&process).await;
}
