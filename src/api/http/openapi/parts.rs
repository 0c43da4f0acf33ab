//! Parts that operations share: headers, errors, options, request bodies.

use serde_json::{Map, Value, json};

use crate::error::ErrorKind;

/// A reference to a schema.
pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The response headers, by name.
pub(super) fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "required": true, "schema": { "type": "string" } });
    json!({
        "X-Request-Id": text("The id that the request gave, or a new one."),
        "Server-Timing": text("The duration of each stage, in milliseconds."),
        "traceparent": text("The request's W3C trace context, or a new one."),
        "WWW-Authenticate": text("How to send an API key."),
        "Retry-After": {
            "description": "Seconds to wait before a retry.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

/// References to the headers that every response has, and to those of `more`.
pub(super) fn header_references(more: &[&str]) -> Map<String, Value> {
    ["X-Request-Id", "Server-Timing", "traceparent"]
        .iter()
        .chain(more)
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })))
        .collect()
}

/// The errors that operations may return.
const KINDS: [ErrorKind; 15] = [
    ErrorKind::InvalidArgument,
    ErrorKind::Unauthenticated,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::MethodNotAllowed,
    ErrorKind::RequestTimeout,
    ErrorKind::TooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::Unloadable,
    ErrorKind::QueueFull,
    ErrorKind::BytesFull,
    ErrorKind::Internal,
    ErrorKind::NotReady,
    ErrorKind::Draining,
    ErrorKind::DeadlineExceeded,
];

/// One response for each error status, named `Error<status>`.
pub(super) fn problems() -> Map<String, Value> {
    let mut problems = Map::new();
    for kind in KINDS {
        let status = kind.status().as_u16();
        let mut more = Vec::new();
        if kind.retry_after_seconds().is_some() {
            more.push("Retry-After");
        }
        if kind == ErrorKind::Unauthenticated {
            more.push("WWW-Authenticate");
        }
        let codes: Vec<&str> = KINDS
            .iter()
            .filter(|other| other.status() == kind.status())
            .map(|other| other.code())
            .collect();
        let problem = json!({
            "description": format!("{}. `code`: {}.", kind.title(), codes.join(", ")),
            "headers": header_references(&more),
            "content": { "application/problem+json": { "schema": schema("Problem") } },
        });
        problems.entry(format!("Error{status}")).or_insert(problem);
    }
    problems
}

/// Schemas that are written by hand, because no Rust type describes them.
pub(super) fn schemas() -> Map<String, Value> {
    let schemas = [
        ("ClassifyRequest", classify_request()),
        ("ClassifyForm", classify_form()),
        ("Status", one_field("status", "string")),
        ("Live", one_field("live", "boolean")),
        ("Ready", one_field("ready", "boolean")),
        (
            "ModelReady",
            json!({
                "type": "object", "required": ["name", "ready"],
                "properties": { "name": { "type": "string" }, "ready": { "type": "boolean" } },
            }),
        ),
        (
            "ServerMetadata",
            json!({
                "type": "object", "required": ["name", "version", "extensions"],
                "properties": {
                    "name": { "type": "string" }, "version": { "type": "string" },
                    "extensions": { "type": "array", "items": { "type": "string" } },
                },
            }),
        ),
    ];
    schemas.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

/// An object with one field, which is required.
fn one_field(name: &str, kind: &str) -> Value {
    json!({ "type": "object", "properties": { name: { "type": kind } }, "required": [name] })
}

fn classify_request() -> Value {
    let text = json!({ "type": "string" });
    let mut properties = body_options();
    let inputs = [
        (
            "signal",
            schema("NestedNumbers"),
            "One signal: a list of numbers, or one list for each channel.",
        ),
        ("signals", schema("NestedNumbers"), "Several signals."),
        ("image", text.clone(), "One image file, in base64 or as a data: URL."),
        ("images", json!({ "type": "array", "items": text }), "Several image files."),
        (
            "tensor",
            schema("NestedNumbers"),
            "One input in the model's shape, before normalisation.",
        ),
        ("tensors", schema("NestedNumbers"), "Several such inputs."),
    ];
    let one_of: Vec<Value> =
        inputs.iter().map(|(name, _, _)| json!({ "required": [name] })).collect();
    for (name, schema, description) in inputs {
        properties.insert(name.to_owned(), described(schema, description));
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one_of,
        "description": "Exactly one kind of input, and options.",
    })
}

