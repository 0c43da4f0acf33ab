//! Traces, as a collector receives them.

use std::{net::SocketAddr, time::Duration};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value as AnyValue},
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    harness::{self, Process, has_runtime},
    hostile::floats,
    tiny,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<ExportTraceServiceRequest>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Routes::new(TraceServiceServer::new(Collector(sender))).into_axum_router();
    let connections = drsn_serve::transport::Connections::new(router, 8);
    tokio::spawn(async move {
        connections.accept_until(listener, std::future::pending()).await;
    });
    (address, receiver)
}

fn started(endpoint: &str) -> (tempfile::TempDir, std::process::Command) {
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let mut command = harness::command(models.path(), &["--linger-ms", "0"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    (models, command)
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(AnyValue::StringValue(text)) => text,
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

async fn classify(server: &Process, traceparent: Option<&str>) -> String {
    let request = reqwest::Client::new()
        .post(server.url("/classify"))
        .header("content-type", "application/octet-stream")
        .body(floats(&[1.0; 8]));
    let request = match traceparent {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["traceparent"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_each_request_as_part_of_its_clients_trace() {
    if !has_runtime() {
        return;
    }
    let (address, mut received) = collector().await;
    let (_models, command) = started(&format!("http://{address}"));
    let server = Process::spawn(command);
    let probe = reqwest::get(server.url("/healthz")).await.unwrap();
    assert_eq!(probe.status(), 200);
    let answered = classify(&server, Some(&format!("00-{TRACE}-{PARENT}-01"))).await;

    let export = timeout(Duration::from_secs(20), received.recv()).await.unwrap().unwrap();
    let [resource] = &export.resource_spans[..] else { panic!("{export:?}") };
    let service = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(text(service, "service.name"), "drsn-serve");
    // The probe is not among them.
    let [span] = &resource.scope_spans[0].spans[..] else { panic!("{export:?}") };
    assert_eq!(span.name, "POST /classify");
    assert_eq!(
        (hexadecimal(&span.trace_id), hexadecimal(&span.parent_span_id)),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!(answered, format!("00-{TRACE}-{}-01", hexadecimal(&span.span_id)));
    assert_eq!(text(&span.attributes, "http.response.status_code"), "200");
    assert!(text(&span.attributes, "drsn.inference_us").parse::<u64>().is_ok());

    // A request without a trace context begins a trace, which is exported at shutdown, before
    // the export interval is over.
    let answered = classify(&server, None).await;
    server.signal("-TERM");
    let export = timeout(Duration::from_secs(20), received.recv()).await.unwrap().unwrap();
    let span = &export.resource_spans[0].scope_spans[0].spans[0];
    assert!(answered.contains(&hexadecimal(&span.trace_id)), "{answered}");
    assert!(span.parent_span_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_collector_the_server_answers_and_logs_what_is_lost() {
    if !has_runtime() {
        return;
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let (_models, command) = started(&format!("http://{address}"));
    let server = Process::spawn(command);
    classify(&server, None).await;
    let lines = server.lines_for(Duration::from_secs(3));
    let said = |line: &serde_json::Value| {
        let line = line.to_string();
        line.contains("ERROR") && line.contains("xport")
    };
    assert!(lines.iter().any(said), "{lines:?}");
    classify(&server, None).await;
}

#[test]
fn an_unsupported_collector_is_refused_at_start() {
    let (_models, mut command) = started("https://collector:4317");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("OTEL_EXPORTER_OTLP_ENDPOINT is https://collector:4317"), "{log}");
}
