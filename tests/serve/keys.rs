//! API keys.

use std::{fs, path::Path};

use drsn_serve::proto::inference::{
    ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
    grpc_inference_service_client::GrpcInferenceServiceClient,
};
use reqwest::Response;

use crate::{
    harness::{self, Process, Server, has_runtime},
    hostile::{FLOATS, floats, refusal},
    tiny,
};

async fn with_key(server: &Server, path: &str, header: &str, key: &str) -> Response {
    server.client.get(server.url(path)).header(header, key).send().await.unwrap()
}

fn key_file(folder: &Path, text: &str) -> String {
    let file = folder.join("keys");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_key_is_refused_and_counted_and_probes_need_none() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path(), "# the team\nalpha\nbeta\n");
    let server = Server::start(models.path(), &["--api-keys", &keys]).await;
    let response = server.post("/classify", FLOATS, floats(&[1.0; 8])).await;
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    refusal(response, 401, "unauthenticated").await;
    for path in ["/models", "/nowhere", "/metrics"] {
        refusal(server.get(path).await, 401, "unauthenticated").await;
    }
    let wrong = with_key(&server, "/models", "authorization", "Bearer gamma").await;
    assert!(!refusal(wrong, 401, "unauthenticated").await.contains("gamma"));
    assert_eq!(with_key(&server, "/models", "authorization", "Bearer alpha").await.status(), 200);
    assert_eq!(with_key(&server, "/models", "x-api-key", "beta").await.status(), 200);
    for path in ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"] {
        assert_eq!(server.get(path).await.status(), 200);
    }
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.grpc));
    let mut grpc = GrpcInferenceServiceClient::new(channel.unwrap().connect().await.unwrap());
    assert!(grpc.server_live(ServerLiveRequest {}).await.unwrap().into_inner().live);
    assert!(grpc.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let refused = grpc.server_metadata(ServerMetadataRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let metrics = with_key(&server, "/metrics", "x-api-key", "beta").await.text().await.unwrap();
    let counted = "drsn_rejected_total{model=\"\",reason=\"unauthenticated\"} 6";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    server.stop().await;

    let server = Server::start(models.path(), &["--api-keys", &keys, "--metrics-open"]).await;
    assert_eq!(server.get("/metrics").await.status(), 200);
    refusal(server.get("/models").await, 401, "unauthenticated").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_reloaded_at_sighup_and_a_bad_file_leaves_the_old_ones() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path(), "alpha\n");
    let server = Process::start(models.path(), &["--api-keys", &keys]);
    let client = reqwest::Client::new();
    let status = async |key: &str| {
        let request = client.get(server.url("/models")).header("x-api-key", key);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status("alpha").await, status("beta").await), (200, 401));
    key_file(folder.path(), "beta\n");
    server.signal("-HUP");
    server.wait_for("reloaded the API keys");
    assert_eq!((status("alpha").await, status("beta").await), (401, 200));
    key_file(folder.path(), "two words\n");
    server.signal("-HUP");
    server.wait_for("received SIGHUP; reloading models, keys and certificate");
    let log = server.lines_for(std::time::Duration::from_millis(500));
    let told = log.iter().filter_map(|line| line["message"].as_str());
    assert!(told.into_iter().any(|m| m.contains("line 1") && m.contains("keeping the old keys")));
    assert_eq!(status("beta").await, 200);
}

#[test]
fn an_unusable_file_of_keys_ends_the_start_with_2() {
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let folder = tempfile::tempdir().unwrap();
    let empty = key_file(folder.path(), "# none\n");
    for (file, fault) in [(empty.as_str(), "it has no key"), ("/nowhere/keys", "/nowhere/keys")] {
        let output = harness::command(models.path(), &["--api-keys", file]).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.lines().last().unwrap().contains(fault), "{log}");
    }
}
