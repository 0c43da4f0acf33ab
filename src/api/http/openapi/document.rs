//! The document: general information, paths and components.

use serde_json::{Map, Value, json};

use super::{operations, parts};
use crate::{
    api::http::{baseline, models, oip, problem, repository, shift},
    inference::{
        classify::Answer,
        diagnostics::{BandCause, ChannelCause, NearestClass, StatisticCause},
    },
    schema::Schemas,
};

const DESCRIPTION: &str = "Classifies signals and images with Deep Residual Shrinkage Networks, \
    and reports what each block's learned thresholds did to every input.\n\n\
    If the server was started with API keys, every route requires one, except for probes, this \
    document and `/docs`, which reveal nothing about the models. Every error is a problem of RFC \
    9457 with a stable `code`. An unsupported method is answered with 405 and `Allow`, an unknown \
    route with 404.";

/// Builds the document.
///
/// # Errors
/// A schema cannot be serialized, which is a bug.
pub(super) fn document() -> Result<Value, serde_json::Error> {
    let schemas = schemas()?;
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
            "license": {
                "name": env!("CARGO_PKG_LICENSE"),
                "identifier": env!("CARGO_PKG_LICENSE"),
            },
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }, { "apiKey": [] }],
        "tags": [
            { "name": "classify", "description": "Classify inputs, with diagnostics." },
            { "name": "models", "description": "The models that are served." },
            { "name": "operation", "description": "Probes, metrics and this description." },
            {
                "name": "open inference protocol",
                "description": "Open Inference Protocol v2 over REST.",
            },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": parts::headers(),
            "responses": parts::problems(),
            "securitySchemes": security_schemes(),
        },
    }))
}

fn schemas() -> Result<Map<String, Value>, serde_json::Error> {
    let mut schemas = Schemas::default();
    schemas.add::<Answer<'_>>();
    schemas.add::<ChannelCause<'_>>();
    schemas.add::<StatisticCause>();
    schemas.add::<BandCause>();
    schemas.add::<NearestClass<'_>>();
    problem::schemas(&mut schemas);
    models::schemas(&mut schemas);
    shift::schemas(&mut schemas);
    baseline::schemas(&mut schemas);
    repository::schemas(&mut schemas);
    oip::schemas(&mut schemas);
    let mut schemas = schemas.into_json()?;
    schemas.extend(parts::schemas());
    Ok(schemas)
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "One of the server's API keys.",
        },
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Api-Key",
            "description": "The same key, for clients that cannot set Authorization.",
        },
    })
}
