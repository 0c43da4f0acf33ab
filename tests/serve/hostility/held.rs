//! The bytes in flight that the metrics tell are those that the process holds.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, task::JoinSet, time::sleep};

use super::{
    send::{begin, write},
    target::{Link, Listener, OPEN, Target},
};
use crate::{
    harness::{self, Process, has_runtime},
    memory::resident,
    tiny,
};

const BODIES: usize = 20;
/// What is sent of each body.
const SENT: usize = 4 << 20;

async fn in_flight(process: &Process) -> u64 {
    let text = reqwest::get(process.url("/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("drsn_inflight_bytes "));
    line.unwrap().parse().unwrap()
}

/// Sends the beginning of a body of this length, in chunks if it is not told.
async fn half(target: &Target, path: &str, content_type: &str, length: Option<usize>) -> Link {
    let mut link = target.http1().await.unwrap();
    let head = target.head("POST", path, content_type);
    let framing = match length {
        Some(length) => format!("content-length: {length}\r\n\r\n"),
        None => format!("transfer-encoding: chunked\r\n\r\n{SENT:x}\r\n"),
    };
    link.write_all((head + &framing).as_bytes()).await.unwrap();
    let start: &[u8] = match content_type {
        "image/png" => b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "application/x-npy" => b"\x93NUMPY\x01\0",
        _ => b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.npy\"\r\n\r\n",
    };
    link.write_all(start).await.unwrap();
    link.write_all(&vec![7; SENT - start.len()]).await.unwrap();
    link
}

/// A connection with a body half sent, in this way; `None` is a call of gRPC.
async fn open(target: Target, way: Option<(&str, &str, Option<usize>)>) -> Box<dyn Send> {
    if let Some((path, content_type, length)) = way {
        return Box::new(half(&target, path, content_type, length).await);
    }
    let sender = target.http2(Listener::Grpc, OPEN).await.unwrap();
    let path = "/inference.GRPCInferenceService/ModelInfer";
    let request = target.request(Listener::Grpc, "POST", path, "application/grpc");
    let (answer, mut body) = begin(&sender, request).await.unwrap();
    let mut message = vec![0];
    message.extend((2 * SENT as u32).to_be_bytes());
    message.resize(SENT, 7);
    write(&mut body, message.into(), false).await.unwrap();
    Box::new((sender, answer, body))
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_flight_are_what_half_sent_bodies_take() {
    if !has_runtime() {
        return;
    }
    let ways = [
        Some(("/models/image/classify", "image/png", Some(2 * SENT))),
        Some(("/models/image/classify", "image/png", Some(SENT + 1))),
        Some(("/models/image/classify", "image/png", None)),
        Some(("/models/signal/classify", "application/x-npy", Some(2 * SENT))),
        Some(("/models/signal/classify", "multipart/form-data; boundary=b", Some(2 * SENT))),
        None,
    ];
    let models =
        harness::repository(&[("image", tiny::image_input()), ("signal", tiny::signal_input(1))]);
    for way in ways {
        // What was freed goes back to the system at once: it is the allocator's and not the requests'.
        let mut command = harness::command(models.path(), &[]);
        command.env("MIMALLOC_PURGE_DELAY", "0");
        let process = Process::spawn(command);
        let target = Target {
            http: process.address,
            grpc: process.grpc,
            tls: None,
            key: None,
            span: Duration::ZERO,
        };
        // The first requests allocate what later ones share.
        drop(open(target.clone(), way).await);
        harness::eventually("nothing is held", async || in_flight(&process).await == 0).await;
        let before = resident(process.child.id(), "VmRSS:");
        let mut bodies = JoinSet::new();
        for _ in 0..BODIES {
            bodies.spawn(open(target.clone(), way));
        }
        let bodies = bodies.join_all().await;
        sleep(Duration::from_millis(500)).await;
        let held = resident(process.child.id(), "VmRSS:").saturating_sub(before) as f64;
        let told = in_flight(&process).await as f64 / f64::from(1 << 20);
        eprintln!("{way:?}: {told:.1} MiB in flight, {held} MiB held");
        assert!((0.75..1.25).contains(&(told / held)), "{way:?}: {told} MiB told, {held} MiB held");
        drop(bodies);
    }
}
