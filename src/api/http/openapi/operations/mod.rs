//! The operations: one method of one path each.

mod protocol;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::parts::{header_references, options, schema};

/// One method of one path.
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) method: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    body: Option<Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    needs_no_key: bool,
}

/// The media types of files that `/classify` accepts as a body.
const FILES: [&str; 10] = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/bmp",
    "image/gif",
    "audio/wav",
    "text/csv",
    "application/x-npy",
    "application/x-npz",
    "application/x-matlab-data",
];

/// An image for examples: a seven of 28 by 28 pixels, an input of the bundled model `mnist`.
const SEVEN: &[u8] = include_bytes!("../seven.png");
const CLASSIFY_DESCRIPTION: &str = "The example is an image for the bundled model `mnist`. A model of \
    signals expects `{\"signal\": [0.1, 0.2, …]}` with at least as many numbers as its window, or a \
    sixteenth of them if the model extends shorter recordings (`padding`); windows in which a channel \
    is constant are left out. `GET /models` describes the input of each model, and `notices` tell what \
    was extended or left out.";

/// Errors of every route: an invalid header, an internal error, an expired deadline.
const ALWAYS: [u16; 3] = [400, 500, 504];

impl Operation {
    fn new(method: &'static str, path: &str, tag: &'static str, summary: &'static str) -> Self {
        let mut parameters = vec![header(
            "X-Request-Timeout-Ms",
            &json!({ "type": "integer", "minimum": 1, "maximum": u64::MAX }),
            "The time limit of this request, in milliseconds.",
        )];
        let text = json!({ "type": "string" });
        parameters.push(header("X-Request-Id", &text, "An id that the response repeats."));
        parameters.push(header("traceparent", &text, "W3C trace context."));
        let name = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$";
        for (part, pattern) in [("model", name), ("version", r"^[1-9][0-9]{0,18}$")] {
            if path.contains(&format!("{{{part}}}")) {
                parameters.push(json!({
                    "name": part, "in": "path", "required": true,
                    "schema": { "type": "string", "pattern": pattern },
                }));
            }
        }
        let operation = Self {
            path: path.to_owned(),
            method,
            tag,
            summary,
            description: None,
            body: None,
            parameters,
            responses: Map::new(),
            needs_no_key: false,
        };
        operation.errors(&ALWAYS).errors(&[401])
    }

    fn description(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// Makes the operation one that requires no API key.
    fn without_key(mut self) -> Self {
        self.needs_no_key = true;
        self.responses.remove("401");
        self
    }

    fn errors(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let place = format!("#/components/responses/Error{status}");
            self.responses.insert(status.to_string(), json!({ "$ref": place }));
        }
        self
    }

    /// Adds a response with one content type.
    fn response(self, status: u16, text: &str, media_type: &str, schema: &Value) -> Self {
        let content = json!({ media_type: { "schema": schema } });
        self.response_with_content(status, text, &content)
    }

    fn response_with_content(mut self, status: u16, text: &str, content: &Value) -> Self {
        let response =
            json!({ "description": text, "headers": header_references(&[]), "content": content });
        self.responses.insert(status.to_string(), response);
        self
    }

    fn json(self, name: &str) -> Self {
        self.response(200, "The answer.", "application/json", &schema(name))
    }

    fn request_body(mut self, is_required: bool, content: &Value) -> Self {
        self.body = Some(json!({ "required": is_required, "content": content }));
        self
    }

    fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The operation as the document has it.
    pub(super) fn to_json(&self) -> Value {
        let words = self.path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty());
        let id = std::iter::once(self.method).chain(words).collect::<Vec<_>>().join("_");
        let mut operation = json!({
            "tags": [self.tag],
            "summary": self.summary,
            "operationId": id,
            "parameters": self.parameters,
            "responses": self.responses,
        });
        if let Some(description) = self.description {
            operation["description"] = description.into();
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = body.clone();
        }
        if self.needs_no_key {
            operation["security"] = json!([]);
        }
        operation
    }
}

fn header(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "header", "schema": schema, "description": description })
}

pub(super) fn all() -> Vec<Operation> {
    let classify =
        ["/classify", "/models/{model}/classify", "/models/{model}/versions/{version}/classify"];
    let mut all: Vec<Operation> = classify.into_iter().map(classification).collect();
    all.extend(models());
    all.extend(probes());
    all.extend(descriptions());
    all.extend(protocol::all());
    all
}

