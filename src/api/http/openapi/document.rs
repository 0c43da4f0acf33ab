//! The document as a whole.

use serde_json::{Map, Value, json};

use super::{operations, parts};
use crate::{
    api::http::{models, oip, problem, repository},
    inference::classify::Answer,
    schema::Schemas,
};

const DESCRIPTION: &str = "Classifies signals and images with Deep Residual Shrinkage Networks, and says what each block's \
    learned thresholds did to every input.\n\n\
    Where the server was started with keys, every route needs one but those of probes, this document and `/docs`, which \
    tell nothing of the models. Every answer that is an error is a problem of RFC 9457 with a stable `code`. A route that \
    is asked by another method answers 405 with `Allow`; a route that does not exist 404.";

/// Builds it.
///
/// # Errors
/// One of JSON's, where a schema could not be written: a fault of this program.
pub(super) fn document() -> Result<Value, serde_json::Error> {
    let mut schemas = Schemas::default();
    schemas.add::<Answer<'_>>();
    problem::schemas(&mut schemas);
    models::schemas(&mut schemas);
    repository::schemas(&mut schemas);
    oip::schemas(&mut schemas);
    let mut schemas = schemas.into_json()?;
    schemas.extend(parts::schemas());
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations::all() {
        let path = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        path[operation.method] = operation.to_json();
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "drsn-serve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }, { "apiKey": [] }],
        "tags": [
            { "name": "classify", "description": "Inputs in, classes and diagnostics out." },
            { "name": "models", "description": "What is served." },
            { "name": "operation", "description": "Probes, metrics and this description." },
            { "name": "open inference protocol", "description": "Open Inference Protocol v2 over REST." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": parts::headers(),
            "responses": parts::problems(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "One of the server's keys." },
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same, for clients without Authorization." },
            },
        },
    }))
}
