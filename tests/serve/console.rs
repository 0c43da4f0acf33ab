//! The console: its page and files, the two routes that only it needs, and the page in a browser.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use reqwest::{Response, header::HeaderMap};

use crate::{
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, floats, refusal},
    skip, tiny,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

fn is_installed(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Runs the tests in a folder of tests/console with Node's own runner, which takes folders in some
/// versions only.
fn node(tests: &str) {
    let files = std::fs::read_dir(folder().join(tests)).unwrap().map(|file| file.unwrap().path());
    let output = Command::new("node")
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files.filter(|file| file.to_string_lossy().contains(".test.")))
        .current_dir(folder())
        .env("DRSN_SERVE", env!("CARGO_BIN_EXE_drsn-serve"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_modules_of_the_page_do_what_their_tests_say() {
    if !is_installed("node") {
        return skip::skip("node is missing: install Node.js 20 or newer");
    }
    node("unit");
}

#[test]
fn the_page_works_in_a_browser() {
    if !has_runtime() {
        return;
    }
    if !is_installed("node") || !is_installed("chromium") {
        return skip::skip("Node.js 20 or newer, or chromium, is missing");
    }
    if !folder().join("node_modules").is_dir() {
        return skip::skip("playwright-core is missing: run npm ci --prefix tests/console");
    }
    node("browser");
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// What the page names in quotes that lies in the console's folder.
fn named(page: &str) -> Vec<&str> {
    page.split('"').filter(|text| text.starts_with("/console/files/")).collect()
}

/// The little-endian floats of an answer.
async fn numbers(response: Response) -> Vec<f32> {
    assert_eq!(response.status(), 200);
    let bytes = response.bytes().await.unwrap();
    bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_without_a_key_under_a_strict_policy_and_kept_by_its_hash() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let keys = models.path().join("keys");
    std::fs::write(&keys, "alpha\n").unwrap();
    let server = Server::start(models.path(), &["--api-keys", keys.to_str().unwrap()]).await;
    let home = server.get("/").await;
    let headers = home.headers().clone();
    assert_eq!((home.status().as_u16(), home.url().path()), (200, "/"));
    let policy = text(&headers, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(text(&headers, "cache-control"), "no-cache");
    assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
    let tag = text(&headers, "etag").to_owned();
    let again = server.client.get(server.url("/")).header("if-none-match", &tag).send().await;
    assert_eq!(again.unwrap().status(), 304);

    let page = home.text().await.unwrap();
    assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("onclick"));
    let files = named(&page);
    assert!(files.len() > 30, "{page}");
    for file in &files {
        let plain = server.get(file).await;
        let headers = plain.headers().clone();
        assert_eq!(plain.status(), 200, "{file}");
        assert!(text(&headers, "cache-control").contains("immutable"), "{file}");
        assert_eq!(text(&headers, "vary"), "accept-encoding");
        let plain = plain.bytes().await.unwrap();
        let request = server.client.get(server.url(file)).header("accept-encoding", "gzip");
        let packed = request.send().await.unwrap();
        assert_eq!(text(packed.headers(), "content-encoding"), "gzip");
        let packed = packed.bytes().await.unwrap();
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain, "{file}");
    }
    let old = files[0].replacen(&tag[1..tag.len() - 1], "0123456789abcdef", 1);
    for path in [&old[..], "/console/files/x/../main.js", "/console/files/%ff/main.js"] {
        refusal(server.get(path).await, 404, "not_found").await;
    }
    // What tells of the models needs a key.
    refusal(server.get("/console/samples/tiny").await, 401, "unauthenticated").await;
    let read = server.post("/console/recordings/0", "text/csv", "1\n2\n").await;
    refusal(read, 401, "unauthenticated").await;
    server.stop().await;
}

/// Names that a script imports from a file beside it.
fn imported(script: &str) -> Vec<&str> {
    let parts = script.split("from \"./").skip(1);
    parts.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_module_that_a_script_imports_is_loaded_with_the_page() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let page = server.get("/").await.text().await.unwrap();
    let files = named(&page);
    let mut count = 0;
    for file in files.iter().filter(|file| file.contains(".js")) {
        let script = server.get(file).await.text().await.unwrap();
        for name in imported(&script) {
            assert!(files.iter().any(|file| file.ends_with(&format!("/{name}"))), "{file}: {name}");
            count += 1;
        }
    }
    assert!(count > 60, "{count} imports");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_console_its_routes_are_gone_and_the_home_page_is_the_description() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--console", "off"]).await;
    let home = server.get("/").await;
    assert_eq!((home.status().as_u16(), home.url().path()), (200, "/docs"));
    for path in ["/console/files/0/main.js", "/console/samples/tiny"] {
        refusal(server.get(path).await, 404, "not_found").await;
    }
    let read = server.post("/console/recordings/0", "text/csv", "1\n2\n").await;
    refusal(read, 404, "not_found").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_told_as_classification_reads_it() {
    if !has_runtime() {
        return;
    }
    let inputs = [("tiny", tiny::signal_input(1)), ("pictures", tiny::image_input())];
    let models = harness::repository(&inputs);
    let server = Server::start(models.path(), &["--max-recording-bytes", "4096"]).await;
    let row = |i: i32| format!("{},{}\n", i * i % 7, 0.5 - f64::from(i));
    let table = "left,right\n".to_owned() + &(0..20).map(row).collect::<Vec<_>>().concat();
    let path = "/console/recordings/0?model=tiny";
    let read = server.post(&format!("{path}&channel=right"), "text/csv", table.clone()).await;
    assert_eq!(text(read.headers(), "x-channels"), "1");
    let right: Vec<f32> = (0..20_u8).map(|i| 0.5 - f32::from(i)).collect();
    assert_eq!(numbers(read).await, right);

    // Refusals are those of classification, word for word.
    for options in ["", "&channel=middle", "&overlap=2", "&no_such=1", "&variable=a"] {
        let refused = server.post(&format!("{path}{options}"), "text/csv", table.clone()).await;
        let detail = refusal(refused, 400, "invalid_argument").await;
        let classify = format!("/classify?model=tiny{options}");
        let expected = server.post(&classify, "text/csv", table.clone()).await;
        assert_eq!(detail, refusal(expected, 400, "invalid_argument").await);
    }
    let one = "1\n2\n3\n4\n5\n6\n7\n9\n";
    let beyond = server.post("/console/recordings/1?model=tiny", "text/csv", one).await;
    assert!(refusal(beyond, 400, "invalid_argument").await.contains("1 recordings"));
    let empty = server.post(path, "text/csv", "").await;
    assert!(refusal(empty, 400, "invalid_argument").await.contains("empty"));
    let picture = server.post("/console/recordings/0?model=pictures", "text/csv", one).await;
    assert!(refusal(picture, 400, "invalid_argument").await.contains("expects image data"));
    let raw = server.post(path, FLOATS, floats(&[1.0; 8])).await;
    assert!(refusal(raw, 400, "invalid_argument").await.contains("a file of a recording"));
    let large = server.post(path, "text/csv", "1\n".repeat(4000)).await;
    refusal(large, 413, "too_large").await;
    for path in ["/console/recordings/first?model=tiny", "/console/recordings/-1?model=tiny"] {
        refusal(server.post(path, "text/csv", one).await, 404, "not_found").await;
    }
    assert_eq!(server.idle_bytes().await, 0);
    // None of it counts as an answer of the model.
    let metrics = server.get("/metrics").await.text().await.unwrap();
    let counted =
        "drsn_requests_total{model=\"tiny\",version=\"1\",protocol=\"http\",code=\"200\"} 0";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_model_has_an_input_to_begin_with() {
    if !has_runtime() {
        return;
    }
    let inputs = [("tiny", tiny::signal_input(1)), ("pictures", tiny::image_input())];
    let models = harness::repository(&inputs);
    let server = Server::start(models.path(), &[]).await;
    for (name, input) in inputs {
        let sample = numbers(server.get(&format!("/console/samples/{name}")).await).await;
        assert_eq!(sample.len(), input.elements());
        let answer =
            server.classify(&format!("/models/{name}/classify"), FLOATS, floats(&sample)).await;
        assert_eq!(answer["predictions"].as_array().unwrap().len(), 1);
    }
    refusal(server.get("/console/samples/none").await, 404, "not_found").await;
    server.stop().await;
}
