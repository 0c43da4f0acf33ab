//! Small requests that could cost much: copies that no limit counts, files that decode to much
//! data.

use std::{io::Write as _, net::TcpStream, time::Instant};

use serde_json::json;

use crate::{
    harness::{self, Process, Server, eventually, has_runtime},
    hostile::{JSON, png, refusal},
    recordings::npy,
    tiny,
};

const NPY: &str = "application/x-npy";

/// Regression: a kilobyte of channel names made a thousand copies of the recording.
#[tokio::test(flavor = "multi_thread")]
async fn a_choice_of_channels_is_refused_before_any_is_copied() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let names = vec!["0"; 1000];
    let path = format!("/classify?channel={}", names.join(","));
    let array = npy("(8000,)", &vec![1.0; 8000]);
    let by_json = json!({"signal": vec![1.0; 8000], "channel": names}).to_string();
    for response in [
        server.post(&path, NPY, array).await,
        server.post(&path, "audio/wav", crate::recordings::wav(8000, &[vec![0.5; 8000]])).await,
        server.post("/classify", JSON, by_json).await,
    ] {
        let detail = refusal(response, 400, "invalid_argument").await;
        assert_eq!(
            detail,
            "the option channel selects 1000 channels, but this model expects 1 channel"
        );
    }
    server.stop().await;
}

/// Regression: many short inputs were allocated one by one before they were counted.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_channels_of_an_array_are_counted_before_they_are_allocated() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let many = npy("(30000, 1, 1)", &vec![1.0; 30_000]);
    let detail = refusal(server.post("/classify", NPY, many).await, 413, "too_large").await;
    assert!(detail.contains("30000 inputs"), "{detail}");
    let wide = npy("(1, 30000, 1)", &vec![1.0; 30_000]);
    let detail = refusal(server.post("/classify", NPY, wide).await, 400, "invalid_argument").await;
    assert!(detail.contains("30000 channels"), "{detail}");
    let wide = json!({"signal": vec![[1.0]; 30_000], "sample_rate_hz": 1.0, "resample": true});
    let response = server.post("/classify", JSON, wide.to_string()).await;
    let detail = refusal(response, 400, "invalid_argument").await;
    assert!(detail.contains("30000 channels"), "{detail}");
    server.stop().await;
}

const FORM: &str = "multipart/form-data; boundary=xyz";

/// A form with images of 36 megapixels, each a few kilobytes long.
fn large_pictures(count: usize) -> Vec<u8> {
    let picture = png(6000, 6000);
    assert!(picture.len() < 200_000);
    let head = "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n";
    let mut form = Vec::new();
    for _ in 0..count {
        form.extend([head.as_bytes(), &picture, b"\r\n"].concat());
    }
    form.extend(b"--xyz--\r\n");
    form
}

fn stretching() -> tempfile::TempDir {
    let drsn_bundle::InputSpec::Image(mut image) = tiny::image_input() else { unreachable!() };
    image.geometry = drsn_bundle::Geometry::Stretch;
    harness::repository(&[("tiny", drsn_bundle::InputSpec::Image(image))])
}

/// Regression: all files of a request were decoded even after its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_take_long_are_not_decoded_after_the_deadline() {
    if !has_runtime() {
        return;
    }
    let models = stretching();
    let server = Server::start(models.path(), &[]).await;
    let request = server.client.post(server.url("/classify")).header("content-type", FORM);
    let request = request.header("x-request-timeout-ms", "300").body(large_pictures(40));
    let started = Instant::now();
    server.classify("/classify", FORM, large_pictures(1)).await;
    let one = started.elapsed();
    let started = Instant::now();
    let response = request.send().await.unwrap();
    refusal(response, 504, "deadline_exceeded").await;
    let elapsed = started.elapsed();
    assert!(elapsed < one * 20, "{elapsed:?}, and one picture takes {one:?}");
    server.stop().await;
}

/// Regression: turns went by order of arrival, so that a client with enough costly requests held all
/// of them, and everybody else's pictures waited until the last one was decoded.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_many_costly_requests_does_not_hold_up_another_client() {
    if !has_runtime() {
        return;
    }
    let models = stretching();
    let server = Server::start(models.path(), &[]).await;
    let from = |address: [u8; 4]| {
        let client = reqwest::Client::builder().local_address(std::net::IpAddr::from(address));
        let request = client.build().unwrap().post(server.url("/classify"));
        request.header("content-type", "image/png").body(png(6000, 6000)).send()
    };
    let started = Instant::now();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..12 {
        flood.spawn(from([127, 0, 0, 2]));
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let asked = Instant::now();
    assert_eq!(from([127, 0, 0, 3]).await.unwrap().status(), 200);
    let waited = asked.elapsed();
    for response in flood.join_all().await {
        assert_eq!(response.unwrap().status(), 200);
    }
    let all = started.elapsed();
    assert!(waited * 2 < all, "waited {waited:?} of {all:?}");
    server.stop().await;
}

/// Regression: all files of a disconnected client were decoded.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_disconnected_client_are_not_decoded() {
    if !has_runtime() {
        return;
    }
    let models = stretching();
    let server = Server::start(models.path(), &[]).await;
    let request = server.client.post(server.url("/classify")).header("content-type", FORM);
    let request = request.body(large_pictures(60));
    let sending = tokio::spawn(request.send());
    let inflight = async || {
        let text = server.get("/metrics").await.text().await.unwrap();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("drsn_inflight_requests "));
        line.unwrap().parse::<i64>().unwrap()
    };
    eventually("the request is there", async || inflight().await == 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    sending.abort();
    let started = Instant::now();
    eventually("nobody is worked for", async || inflight().await == 0).await;
    let elapsed = started.elapsed().as_secs_f64();
    assert!(elapsed < 3.0, "the server worked for nobody for {elapsed} s");
    server.stop().await;
}

/// Regression: the process waited for a decoder whose request had ended.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_files_that_are_being_decoded() {
    if !has_runtime() {
        return;
    }
    let models = stretching();
    let mut server = Process::start(
        models.path(),
        &[
            "--linger-ms",
            "0",
            "--drain-timeout-ms",
            "200",
            "--max-image-pixels",
            "400000000",
            "--max-inflight-bytes",
            "2000000000",
        ],
    );
    let metrics = format!("http://{}/metrics", server.address);
    let url = format!("http://{}/classify", server.address);
    let picture = png(18_000, 18_000);
    let sending = tokio::spawn(async move {
        let request = reqwest::Client::new().post(url).header("content-type", "image/png");
        // The connection ends without an answer.
        let _ = request.body(picture).send().await;
    });
    eventually("the picture is being decoded", async || {
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("drsn_inflight_bytes "));
        line.unwrap().parse::<u64>().unwrap() > 300_000_000
    })
    .await;
    server.signal("-TERM");
    server.wait_for("stopped");
    let stopped = Instant::now();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let elapsed = stopped.elapsed().as_secs_f64();
    assert!(elapsed < 1.0, "it ended {elapsed} s after it had stopped");
    sending.await.unwrap();
}

/// Regression: bodies of these routes had no time limit, so that a thousand clients that sent half
/// of one occupied all connections forever.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_arriving_times_out_on_every_route() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--request-timeout-ms", "300"]).await;
    for path in ["index", "models/tiny/load", "models/tiny/unload"] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /v2/repository/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(std::time::Duration::from_secs(5), read).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
    }
    // A body that ends early is not reported as too large.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(
            b"POST /v2/repository/index HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        )
        .unwrap();
    let mut answer = vec![0; 12];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
    server.stop().await;
}