fn classify_form() -> Value {
    let mut properties = form_options();
    let file = json!({
        "type": "array", "minItems": 1,
        "items": { "type": "string", "contentMediaType": "application/octet-stream" },
        "description": "Images or recordings; each file is one input.",
    });
    properties.insert("file".to_owned(), file);
    json!({
        "type": "object",
        "properties": properties,
        "required": ["file"],
        "additionalProperties": false,
    })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

/// The options: name, whether a JSON body may have it, schema, and description.
pub(super) fn options() -> [(&'static str, bool, Value, &'static str); 12] {
    let count = || json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    let text = || json!({ "type": "string" });
    let diagnostics =
        json!({ "type": "string", "enum": ["none", "summary", "full"], "default": "summary" });
    let overlap = json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0 });
    let pattern = "^[A-Za-z0-9_]{1,9}(,[A-Za-z0-9_]{1,9})*$";
    let channel = json!({ "type": "string", "pattern": pattern, "maxLength": 400 });
    let rate = json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1e9 });
    let boolean = json!({ "type": "boolean", "default": false });
    [
        (
            "model",
            true,
            text(),
            "The model; by default the server's default model, or its only one.",
        ),
        ("version", true, text(), "The version of the model; by default the highest one served."),
        ("top_k", true, count(), "The number of classes to return; by default all."),
        ("diagnostics", true, diagnostics, "How much to report about the thresholds."),
        ("batch", false, count(), "The number of inputs in a body of raw numbers."),
        ("overlap", true, overlap, "The fraction of a window that the next one repeats."),
        (
            "channel",
            true,
            channel,
            "The channels of a recording to use, by position from 0 or by name.",
        ),
        (
            "variable",
            false,
            text(),
            "For MAT and NPZ files: the name of the variable or its path, as `bearing.gs`, or the end of it.",
        ),
        (
            "rate_variable",
            false,
            text(),
            "For MAT and NPZ files: the variable or field with the samples per second.",
        ),
        ("skip_lines", false, count(), "For text tables: lines to leave out at the start."),
        ("sample_rate_hz", true, rate, "Samples per second, if the format does not say."),
        ("resample", true, boolean, "Whether to resample a recording with another sample rate."),
    ]
}

/// The options as fields of a JSON body, where a model, version or channel may be a number.
fn body_options() -> Map<String, Value> {
    let field = |(name, in_json, schema, description): (&str, bool, Value, &str)| {
        let schema = match name {
            "model" | "version" => {
                json!({ "anyOf": [schema, { "type": "integer", "minimum": 0 }] })
            }
            "channel" => json!({ "anyOf": [
                schema,
                { "type": "integer", "minimum": 0 },
                { "type": "array", "minItems": 1, "maxItems": 1024, "items": { "anyOf": [
                    { "type": "integer", "minimum": 0 }, { "type": "string", "minLength": 1 }
                ] } },
            ] }),
            _ => schema,
        };
        in_json.then(|| (name.to_owned(), described(nullable(&schema), description)))
    };
    options().into_iter().filter_map(field).collect()
}

/// A schema that also allows null, which means the same as leaving the field out.
fn nullable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// The options as text parts of a multipart form.
fn form_options() -> Map<String, Value> {
    options()
        .into_iter()
        .map(|(name, _, schema, description)| (name.to_owned(), described(schema, description)))
        .collect()
}