fn classification(path: &str) -> Operation {
    let example = json!({ "image": STANDARD.encode(SEVEN), "top_k": 3, "diagnostics": "full" });
    let mut content = json!({
        "application/json": { "schema": schema("ClassifyRequest"), "example": example },
        "multipart/form-data": { "schema": schema("ClassifyForm") },
        "application/octet-stream": { "schema": {
            "type": "string", "contentMediaType": "application/octet-stream",
            "description": "Little-endian 32-bit floats: one recording [C, T], `batch` of them, or \
                inputs [C, H, W] one after another.",
        } },
    });
    for media_type in FILES {
        content[media_type] =
            json!({ "schema": { "type": "string", "contentMediaType": media_type } });
    }
    let mut operation = Operation::new("post", path, "classify", "Classify signals or images.")
        .description(CLASSIFY_DESCRIPTION)
        .request_body(true, &content)
        .json("Answer")
        .errors(&[404, 408, 413, 415, 429, 503]);
    for (name, _, schema, description) in options() {
        // The path already says which model or version.
        if !path.contains(&format!("{{{name}}}")) {
            operation = operation.parameter(json!({
                "name": name, "in": "query", "schema": schema, "description": description,
            }));
        }
    }
    operation.parameter(content_encoding())
}

/// How the body of a request is compressed.
fn content_encoding() -> Value {
    let encodings = json!({ "type": "string", "enum": ["identity", "gzip", "deflate", ""] });
    header("Content-Encoding", &encodings, "How the body is compressed; empty is `identity`.")
}

fn models() -> Vec<Operation> {
    let shift = |path| {
        let summary = "The last hour and day: classes, alarms, p-values and z-scores.";
        Operation::new("get", path, "models", summary).json("RollingView").errors(&[404, 503])
    };
    let baseline = |path| {
        let summary = "What is usual: scores of the shift, levels and thresholds of each class.";
        Operation::new("get", path, "models", summary).json("Usual").errors(&[404, 503])
    };
    vec![
        baseline("/models/{model}/baseline"),
        baseline("/models/{model}/versions/{version}/baseline"),
        shift("/models/{model}/shift"),
        shift("/models/{model}/versions/{version}/shift"),
        Operation::new("get", "/models", "models", "All models, with their versions and states.")
            .json("ModelList")
            .errors(&[503]),
        Operation::new(
            "get",
            "/models/{model}",
            "models",
            "A model: input, classes, blocks, training and baseline.",
        )
        .json("ModelEntry")
        .errors(&[404, 503]),
    ]
}

fn probes() -> Vec<Operation> {
    let probe = |path, summary| {
        let status = schema("Status");
        Operation::new("get", path, "operation", summary).without_key().json("Status").response(
            503,
            "Not healthy or not ready.",
            "application/json",
            &status,
        )
    };
    let text = json!({ "type": "string" });
    let metrics = json!({
        "text/plain": { "schema": text },
        "application/openmetrics-text": { "schema": text },
    });
    vec![
        probe("/healthz", "Whether the process is healthy."),
        probe("/readyz", "Whether the server is ready for requests."),
        Operation::new("get", "/metrics", "operation", "Metrics for Prometheus.")
            .response_with_content(
                200,
                "The metrics; in OpenMetrics format if `Accept` asks for it.",
                &metrics,
            ),
    ]
}

fn descriptions() -> Vec<Operation> {
    let operation = |path, summary| Operation::new("get", path, "operation", summary).without_key();
    let html = json!({ "type": "string" });
    let mut home = operation("/", "The console; with `--console off` it redirects to `/docs`.")
        .response(200, "The page.", "text/html", &html);
    let mut headers = header_references(&[]);
    headers.insert("Location".to_owned(), json!({ "schema": { "type": "string" } }));
    let moved = json!({ "description": "See `Location`.", "headers": headers });
    home.responses.insert("307".to_owned(), moved);
    let text = json!({ "type": "string" });
    let any = json!({ "*/*": { "schema": {} } });
    vec![
        home,
        operation("/openapi.json", "This document.").response(
            200,
            "An OpenAPI 3.1 document.",
            "application/json",
            &json!({ "type": "object" }),
        ),
        operation("/docs", "A page to read and try the API.").response(
            200,
            "The page.",
            "text/html",
            &text,
        ),
        operation("/docs/{file}", "A file of the documentation page.")
            .parameter(json!({
                "name": "file", "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 },
            }))
            .response_with_content(200, "The file.", &any)
            .errors(&[404]),
    ]
}
