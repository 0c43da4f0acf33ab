//! Limits of queue, memory and time: what they refuse, and that they refuse nothing else.

use serde_json::{Value, json};

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    tiny,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_retry_and_a_request_above_all_memory_does_not() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    // A worker that waits two seconds for a batch to fill keeps the queue occupied.
    let slow = ["--queue", "1", "--workers", "1", "--max-wait-us", "2000000", "--max-batch", "8"];
    let server = Server::start(models.path(), &slow).await;
    let body = floats(&[1.0; 8]);
    let first = server.post("/classify", FLOATS, body.clone());
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.post("/classify", FLOATS, body.clone()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.status(), 200);
    assert_eq!(second.headers()["retry-after"], "1");
    refusal(second, 429, "queue_full").await;
    server.stop().await;

    let server = Server::start(models.path(), &["--max-inflight-bytes", "40"]).await;
    let detail =
        refusal(server.post("/classify", FLOATS, floats(&[1.0; 16])).await, 413, "too_large").await;
    assert!(detail.contains("40 bytes"), "{detail}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_answered_in_time_is_refused() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--request-timeout-ms", "100", "--max-wait-us", "1000000", "--max-batch", "8"];
    let server = Server::start(models.path(), &flags).await;
    let response = server.post("/classify", FLOATS, floats(&[1.0; 8])).await;
    refusal(response, 504, "deadline_exceeded").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_arrives_too_slowly_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--request-timeout-ms", "200"]).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = "POST /classify HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-type: application/octet-stream\r\ncontent-length: 32\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let problem: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(problem["code"], "request_timeout");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_have_the_errors_of_every_other_route() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    for route in ["/healthz", "/readyz", "/metrics"] {
        let response = server.post(route, JSON, "{}").await;
        assert_eq!(response.headers()["allow"], "GET,HEAD");
        refusal(response, 405, "method_not_allowed").await;
    }
    server.stop().await;
}

/// Regression: a request was refused before its body was read, and closing a connection with unread
/// bytes resets it: clients that were still sending saw a broken pipe instead of the error.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_clients_that_are_still_sending() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Server::start(models.path(), &[]).await;
    let body = vec![0; 12 << 20];
    for (path, content_type, status) in [
        ("/classify", "text/plain", 415),
        ("/classify?topk=1", FLOATS, 400),
        ("/models/none/classify", FLOATS, 404),
        ("/nowhere", FLOATS, 404),
        ("/models", FLOATS, 405),
    ] {
        let response = server.post(path, content_type, body.clone()).await;
        assert_eq!(response.status(), status);
    }
    server.stop().await;
}

/// Regression: the declared length was reserved before the body arrived, so that 16 connections
/// that sent nothing kept all others out.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_declared_and_not_sent_takes_no_memory_from_others() {
    use tokio::io::AsyncWriteExt as _;

    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let head = "POST /classify HTTP/1.1\r\nhost: x\r\n\
            content-type: application/octet-stream\r\ncontent-length: 16777216\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    server.classify("/classify", FLOATS, floats(&[1.0; 8])).await;
    drop(silent);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_others_use_is_distinguished_from_a_request_that_is_too_large() {
    use tokio::io::AsyncWriteExt as _;

    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--max-inflight-bytes", "4000"]).await;
    let mut slow = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = "POST /classify HTTP/1.1\r\nhost: x\r\n\
        content-type: application/octet-stream\r\ncontent-length: 3000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&[0; 2990]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let response = server.post("/classify", FLOATS, floats(&[1.0; 8])).await;
    assert_eq!(response.headers()["retry-after"], "1");
    refusal(response, 429, "bytes_full").await;
    drop(slow);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_too_many_inputs_is_refused_whatever_its_form() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--max-windows", "3"]).await;
    let response = server.post("/classify", FLOATS, floats(&[1.0; 32])).await;
    let detail = refusal(response, 413, "too_large").await;
    assert!(detail.starts_with("the request has 4 windows; at most 3 are allowed"), "{detail}");
    let response = server.post("/classify?batch=4", FLOATS, floats(&[1.0; 32])).await;
    let detail = refusal(response, 413, "too_large").await;
    assert_eq!(detail, "the request has 4 inputs; at most 3 are allowed per request");
    let body = json!({"signals": vec![[1.0; 8]; 4]}).to_string();
    refusal(server.post("/classify", JSON, body).await, 413, "too_large").await;
    server.stop().await;
}
