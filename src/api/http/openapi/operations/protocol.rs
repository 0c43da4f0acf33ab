//! The operations of the Open Inference Protocol.

use serde_json::json;

use super::{Operation, content_encoding, header};
use crate::api::http::openapi::parts::{header_references, schema};

const PROTOCOL: &str = "open inference protocol";
/// A signal for examples; a real one has the length of the model's window.
const WAVE: [f32; 8] = [0.0, 0.5, 1.0, 0.5, 0.0, -0.5, -1.0, -0.5];
const INFER_DESCRIPTION: &str = "The example only shows the format: the shape must be `[N, …]` with the \
    sizes that `GET /v2/models/{model}` returns, and `data` must have as many numbers.";

pub(super) fn all() -> Vec<Operation> {
    let models = ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"];
    let mut all = server();
    all.extend(models.into_iter().flat_map(of_a_model));
    all.extend(repository());
    all
}

fn server() -> Vec<Operation> {
    let operation = |path, summary| Operation::new("get", path, PROTOCOL, summary);
    let probe = |path, summary, name| {
        operation(path, summary).without_key().json(name).response(
            503,
            "Not healthy or not ready.",
            "application/json",
            &schema(name),
        )
    };
    vec![
        operation("/v2", "The server's name, version and extensions.").json("ServerMetadata"),
        probe("/v2/health/live", "Whether the process is healthy.", "Live"),
        probe("/v2/health/ready", "Whether the server is ready for requests.", "Ready"),
        operation("/v2/models/stats", "Statistics of all models.")
            .json("AllStatistics")
            .errors(&[503]),
    ]
}

fn of_a_model(model: &str) -> Vec<Operation> {
    let get = |ending: &str, summary, name| {
        Operation::new("get", &format!("{model}{ending}"), PROTOCOL, summary)
            .json(name)
            .errors(&[404, 503])
    };
    let ready_or_problem = json!({
        "application/json": { "schema": schema("ModelReady") },
        "application/problem+json": { "schema": schema("Problem") },
    });
    vec![
        get("", "The model's tensors and parameters.", "ModelMetadata"),
        get("/ready", "Whether the model is ready.", "ModelReady").response_with_content(
            503,
            "Not ready.",
            &ready_or_problem,
        ),
        get(
            "/config",
            "The model's configuration, as far as Triton's clients read it.",
            "ModelConfig",
        ),
        get("/stats", "The model's statistics.", "AllStatistics"),
        inference(&format!("{model}/infer")),
    ]
}

fn inference(path: &str) -> Operation {
    let binary = json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    let length = |description: &str| {
        let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
        header("Inference-Header-Content-Length", &number, description)
    };
    let tensor =
        json!({ "name": "input", "shape": [1, 1, WAVE.len()], "datatype": "FP32", "data": WAVE });
    let example = json!({ "inputs": [tensor] });
    let body = json!({
        "application/json": { "schema": schema("InferRequest"), "example": example },
        "application/octet-stream": { "schema": binary },
    });
    let answer = json!({
        "application/json": { "schema": schema("InferResponse") },
        "application/octet-stream": { "schema": binary },
    });
    Operation::new("post", path, PROTOCOL, "Run a model on tensors.")
        .description(INFER_DESCRIPTION)
        .request_body(true, &body)
        .parameter(length("The length of the JSON, if binary data follow it."))
        .parameter(content_encoding())
        .response_with_content(
            200,
            "The outputs; binary data follow the JSON if they were requested.",
            &answer,
        )
        .errors(&[404, 408, 413, 415, 429, 503])
}

fn repository() -> Vec<Operation> {
    let post = |path, summary, request| {
        Operation::new("post", path, PROTOCOL, summary)
            .request_body(false, &json!({ "application/json": { "schema": schema(request) } }))
            .errors(&[408, 413, 503])
    };
    let change = |path, summary| {
        let mut operation = post(path, summary, "RepositoryChangeRequest").errors(&[403, 404, 422]);
        let done = json!({ "description": "Done.", "headers": header_references(&[]) });
        operation.responses.insert("200".to_owned(), done);
        operation
    };
    let entries = json!({ "type": "array", "items": schema("RepositoryEntry") });
    vec![
        post(
            "/v2/repository/index",
            "Every known model version and its state.",
            "RepositoryIndexRequest",
        )
        .response(200, "The versions.", "application/json", &entries),
        change("/v2/repository/models/{model}/load", "Load or reload a model."),
        change("/v2/repository/models/{model}/unload", "Unload a model."),
    ]
}
