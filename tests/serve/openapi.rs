//! The API's description: it is served, it is right, and a program that tests the server against it
//! finds no fault.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use reqwest::Method;

use crate::{
    harness::{self, Process, Server, has_runtime, json},
    hostile::refusal,
    skip, tiny,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_description_and_its_page_are_served_without_a_key_and_without_the_internet() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let keys = models.path().join("keys");
    std::fs::write(&keys, "alpha\n").unwrap();
    let flags = ["--api-keys", keys.to_str().unwrap(), "--console", "off"];
    let server = Server::start(models.path(), &flags).await;
    let home = server.get("/").await;
    assert_eq!((home.status().as_u16(), home.url().path()), (200, "/docs"));
    let page = home.text().await.unwrap();
    let files: Vec<&str> = page
        .split(['"', '\''])
        .filter(|text| [".js", ".css", ".png"].iter().any(|ending| text.ends_with(ending)))
        .collect();
    assert!(files.len() >= 6, "{page}");
    for file in files {
        assert!(file.starts_with("/docs/"), "{file} is not of this server");
        let response = server.get(file).await;
        assert_eq!(response.status(), 200, "{file}");
        assert!(response.headers().contains_key("content-security-policy"));
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(["javascript", "css", "png"].iter().any(|word| kind.contains(word)), "{kind}");
    }
    let settings = server.get("/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(
        settings.contains("\"/openapi.json\"") && settings.contains("\"validatorUrl\": \"none\"")
    );
    assert!(!settings.contains("http"), "{settings}");
    for path in ["/docs/..%2f..%2fetc%2fpasswd", "/docs/nothing.js", "/docs/%ff"] {
        refusal(server.get(path).await, 404, "not_found").await;
    }
    let document = json(server.get("/openapi.json").await).await;
    assert_eq!(document["openapi"], "3.1.0");
    refusal(server.get("/models").await, 401, "unauthenticated").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_has_exactly_the_described_methods() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let document = json(server.get("/openapi.json").await).await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let mut described: Vec<String> =
            operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        if described.iter().any(|method| method == "GET") {
            described.push("HEAD".to_owned());
        }
        let url = server.url(&path.replace("{model}", "tiny").replace("{version}", "1"));
        let response = server.client.request(Method::DELETE, url).send().await.unwrap();
        let allow = response.headers()["allow"].to_str().unwrap().to_owned();
        assert_eq!(allow.split(',').collect::<Vec<_>>(), described, "{path}");
        refusal(response, 405, "method_not_allowed").await;
    }
    server.stop().await;
}

/// Regression: schemathesis loaded a model with the body `[]`.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_the_repository_that_is_not_an_object_is_refused() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &["--model-control", "explicit"]).await;
    for route in ["index", "models/tiny/load", "models/tiny/unload"] {
        let path = format!("/v2/repository/{route}");
        for body in ["[]", " [{}]", "7", "null"] {
            let response = server.post(&path, "application/json", body).await;
            let detail = refusal(response, 400, "invalid_argument").await;
            assert!(detail.contains("a JSON object"), "{detail}");
        }
        assert_eq!(server.post(&path, "application/json", " {} ").await.status(), 200);
    }
    server.stop().await;
}

/// `tests/schemathesis.toml` says which checks are restricted, and why.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_is_not_described() {
    if !has_runtime() {
        return;
    }
    let Some(python) = std::env::var_os("DRSN_PYTHON") else {
        return skip::skip("DRSN_PYTHON names no Python with tests/requirements.txt installed");
    };
    let has_it =
        Command::new(&python).args(["-c", "import schemathesis"]).stderr(Stdio::null()).status();
    if !has_it.unwrap().success() {
        return skip::skip(
            "schemathesis and openapi-spec-validator of tests/requirements.txt are not installed",
        );
    }
    let inputs = [("tiny", tiny::signal_input(1)), ("other", tiny::image_input())];
    let models = harness::repository(&inputs);
    let flags = ["--linger-ms", "0", "--model-control", "explicit", "--default-model", "tiny"];
    let server = Process::start(models.path(), &flags);
    let document = server.url("/openapi.json");
    let file = models.path().join("openapi.json");
    let text = reqwest::get(&document).await.unwrap().bytes().await.unwrap();
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    run(&python, &["-m", "openapi_spec_validator", "--schema", "3.1", file]);
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis.toml");
    let settings = settings.to_str().unwrap();
    let bounded = ["run", "--max-time", "45", "--max-examples", "20", "--seed", "7", &document];
    run(&python, &[&["-m", "schemathesis.cli", "--config-file", settings][..], &bounded].concat());
}

/// Runs a Python program, which must find no fault.
fn run(python: &OsStr, arguments: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(python).args(arguments).current_dir(scratch.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
}
