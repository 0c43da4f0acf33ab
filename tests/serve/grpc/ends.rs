//! Start and shutdown, as gRPC clients see them.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use drsn_serve::proto::{
    drsn::StreamStart,
    inference::{ModelInferRequest, ModelReadyRequest, ServerReadyRequest},
};
use tokio::task::JoinSet;
use tonic::Code;

use super::{Classifier, Inference, channel, models, refused, request, signal, streams::Stream};
use crate::{
    harness::{self, Process, has_runtime},
    tiny,
};

#[tokio::test(flavor = "multi_thread")]
async fn at_shutdown_health_changes_first_and_streams_are_told() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let mut server = Process::start(models.path(), &["--linger-ms", "600"]);
    let channel = channel(server.grpc).await;
    let mut inference = Inference::new(channel.clone());
    assert!(inference.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let ready = ModelReadyRequest { name: "tiny".to_owned(), version: "1".to_owned() };
    assert!(inference.model_ready(ready).await.unwrap().into_inner().ready);
    let watch = tonic_health::pb::HealthCheckRequest { service: "drsn.v1.Classifier".to_owned() };
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let mut watched = health.watch(watch).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    let mut classifier = Classifier::new(channel);
    let mut stream = Stream::open(&mut classifier, StreamStart::default()).await;
    stream.send(signal(1.0)).await;
    assert_eq!(stream.prediction().await.1, 8);
    server.signal("-TERM");
    server.wait_for("draining");
    // During the linger the stream continues, and new connections are accepted.
    stream.send(signal(2.0)).await;
    assert_eq!(stream.prediction().await.1, 16);
    let mut other = Inference::new(super::channel(server.grpc).await);
    assert!(!other.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    assert!(other.model_infer(request(&signal(1.0))).await.is_ok());
    let status = stream.refusal().await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2);
    // A `Watch` call does not keep the server from shutting down.
    while let Ok(Some(answer)) = watched.message().await {
        assert_ne!(answer.status, 1);
    }
    server.wait_for("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_clients_loses_no_call() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let mut server = Process::start(models.path(), &["--linger-ms", "500"]);
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let mut client = Inference::new(channel(server.grpc).await);
        let answered = Arc::clone(&answered);
        clients.spawn(async move {
            loop {
                match client.model_infer(request(&signal(1.0))).await {
                    Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                    Err(status) => {
                        let sources = std::iter::successors(status.source(), |&e| e.source());
                        let text: Vec<String> = sources.map(ToString::to_string).collect();
                        // The connection ended before the client had sent anything of the call, or
                        // its GOAWAY names the call as one that was not begun: most libraries send
                        // it again by themselves.
                        let not_begun = ["connection closed", "not a result of an error"];
                        if text.iter().any(|s| not_begun.iter().any(|word| s.ends_with(word))) {
                            continue;
                        }
                        // Connections fail only after the listener has closed.
                        let refused = text.iter().any(|source| source.contains("connect error"));
                        assert!(refused, "a call was lost: {status}, {text:?}");
                        return;
                    }
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("-TERM");
    clients.join_all().await;
    server.wait_for("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(answered.load(Ordering::Relaxed) > 16);
}

#[test]
fn a_port_in_use_is_reported_with_its_flag_and_grpc_can_be_off() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let start = |grpc: &str, more: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
            .args(["--http", "127.0.0.1:0", "--log-format", "json", "--grpc", grpc, "--models"])
            .arg(models.path())
            .args(more)
            .output()
            .unwrap()
    };
    let output = start(&address, &[]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(&address) && log.contains("choose another address with --grpc"), "{log}");
    let output = start("off", &["--onnxruntime", "/nowhere/lib.so"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("\"http\"") && !log.contains("\"grpc\""), "{log}");
    assert_eq!(start("nowhere", &[]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_models_are_being_loaded_calls_are_told_to_come_back() {
    if !has_runtime() {
        return;
    }
    // Enough models that loading takes longer than a call.
    let names: Vec<String> = (0..40).map(|n| format!("tiny{n}")).collect();
    let models: Vec<_> = names.iter().map(|name| (&**name, tiny::signal_input(2))).collect();
    let models = harness::repository(&models);
    let server = Process::listening(models.path(), &["--workers", "4"]);
    let mut client = Inference::new(channel(server.grpc).await);
    assert!(!client.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let first = ModelInferRequest { model_name: "tiny0".to_owned(), ..request(&signal(0.0)) };
    let status = refused(&mut client, first.clone(), Code::Unavailable).await;
    assert!(status.message().contains("being loaded"), "{status}");
    server.wait_for("ready");
    assert!(client.model_infer(first).await.is_ok());
}
